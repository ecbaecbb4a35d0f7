"""agentlace.data.data_store: the base of stores, and the queue of a client."""

from collections import deque
from typing import Any

from edgeloop import stream


class DataStoreBase:
    """What a store offers to a client (latest_data_id, get_latest_data) or a server (insert).

    Ids are of any kind that the store chooses, and grow. A user's own store is a subclass.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity

    def latest_data_id(self) -> Any:
        """The id of the newest item."""
        raise NotImplementedError

    def get_latest_data(self, from_id: Any) -> list[Any]:
        """The items with ids after ``from_id``, oldest first."""
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def insert(self, data: Any) -> None:
        """Keep one item."""
        raise NotImplementedError

    def batch_insert(self, batch_data: list[Any]) -> None:
        """Keep many, one by one."""
        for data in batch_data:
            self.insert(data)


class QueuedDataStore(DataStoreBase):
    """The newest ``capacity`` items of any kind; ids are -1 (nothing yet), 0, 1, 2, ..."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._store = stream.QueuedDataStore(capacity)

    def insert(self, data: Any) -> None:
        """Keep one item, copied; the oldest beyond ``capacity`` is dropped."""
        self._store.insert(data)

    def batch_insert(self, batch_data: list[Any]) -> None:
        """Keep many."""
        self._store.insert_batch(batch_data)

    def latest_data_id(self) -> int:
        """The id of the newest item, -1 if there never was one."""
        return self._store.cursor - 1

    def get_latest_data(self, from_id: int) -> list[Any]:
        """Copies of the items with ids above ``from_id`` that are still held, oldest first."""
        return self._store.since(from_id + 1)[0]

    def __len__(self) -> int:
        return len(self._store)

    @property
    def latest_seq_id(self) -> int:
        """As ``latest_data_id``."""
        return self.latest_data_id()

    @property
    def _data_queue(self) -> deque[Any]:
        """A copy of all that is held: agentlace's tests look into it."""
        return deque(self._store.since(0)[0])

    @property
    def _seq_id_queue(self) -> deque[int]:
        """The ids of what is held."""
        end = self._store.cursor
        return deque(range(end - len(self._store), end))
