"""The queue on the robot."""

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

from edgeloop.stream import QueuedDataStore
from transitions import assert_same, transition, transitions

ITEMS: list[Any] = [
    5,
    "text",
    None,
    np.arange(3),
    {"a": np.float32(1), "b": 2, "c": 0.5, "d": True},
    {"deep": {"x": np.zeros((2, 2), np.uint8), "y": np.array(3.0)}},
    {"a": [1, 2, 3]},
    {},
    {"big": 2**70},
    {1: 2},
    OrderedDict(a=np.ones(2)),
    {"when": np.datetime64("2024-01-01", "ns")},
    [np.zeros(2), {"x": 1}],
]


def test_every_item_comes_back_as_the_kind_it_was() -> None:
    store = QueuedDataStore(100)
    for item in ITEMS:
        store.insert(item)
        store.insert(item)
    found, cursor = store.since(0)
    assert cursor == 2 * len(ITEMS)
    for index, item in enumerate(found):
        expected = ITEMS[index // 2]
        assert_same(item, dict(expected) if isinstance(expected, dict) else expected)


@pytest.mark.parametrize("item", [[1, {"a": np.zeros(2)}], {"a": np.zeros(2), "b": "x"}])
def test_items_of_any_kind_are_copied_in_and_out(item: Any) -> None:
    store = QueuedDataStore(3)
    store.insert(item)
    array = item["a"] if isinstance(item, dict) else item[1]["a"]
    array[:] = 9
    first = store.since(0)[0][0]
    second = store.since(0)[0][0]
    mine = first["a"] if isinstance(first, dict) else first[1]["a"]
    mine[:] = 7
    kept = second["a"] if isinstance(second, dict) else second[1]["a"]
    assert kept.tolist() == [0, 0]


def newest(store: QueuedDataStore, count: int) -> dict[str, Any]:
    batch, _ = store.batch_since(store.cursor - count)
    assert isinstance(batch, dict)
    return batch


def test_batches_are_read_only_views_that_outlive_their_rows() -> None:
    store = QueuedDataStore(64)
    held = []
    for first in range(0, 6400, 16):
        store.insert_batch(transitions(first, 16))
        held.append((store.cursor - 8, newest(store, 8)))
    for first, batch in held:
        assert batch["rewards"].tolist() == list(range(first, first + len(batch["rewards"])))
        assert not batch["rewards"].flags.writeable


def test_arrays_that_nobody_looks_at_are_used_again() -> None:
    store = QueuedDataStore(1000)
    for first in range(0, 4000, 125):  # until the blocks have their full length
        store.insert_batch(transitions(first, 125))
    places = set()
    for first in range(4000, 40_000, 125):
        store.insert_batch(transitions(first, 125))
        places.add(newest(store, 1)["observations"].base.ctypes.data)
    assert len(places) < 20


def test_a_batch_ends_where_the_layout_changes() -> None:
    store = QueuedDataStore(100)
    store.insert({"a": 1})
    store.insert({"a": 2})
    store.insert({"a": 2.5})
    store.insert("text")
    batches = []
    cursor = 0
    while cursor < store.cursor:
        batch, cursor = store.batch_since(cursor)
        batches.append(batch["a"].tolist() if isinstance(batch, dict) else batch)
    assert batches == [[1, 2], [2.5], ["text"]]


def test_many_items_without_a_layout_are_kept() -> None:
    store = QueuedDataStore(300)
    for number in range(700):
        store.insert(number)
    assert store.since(0) == (list(range(400, 700)), 700)


def test_what_is_dropped_before_it_was_released_is_counted() -> None:
    store = QueuedDataStore(5)
    store.insert_batch(transitions(0, 8))
    assert store.dropped == 3
    store.release(6)
    store.insert_batch(transitions(8, 4))  # 3 to 6 make room: 3, 4 and 5 had arrived
    assert store.dropped == 4
    store.release(2)
    store.insert(transition(12))
    assert store.dropped == 5


def test_nobody_can_release_what_is_still_to_come() -> None:
    store = QueuedDataStore(2)
    store.release(100)
    store.insert_batch(transitions(0, 4))
    assert store.dropped == 2


def test_layouts_by_turns_cost_no_long_blocks() -> None:
    store = QueuedDataStore(1000)
    for number in range(300):
        store.insert({"a": np.zeros(1000)} if number % 2 else {"b": np.zeros(1000)})
    assert [len(item) for item in store.since(0)[0]] == [1] * 300
