"""``python -m edgeloop`` is the ``edgeloop`` command."""

from edgeloop.cli import main

if __name__ == "__main__":
    main()
