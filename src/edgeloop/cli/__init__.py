"""The ``edgeloop`` command: the only place that prints, exits and sets up logging."""

from edgeloop.cli.main import main

__all__ = ["main"]
