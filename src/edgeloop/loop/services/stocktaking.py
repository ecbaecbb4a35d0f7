"""Counts what lies in the loop beside its work: on demand, and so seldom that it costs little."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from edgeloop.errors import EdgeloopError
from edgeloop.loop.services import operations
from edgeloop.loop.services.operations import Stock
from edgeloop.loop.services.workspace import Workspaces

log = logging.getLogger(__name__)

REST_S = 1.0
REST_PER_WORK = 100.0
"""Counting takes at most a hundredth of the time: every two minutes with a million images."""
PATIENCE_S = 2.0


class Stocktaker:
    """Takes stock when somebody asks, unless it was taken lately; ``on_counted`` is told it."""

    def __init__(self, workspaces: Workspaces, on_counted: Callable[[Stock], None]) -> None:
        self._workspaces = workspaces
        self._on_counted = on_counted
        self._due = 0.0
        self._asked = asyncio.Event()
        self._counted = asyncio.Event()
        self._stopping = asyncio.Event()

    async def ask(self) -> None:
        """Return when it was counted lately, or after ``PATIENCE_S``, while counting goes on."""
        if time.monotonic() < self._due:
            return
        self._counted.clear()
        self._asked.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._counted.wait(), PATIENCE_S)

    def stop(self) -> None:
        """End ``run``, after the count that it is at."""
        self._stopping.set()
        self._asked.set()

    async def run(self) -> None:
        """Count whenever asked, until stopped."""
        while not self._stopping.is_set():
            await self._asked.wait()
            self._asked.clear()
            if not self._stopping.is_set() and time.monotonic() >= self._due:
                await self._count()
            self._counted.set()

    async def _count(self) -> None:
        began = time.monotonic()
        try:
            self._on_counted(await operations.stock(self._workspaces))
        except (EdgeloopError, SQLAlchemyError):
            log.exception("What lies in the loop could not be counted; it will be again")
        ended = time.monotonic()
        self._due = ended + max(REST_S, REST_PER_WORK * (ended - began))
