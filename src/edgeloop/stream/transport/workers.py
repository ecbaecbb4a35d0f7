"""Threads for calls: they are kept for the next one, and none of them keeps the process alive."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, ParamSpec, TypeVar

from edgeloop.errors import Overloaded

P = ParamSpec("P")
T = TypeVar("T")
_Job = tuple[Future[Any], Callable[[], Any]]


class Workers:
    """At most ``most`` threads; a job never waits for another one's end."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._idle = 0
        self._threads = 0
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Begin a job; raises Overloaded where all threads are busy, or none can be started."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("no job begins after the end")
            if self._idle:
                self._idle -= 1
            elif self._threads < self._most:
                self._begin_thread()
            else:
                raise Overloaded(f"{self._most} calls are being answered already: call less often.")
            self._jobs.put((future, lambda: fn(*args, **kwargs)))
        return future

    def close(self) -> None:
        """Let the threads end when they have nothing to do; waits for none. Idempotent."""
        with self._lock:
            if not self._closed:
                self._closed = True
                for _ in range(self._threads):
                    self._jobs.put(None)

    def _begin_thread(self) -> None:
        try:
            threading.Thread(target=self._work, name="worker", daemon=True).start()
        except RuntimeError as error:  # no more threads: those that are here go on
            raise Overloaded(f"The server cannot answer more at once ({error}).") from error
        self._threads += 1

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            settle = _done(*job)
            del job
            with self._lock:  # who is told that a job is done may submit the next one
                self._idle += 1
            settle()
            del settle


def _done(future: Future[Any], work: Callable[[], Any]) -> Callable[[], None]:
    """Do ``work``; what is returned tells the future."""
    try:
        value = work()
    except BaseException as error:  # noqa: BLE001 - it is handed to who asks the future
        return partial(future.set_exception, error)
    return partial(future.set_result, value)
