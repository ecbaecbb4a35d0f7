"""A node as a process of its own: says the port in its first line."""

import asyncio

from detecting import CupDetector
from edgeloop.nodes import DetectorNode


def say(port: int) -> None:
    """Tell who started this process."""
    print(port, flush=True)  # noqa: T201 - this is how the test learns it


if __name__ == "__main__":
    asyncio.run(DetectorNode(CupDetector).serve(on_started=say))
