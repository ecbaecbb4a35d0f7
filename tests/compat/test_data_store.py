"""agentlace.data.data_store, and stores that users wrote."""

import threading
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

from compat.material import actor, held, learner, running
from edgeloop import stream
from edgeloop.compat.agentlace import stores
from edgeloop.compat.agentlace.data import ReplayBuffer
from edgeloop.compat.agentlace.data.data_store import DataStoreBase, QueuedDataStore
from edgeloop.errors import Conflict
from transitions import assert_same, transition, transitions


class ListStore(DataStoreBase):
    """A store as users write them."""

    def __init__(self, capacity: int = 1000) -> None:
        super().__init__(capacity)
        self.items: list[Any] = []
        self._lock = threading.Lock()

    def insert(self, data: Any) -> None:
        with self._lock:
            self.items.append(data)

    def latest_data_id(self) -> Any:
        return len(self.items) - 1

    def get_latest_data(self, from_id: Any) -> list[Any]:
        return self.items[from_id + 1 :]

    def __len__(self) -> int:
        return len(self.items)


class RestlessStore(ListStore):
    """Something is inserted whenever it is looked at."""

    def latest_data_id(self) -> Any:
        self.insert(len(self.items))
        return super().latest_data_id()


class WholeStore(ListStore):
    """Takes batches as a whole."""

    def batch_insert(self, batch_data: list[Any]) -> None:
        self.items.append(list(batch_data))


class DoublingQueue(QueuedDataStore):
    """Changes what is inserted."""

    def insert(self, data: Any) -> None:
        super().insert(2 * data)

    def batch_insert(self, batch_data: list[Any]) -> None:
        DataStoreBase.batch_insert(self, batch_data)


class NewestFirst(QueuedDataStore):
    """Gives only the newest item."""

    def get_latest_data(self, from_id: int) -> list[Any]:
        return super().get_latest_data(from_id)[-1:]


def test_ids_count_from_0_and_are_minus_1_before() -> None:
    store = QueuedDataStore(6)
    assert (store.latest_data_id(), store.get_latest_data(-1)) == (-1, [])
    store.insert("a")
    assert (store.latest_data_id(), store.latest_seq_id) == (0, 0)


def test_items_after_an_id_come_oldest_first() -> None:
    store = QueuedDataStore(6)
    store.batch_insert([1, 2, 3])
    assert store.get_latest_data(0) == [2, 3]
    assert store.get_latest_data(2) == store.get_latest_data(99) == []


def test_beyond_the_capacity_the_oldest_are_dropped() -> None:
    store = QueuedDataStore(6)
    store.batch_insert(list(range(1, 10)))
    assert len(store) == store.capacity == 6
    assert store.get_latest_data(1) == [4, 5, 6, 7, 8, 9]
    assert store.latest_data_id() == 8
    assert (list(store._data_queue), list(store._seq_id_queue)) == (
        [4, 5, 6, 7, 8, 9],
        [3, 4, 5, 6, 7, 8],
    )


@pytest.mark.parametrize(
    "item", [1, 2.5, "x", [1], (1,), {"a": {"b": 1}}, transition(1), np.arange(3), None]
)
def test_items_come_back_as_what_they_were(item: Any) -> None:
    store = QueuedDataStore(2)
    store.insert(item)
    assert_same(store.get_latest_data(-1), [item])


def test_a_store_that_lacks_a_method_says_so_when_it_is_used() -> None:
    store = DataStoreBase(1)
    for use in (store.latest_data_id, lambda: store.get_latest_data(-1), lambda: len(store)):
        with pytest.raises(NotImplementedError):
            use()
    with pytest.raises(NotImplementedError):
        store.batch_insert([1])


def test_a_users_store_is_filled_by_its_insert() -> None:
    server, store = learner(), ListStore()
    server.register_data_store("a", store)
    with running(server):
        client_store = QueuedDataStore(100)
        client_store.batch_insert(transitions(0, 5))
        actor(server, client_store)
    assert [int(item["rewards"]) for item in store.items] == [0, 1, 2, 3, 4]
    assert_same(store.items[3], transition(3))


def test_a_users_store_that_takes_batches_gets_batches() -> None:
    server, store = learner(), WholeStore()
    server.register_data_store("a", store)
    with running(server):
        client_store = QueuedDataStore(100)
        client_store.batch_insert([1, 2, 3])
        actor(server, client_store)
    assert store.items == [[1, 2, 3]]


