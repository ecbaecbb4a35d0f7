"""agentlace's stores as stores of `edgeloop.stream`, so that clients and servers know one kind."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgeloop import stream
from edgeloop.compat.agentlace.data.data_store import DataStoreBase
from edgeloop.compat.agentlace.data.trajectory_buffer import TrajectoryBuffer
from edgeloop.compat.agentlace.payloads import plain
from edgeloop.errors import Conflict
from edgeloop.stream.stores.base import Batch
from edgeloop.stream.stores.layout import layout_of_columns
from edgeloop.stream.stores.ledger import Arrival, Ledger
from edgeloop.stream.trainer.sending import MESSAGE_BYTES

AnyStore = DataStoreBase | stream.DataStore

_PACKAGE = "edgeloop.compat.agentlace."
_PORTS = "_edgeloop_ports"
_ATTEMPTS = 100
_READING = ("latest_data_id", "get_latest_data")
_WRITING = ("insert", "batch_insert")


def source_of(store: AnyStore) -> stream.DataStore:
    """What a client sends from: the same one for a store's whole life, as numbers go on."""
    if isinstance(store, stream.DataStore):
        return store
    inner = _inner(store, _READING)
    make = (lambda: ForeignSource(store)) if inner is None else (lambda: Source(inner))
    return _port(store, "source", make)


def sink_of(store: AnyStore) -> stream.DataStore:
    """What a server inserts into: the same one for a store's whole life."""
    if isinstance(store, stream.DataStore):
        return store
    is_logged = getattr(store, "_logger", None) is not None  # a logger sees every item
    inner = None if is_logged else _inner(store, _WRITING)
    return _port(store, "sink", lambda: Sink(store)) if inner is None else inner


def items_of(batch: Batch) -> list[Any]:
    """A batch as single items, of arrays and numpy's numbers where it is columns."""
    if not isinstance(batch, Mapping):
        return list(batch)
    layout = layout_of_columns(batch)
    count, columns = layout.columns(batch)
    return [layout.item(columns, row) for row in range(count)]


