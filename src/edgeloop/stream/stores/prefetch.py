"""Batches that are gathered while the one before is learnt from."""

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from edgeloop.errors import ConfigError, StreamClosed

Sample = dict[str, Any]
"""A batch as nested dicts of arrays, (batch_size, *shape) each."""


class Prefetch:
    """An endless iterator of batches for one thread; another one stays ``depth`` of them ahead.

    The other thread begins with the first batch asked for and ends with ``close``, or with an
    error, which is raised where the batch is asked for; asking once more begins anew. ``before``
    is called, in the thread that asks, before each batch is handed out, ``after`` once it is.
    """

    def __init__(
        self,
        draw: Callable[[], Sample],
        *,
        depth: int = 1,
        before: Callable[[], None] = lambda: None,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        if depth < 1:
            raise ConfigError(f"A prefetch of {depth} batches: give a depth of 1 or more.")
        self._draw = draw
        self._depth = depth
        self._before = before
        self._after = after
        self._wanted = threading.Semaphore(depth)
        self._ready: queue.SimpleQueue[Sample | Exception] = queue.SimpleQueue()
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Sample:
        self._before()
        if self._is_closed:
            raise _closed()
        if self._thread is None:
            self._wanted = threading.Semaphore(self._depth)
            self._thread = threading.Thread(target=self._run, name="prefetch", daemon=True)
            self._thread.start()
        found = self._ready.get()
        if isinstance(found, Exception):
            self._thread = None
            raise found
        self._wanted.release()
        self._after()
        return found

    def close(self) -> None:
        """End the thread; harmless when repeated."""
        self._is_closed = True
        self._wanted.release()
        if thread := self._thread:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        try:
            while True:
                self._wanted.acquire()
                if self._is_closed:
                    raise _closed()  # somebody may be waiting
                self._ready.put(self._draw())
        except Exception as error:  # noqa: BLE001 - raised again where the batch is asked for
            self._ready.put(error)


def _closed() -> StreamClosed:
    return StreamClosed("No more batches: the prefetch was closed.")
