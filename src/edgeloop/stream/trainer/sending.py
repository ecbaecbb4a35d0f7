"""One store of a client: sends each transition to the server until it has it, and never twice."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from time import monotonic

import numpy as np

from edgeloop.errors import Conflict, StreamTimeout, TooLarge
from edgeloop.stream.stores.base import Batch, DataStore, count_of, slice_of
from edgeloop.stream.stores.layout import leaves_of
from edgeloop.stream.trainer.deliveries import Delivery, Receipt

Deliver = Callable[[Delivery, float], Receipt]
"""(delivery, its deadline in seconds) -> what the server says; raises what a call raises."""

MESSAGE_BYTES = 8 << 20
"""How large messages are at most, if more than one transition fits in: more gains nothing."""
_MOST_ROWS = 4096
_FIRST_ROWS = 64
_MARGIN = 0.1
"""With less than this share of the time left, held transitions are given up."""


class Held(StreamTimeout):
    """The server's store did not let transitions in for as long as there was time."""


class Sender:
    """What of ``store`` the server's store ``name`` has. May be used from several threads.

    Only what the server says counts: its receipt names the life of its store and the number to go
    on with. Another life (a restart, another store) may have less: what is still held of that is
    sent again.
    """

    def __init__(self, name: str, store: DataStore, deliver: Deliver) -> None:
        self._name = name
        self._store = store
        self._deliver = deliver
        self._lock = threading.Lock()
        self._session = ""
        self._cursor = 0
        self._acknowledged = 0
        self._rows = _FIRST_ROWS
        self._most_rows = _MOST_ROWS

    @property
    def waiting(self) -> int:
        """How many transitions the server is not known to have."""
        return min(len(self._store), self._store.cursor - self._cursor)

    @property
    def acknowledged(self) -> int:
        """How many transitions arrived; those that a restarted server got again count again."""
        return self._acknowledged

    def send(self, timeout_s: float) -> int:
        """Send all that is there now; how many of them the server has newly acknowledged.

        No message may take longer than ``timeout_s``. Raises Held and what a call raises: all that
        was acknowledged before stays so, the rest is tried again by the next one.
        """
        end = self._store.cursor
        total = 0
        while True:
            acknowledged, moved = self._send_some(timeout_s)
            total += acknowledged
            if self._cursor >= end or not moved:
                return total

    def _send_some(self, timeout_s: float) -> tuple[int, bool]:
        """Send a message, or ask where to go on; (newly acknowledged, whether it goes on there)."""
        with self._alone(timeout_s):
            deadline, left = monotonic() + timeout_s, timeout_s
            first, batch = self._next()
            while True:
                try:
                    receipt = self._deliver(self._delivery(first, batch, left), left)
                except TooLarge:
                    batch = self._less(batch)
                    continue
                if not receipt.held:
                    return self._note(first, receipt)
                left = deadline - monotonic()
                if left < _MARGIN * timeout_s:
                    raise Held(f"The trainer's store '{self._name}' takes nothing. {receipt.held}")

    def _next(self) -> tuple[int, Batch | None]:
        """What comes next with its first number; None where there is nothing, or nothing known."""
        cursor = self._cursor
        if not self._session:
            return cursor, None
        batch, following = self._store.batch_since(cursor, limit=self._rows)
        if following <= cursor or not (count := count_of(batch)):
            return cursor, None
        fitting = max(1, MESSAGE_BYTES * count // max(1, _size_bytes(batch)))
        self._rows = min(fitting, self._most_rows)
        first = following - count
        return first, batch if count <= self._rows else slice_of(batch, 0, self._rows)

    def _less(self, batch: Batch | None) -> Batch:
        """Half as much of what was too large; raises TooLarge where that is nothing."""
        count = 0 if batch is None else count_of(batch)
        if batch is None or count < 2:
            raise TooLarge(
                f"A transition of '{self._name}' is larger than a message may be: "
                "raise Limits.message_bytes on both sides."
            )
        self._rows = self._most_rows = count // 2
        return slice_of(batch, 0, self._rows)

    def _delivery(self, first: int, batch: Batch | None, left_s: float) -> Delivery:
        return Delivery(
            self._name, self._store.identity, self._session, first, batch, wait_s=left_s / 2
        )

    def _note(self, first: int, receipt: Receipt) -> tuple[int, bool]:
        if receipt.following > self._store.cursor:
            raise Conflict(
                f"The trainer has {receipt.following} transitions of '{self._name}', but only "
                f"{self._store.cursor} were ever here: was an old copy put back? Use a new store."
            )
        before = self._session, self._cursor
        if not self._session:  # what an earlier client of this store sent
            self._cursor = receipt.following
        begin = max(first, self._cursor) if receipt.session == self._session else self._cursor
        self._session, self._cursor = receipt.session, receipt.following
        self._store.release(receipt.following)
        acknowledged = max(0, receipt.following - begin)
        self._acknowledged += acknowledged
        return acknowledged, before != (self._session, self._cursor)

    @contextlib.contextmanager
    def _alone(self, timeout_s: float) -> Iterator[None]:
        if not self._lock.acquire(timeout=timeout_s):
            raise StreamTimeout(f"Another update of '{self._name}' took longer than {timeout_s} s.")
        try:
            yield
        finally:
            self._lock.release()


def _size_bytes(batch: Batch) -> int:
    """How large the arrays of columns are; 0 for a list, whose size only its encoding tells."""
    if isinstance(batch, list):
        return 0
    return sum(column.nbytes for _, column in leaves_of(batch) if isinstance(column, np.ndarray))