class Source(stream.DataStore):
    """What a client reads of a store of `edgeloop.stream`, in a form that can be sent.

    Where items hold Python's numbers they go as a list: columns would make them numpy's.
    """

    def __init__(self, inner: stream.DataStore) -> None:
        super().__init__(inner.capacity, Ledger())
        self._inner = inner

    def __len__(self) -> int:
        return len(self._inner)

    @property
    def cursor(self) -> int:
        """As the inner store says."""
        return self._inner.cursor

    @property
    def identity(self) -> str:
        """As the inner store says."""
        return self._inner.identity

    def since(self, cursor: int, *, limit: int | None = None) -> tuple[list[Any], int]:
        """Items, as DataStore says."""
        items, following = self._inner.since(cursor, limit=limit)
        return [plain(item) for item in items], following

    def batch_since(self, cursor: int, *, limit: int | None = None) -> tuple[Batch, int]:
        """Columns, or items where columns would change what they are."""
        batch, following = self._inner.batch_since(cursor, limit=limit)
        if not isinstance(batch, Mapping):
            return plain(batch), following
        if not batch:
            return [], following
        columns = _leaves(batch)
        count = len(columns[0])
        begin = following - count
        first = self._inner.since(begin, limit=1)[0]
        if first and all(map(_is_exact, _leaves(first[0]))):
            return batch, following
        row_bytes = sum(column.nbytes for column in columns) // max(1, count)
        return self.since(begin, limit=min(count, max(1, MESSAGE_BYTES // max(1, row_bytes))))

    def release(self, cursor: int) -> None:
        """As DataStore says."""
        self._inner.release(cursor)

    def _put(self, item: Any) -> None:
        self._inner.insert(item)

    def _add(self, batch: Batch, arrival: Arrival | None) -> None:
        del arrival
        self._inner.insert_batch(batch)


class ForeignSource(Source):
    """A client's view of a store that a user wrote: its new items are taken over before reading."""

    def __init__(self, store: DataStoreBase) -> None:
        super().__init__(stream.QueuedDataStore(max(1, store.capacity)))
        self._store = store
        self._taken: Any = -1
        self._taking = threading.Lock()

    @property
    def cursor(self) -> int:
        """The number that the next item will get, once all that the store holds is taken over."""
        self._take()
        return self._inner.cursor

    def since(self, cursor: int, *, limit: int | None = None) -> tuple[list[Any], int]:
        """Items, as DataStore says."""
        self._take()
        return super().since(cursor, limit=limit)

    def batch_since(self, cursor: int, *, limit: int | None = None) -> tuple[Batch, int]:
        """As DataStore says."""
        self._take()
        return super().batch_since(cursor, limit=limit)

    def _take(self) -> None:
        """Take over what is new: what is read between two equal ids is exactly what they say."""
        with self._taking:
            for _ in range(_ATTEMPTS):
                latest = self._store.latest_data_id()
                if latest == self._taken:
                    return
                items = self._store.get_latest_data(self._taken)
                if self._store.latest_data_id() == latest:
                    self._inner.insert_batch(items)
                    self._taken = latest
                    return
        raise Conflict(
            f"{type(self._store).__name__} was never quiet long enough to be read: insert less "
            "often, or use QueuedDataStore, which can be read at any time."
        )


class Sink(stream.DataStore):
    """A server's view of a store that a user wrote: what arrives goes through its ``insert``."""

    def __init__(self, store: DataStoreBase) -> None:
        super().__init__(max(1, store.capacity), Ledger())
        self._store = store
        self._is_one_by_one = type(store).batch_insert is DataStoreBase.batch_insert

    def __len__(self) -> int:
        return len(self._store)

    @property
    def cursor(self) -> int:
        """How many items came."""
        return self._ledger.end

    def since(self, cursor: int, *, limit: int | None = None) -> tuple[list[Any], int]:
        """Nothing: a server does not read."""
        del cursor, limit
        return [], self.cursor

    def batch_since(self, cursor: int, *, limit: int | None = None) -> tuple[Batch, int]:
        """Nothing: a server does not read."""
        return self.since(cursor, limit=limit)

    def _put(self, item: Any) -> None:
        self._add([item], None)

    def _add(self, batch: Batch, arrival: Arrival | None) -> None:
        items = items_of(batch)
        store, origin = self._store, arrival.origin if arrival else None
        if isinstance(store, TrajectoryBuffer) and _has_own(store, _WRITING):
            store.insert_from(origin, items)
            self._commit(len(items), arrival, len(items))
        elif self._is_one_by_one:
            for index, item in enumerate(items):  # one that fails in the middle got nothing twice
                store.insert(item)
                self._commit(1, arrival, index + 1)
        else:
            self._store.batch_insert(items)
            self._commit(len(items), arrival, len(items))

    def _commit(self, count: int, arrival: Arrival | None, done: int) -> None:
        end = self._ledger.end + count
        if arrival is None:
            self._ledger.commit(end)
        else:
            self._ledger.commit(end, arrival.origin, arrival.first + done)


def _inner(store: DataStoreBase, methods: Sequence[str]) -> stream.DataStore | None:
    """The store of `edgeloop.stream` behind one of ours, unless a subclass changed a method."""
    inner = getattr(store, "_store", None)
    return inner if isinstance(inner, stream.DataStore) and _has_own(store, methods) else None


def _has_own(store: DataStoreBase, methods: Sequence[str]) -> bool:
    """Whether these methods are as this package has them."""
    ours = next(kind for kind in type(store).__mro__ if kind.__module__.startswith(_PACKAGE))
    return all(getattr(type(store), name) is getattr(ours, name) for name in methods)


def _port(store: DataStoreBase, which: str, make: Any) -> stream.DataStore:
    """What was made of this store before, or is made now; it ends with the store."""
    ports: dict[str, stream.DataStore] = store.__dict__.setdefault(_PORTS, {})
    if which not in ports:
        ports[which] = make()
    return ports[which]


def _leaves(tree: Any) -> list[Any]:
    if isinstance(tree, Mapping):
        return [leaf for value in tree.values() for leaf in _leaves(value)]
    return [tree]


def _is_exact(leaf: Any) -> bool:
    """Whether it comes out of a column as what it was."""
    return isinstance(leaf, np.generic) or (isinstance(leaf, np.ndarray) and leaf.ndim > 0)
