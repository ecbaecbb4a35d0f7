"""Runs a node as a program: what it cannot do for a reason that it can name ends as a sentence."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from edgeloop import host
from edgeloop.errors import EdgeloopError


def run_node(serve: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run ``serve`` in an event loop of its own.

    Raises SystemExit with code 2, after a sentence on stderr, where it raises an EdgeloopError.
    """
    try:
        host.refuse_unguarded_start()
        host.show_log()
        asyncio.run(serve())
    except EdgeloopError as error:
        sys.stderr.write(f"edgeloop: {error}\n")
        raise SystemExit(2) from error