def test_a_users_store_is_read_by_its_own_methods() -> None:
    with running(learner("a")) as server:
        store = ListStore()
        client = actor(server, store)
        store.batch_insert([1, {"n": 2.0}])
        assert client.update()
        store.insert(3)
        assert client.update()
        assert held(server) == [1, {"n": 2.0}, 3]
        assert client.get_server_last_update_id("a") == 2


def test_a_users_store_may_serve_one_client_after_the_other() -> None:
    with running(learner("a")) as server:
        store = ListStore()
        store.insert(1)
        actor(server, store)
        store.insert(2)
        actor(server, store)
        assert held(server) == [1, 2]


def test_a_store_that_is_never_quiet_is_not_read_wrongly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with running(learner("a")) as server:
        store = ListStore()
        client = actor(server, store)
        store.__class__ = RestlessStore
        assert client.update() is False
        assert held(server) == []
    assert "never quiet long enough" in caplog.text


def test_a_subclass_that_changes_insert_is_asked() -> None:
    server, store = learner(), DoublingQueue(100)
    server.register_data_store("a", store)
    with running(server):
        client_store = QueuedDataStore(100)
        client_store.batch_insert([1, 2])
        actor(server, client_store)
    assert store.get_latest_data(-1) == [2, 4]


def test_a_subclass_that_changes_reading_is_asked() -> None:
    with running(learner("a")) as server:
        store = NewestFirst(100)
        store.batch_insert([1, 2])
        actor(server, store)
        assert held(server) == [2]


def test_stores_of_edgeloop_serve_both_sides() -> None:
    server, buffer = learner(), stream.ReplayBuffer(capacity=100)
    server.register_data_store("a", buffer)
    with running(server):
        queue = stream.QueuedDataStore(100)
        queue.insert_batch(transitions(0, 5))
        assert actor(server, queue).update()  # type: ignore[arg-type]
    assert len(buffer) == 5


def test_a_replay_buffer_serves_a_client_as_the_readme_has_it() -> None:
    server, buffer = learner(), ReplayBuffer(capacity=100)
    server.register_data_store("a", buffer)
    with running(server):
        store = ReplayBuffer(capacity=100)
        client = actor(server, store)
        store.insert(transition(7))
        assert client.update()
    assert float(buffer.sample(1)["rewards"][0]) == 7


def test_arrays_of_other_libraries_and_other_mappings_travel() -> None:
    with running(learner("a")) as server:
        store = QueuedDataStore(10)
        client = actor(server, store)
        store.insert(OrderedDict(x=[Foreign()], y=(1,)))
        assert client.update()
        (item,) = held(server)
    assert item["x"][0].tolist() == [7.0]
    assert item["y"] == (1,)


class Foreign:
    """An array as jax has them: numpy.asarray takes it."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array([7.0], dtype)


def test_a_sink_answers_what_is_asked_of_every_store() -> None:
    sink = stores.sink_of(ListStore())
    sink.insert(1)
    sink.insert_batch([2, 3])
    assert (len(sink), sink.cursor) == (3, 3)
    assert sink.since(0) == sink.batch_since(0) == ([], 3)


def test_a_source_answers_what_is_asked_of_every_store() -> None:
    store = QueuedDataStore(10)
    source = stores.source_of(store)
    assert source is stores.source_of(store)
    source.insert(1)
    source.insert_batch([2])
    source.release(1)
    assert (len(source), source.since(0), source.batch_since(2)) == (2, ([1, 2], 2), ([], 2))
    assert store.get_latest_data(-1) == [1, 2]


def test_a_store_that_fails_in_the_middle_gets_nothing_twice() -> None:
    class Narrow(ListStore):
        is_full = True

        def insert(self, data: Any) -> None:
            if self.is_full and len(self.items) == 2:
                raise Conflict("full")
            super().insert(data)

    server, store = learner(), Narrow()
    server.register_data_store("a", store)
    with running(server):
        client_store = QueuedDataStore(10)
        client_store.batch_insert([1, 2, 3, 4])
        client = actor(server, client_store)
        assert client.update() is False
        store.is_full = False
        assert client.update() is True
    assert store.items == [1, 2, 3, 4]
