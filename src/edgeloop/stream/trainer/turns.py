"""One after the other under each name, side by side under different ones."""

import contextlib
import threading
from collections.abc import Iterator


class Turns:
    """Locks by name; those that nobody uses are forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[str, tuple[threading.Lock, int]] = {}

    @contextlib.contextmanager
    def of(self, name: str, *, timeout_s: float) -> Iterator[bool]:
        """Whether it was our turn within ``timeout_s``; others wait until the block ends."""
        with self._lock:
            turn, users = self._turns.get(name, (threading.Lock(), 0))
            self._turns[name] = turn, users + 1
        came = turn.acquire(timeout=timeout_s)
        try:
            yield came
        finally:
            if came:
                turn.release()
            self._leave(name)

    def _leave(self, name: str) -> None:
        with self._lock:
            turn, users = self._turns.pop(name)
            if users > 1:
                self._turns[name] = turn, users - 1
