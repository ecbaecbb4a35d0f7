"""The contract of all stores: what goes in, what came since a cursor, and from whom it came."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from edgeloop.errors import InputError
from edgeloop.stream.stores.layout import Columns, leaves_of
from edgeloop.stream.stores.ledger import Arrival, Ledger

Batch = Columns | Sequence[Any]
"""Many transitions: columns (a dict of stacked arrays) or a list of single ones."""


class DataStore(ABC):
    """Keeps the newest ``capacity`` transitions and numbers them 0, 1, 2, ... as they come.

    A *cursor* is the number of the first transition that its holder lacks. All methods may be
    called from several threads.

    A store that receives from others also remembers how far each *origin* (a name for one life of
    one client) has come. That memory lives, and is saved and restored, with the data: whoever
    repeats what may have been lost repeats it without harm, also after a restart.
    """

    def __init__(self, capacity: int, ledger: Ledger) -> None:
        if capacity < 1:
            raise InputError(f"A store for {capacity} transitions: give a capacity of 1 or more.")
        self._capacity = capacity
        self._ledger = ledger
        self._lock = threading.RLock()

    @abstractmethod
    def __len__(self) -> int:
        """How many transitions are held."""

    @property
    def capacity(self) -> int:
        """How many transitions are held at most."""
        return self._capacity

    @property
    @abstractmethod
    def cursor(self) -> int:
        """The number that the next transition will get."""

    @property
    def identity(self) -> str:
        """The origin that this store is to others: a name for the numbers that it gives.

        It is the store's for its life, or its folder's. What was restored from a snapshot numbers
        anew from there on, and is another origin.
        """
        return self._ledger.identity

    def insert(self, item: Any) -> None:
        """Keep one transition, copied. Raises InputError where its layout does not fit."""
        self._admit(1)
        with self._lock:
            self._put(item)

    def insert_batch(self, batch: Batch) -> None:
        """Keep many transitions, copied: columns or a list; all of them fit, or none is kept."""
        count = count_of(batch)
        self._admit(count)
        with self._lock:
            self._add(batch, None)

    def receive(
        self, origin: str, first: int, batch: Batch, *, timeout_s: float | None = None
    ) -> int:
        """Keep those transitions of ``origin`` that are new; says the number it should go on with.

        ``first`` is the number that the origin gave the first of the batch. What lies before the
        number said last is not inserted again; a gap is accepted: the origin dropped what is in it.
        Raises StreamTimeout, with nothing kept, where a limiter lets nothing in for ``timeout_s``
        seconds (default: as long as the limiter itself waits).
        """
        if first < 0:
            raise InputError(f"{origin} sends from number {first}: numbers start at 0.")
        count = count_of(batch)
        new = first + count - max(first, self.received(origin))
        self._admit(max(0, new), timeout_s)
        with self._lock:
            known = max(0, self._ledger.following(origin) - first)
            if known < count:
                rest = slice_of(batch, known) if known else batch
                self._add(rest, Arrival(origin, first + known))
            return self._ledger.following(origin)

    def received(self, origin: str) -> int:
        """The number that ``origin`` should go on with: 0 if nothing has come from it yet."""
        with self._lock:
            return self._ledger.following(origin)

    @abstractmethod
    def since(self, cursor: int, *, limit: int | None = None) -> tuple[list[Any], int]:
        """The transitions from ``cursor`` on, oldest first, at most ``limit``, and the next cursor.

        A cursor older than the oldest transition held starts there.
        """

    @abstractmethod
    def batch_since(self, cursor: int, *, limit: int | None = None) -> tuple[Batch, int]:
        """As ``since``, in the form that costs least: columns where the store has columns.

        It may hold fewer than there are: ask again until the cursor no longer moves.
        """

    def release(self, cursor: int) -> None:  # noqa: B027 - optional to override
        """Say that all before ``cursor`` have arrived where they were wanted."""

    def _admit(self, count: int, timeout_s: float | None = None) -> None:  # noqa: B027 - optional
        """Wait, for so long at most, until ``count`` more may come; the lock is not held yet."""

    @abstractmethod
    def _put(self, item: Any) -> None:
        """Keep one transition; the lock is held."""

    @abstractmethod
    def _add(self, batch: Batch, arrival: Arrival | None) -> None:
        """Keep a batch and, in the same step, how far its origin has come; the lock is held."""


def count_of(batch: Batch) -> int:
    """How many transitions a batch has; raises InputError for what is no batch."""
    if isinstance(batch, Mapping):
        for path, value in leaves_of(batch):
            if not getattr(value, "shape", ()):
                raise InputError(f"{'/'.join(path)} is no column: give arrays with a row axis.")
            return int(value.shape[0])
        raise InputError("Columns without a single array: give a dict of stacked arrays.")
    if not isinstance(batch, str | bytes) and isinstance(batch, Sequence):
        return len(batch)
    raise InputError(f"A batch is columns or a list of transitions, not {type(batch).__name__}.")


def slice_of(batch: Batch, first: int, stop: int | None = None) -> Batch:
    """The batch from its row ``first`` on, up to ``stop``; columns become views."""
    if isinstance(batch, Mapping):
        return {
            key: slice_of(value, first, stop) if isinstance(value, Mapping) else value[first:stop]
            for key, value in batch.items()
        }
    return batch[first:stop]
