"""The one thread that an environment is made, used and closed in."""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from edgeloop.errors import StreamClosed

log = logging.getLogger(__name__)

E = TypeVar("E")
T = TypeVar("T")
FAULTS = (Exception, SystemExit)
"""What other people's code may raise: the thread lives on."""
_CLOSE_S = 30.0


class Turn(Generic[T]):
    """Work for the thread, and what it came to. May be waited for by several threads."""

    __slots__ = ("_done", "_error", "_value", "_work")

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._value: T
        self._error: BaseException | None = None
        self._done = threading.Lock()  # held until it is done: half the price of an Event
        self._done.acquire()

    @property
    def is_done(self) -> bool:
        """Whether its value or error is there."""
        return not self._done.locked()

    def wait(self, seconds: float) -> bool:
        """Whether it is done within ``seconds``."""
        if not self._done.acquire(timeout=seconds):
            return False
        self._done.release()
        return True

    def result(self) -> T:
        """The value of what is done; raises what the work raised."""
        if self._error is not None:
            raise self._error
        return self._value

    def run(self) -> None:
        """Do the work: the thread's part."""
        try:
            self._value = self._work()
        except FAULTS as error:
            self._error = error
        self._done.release()

    def cancel(self) -> None:
        """The work will not be done."""
        self._error = StreamClosed("The environment is closed.")
        self._done.release()


class EnvThread(Generic[E]):
    """Makes an environment and does with it what it is told, one thing after the other.

    Raises what ``make`` raises.
    """

    def __init__(self, make: Callable[[], E], close: Callable[[E], None]) -> None:
        self._turns: queue.SimpleQueue[Turn[Any] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_closed = False
        making = Turn(make)
        self._thread = threading.Thread(
            target=self._work, args=(making, close), name="environment", daemon=True
        )
        self._thread.start()
        making.wait(threading.TIMEOUT_MAX)
        self.env = making.result()

    def submit(self, work: Callable[[], T]) -> Turn[T]:
        """Do ``work`` when all that was told before is done; raises StreamClosed after the end."""
        turn = Turn(work)
        with self._lock:
            if self._is_closed:
                raise StreamClosed("The environment is closed.")
            self._turns.put(turn)
        return turn

    def close(self) -> None:
        """Close the environment when the present work is done; the rest is cancelled. Idempotent.

        Waits for this, but not for ever: work that never ends keeps no program from ending.
        """
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._turns.put(None)
        self._thread.join(_CLOSE_S)
        if self._thread.is_alive():
            log.warning("The environment is still at work: it is left alone, and not closed.")

    def _work(self, making: Turn[E], close: Callable[[E], None]) -> None:
        making.run()
        try:
            env = making.result()
        except FAULTS:
            return
        while (turn := self._turns.get()) is not None:
            if self._is_closed:
                turn.cancel()
            else:
                turn.run()
            del turn
        try:
            close(env)
        except FAULTS:
            log.exception("the environment could not be closed")
