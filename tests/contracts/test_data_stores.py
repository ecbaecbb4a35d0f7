"""What every store does, whatever it is for."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeloop.errors import InputError
from edgeloop.stream.stores import (
    DataStore,
    Limiter,
    Prioritized,
    QueuedDataStore,
    ReplayBuffer,
    TrajectoryBuffer,
)
from transitions import as_columns, assert_same, numbers_in, transition, transitions

Make = Callable[[int], DataStore]

IN_RAM: dict[str, Make] = {
    "queue": QueuedDataStore,
    "replay": lambda capacity: ReplayBuffer(capacity=capacity),
    "prioritized": lambda capacity: ReplayBuffer(capacity=capacity, sampler=Prioritized(seed=0)),
    "n_step": lambda capacity: ReplayBuffer(capacity=capacity, n_step=3),
    "limited": lambda capacity: ReplayBuffer(capacity=capacity, limiter=Limiter(timeout_s=0)),
    "trajectory": TrajectoryBuffer,
}
ON_DISK: dict[str, Callable[[int, Path], DataStore]] = {
    "replay_folder": lambda capacity, path: ReplayBuffer(capacity=capacity, folder=path),
    "n_step_folder": lambda capacity, path: ReplayBuffer(capacity=capacity, n_step=2, folder=path),
    "trajectory_folder": lambda capacity, path: TrajectoryBuffer(capacity, folder=path),
}


@pytest.fixture(params=[*IN_RAM, *ON_DISK])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes stores of one kind, as many as a test wants."""
    names = count()
    with ExitStack() as stack:

        def on_disk(capacity: int) -> DataStore:
            folder = tmp_path / f"store-{next(names)}"
            store = ON_DISK[request.param](capacity, folder)
            stack.callback(store.close)  # type: ignore[attr-defined] # those on disk have it
            return store

        yield IN_RAM.get(request.param, on_disk)


def everything(store: DataStore) -> list[int]:
    return numbers_in(store.since(0)[0])


def batches_of(store: DataStore, limit: int | None = None) -> list[int]:
    """All there is by ``batch_since``, asked for until it says no more."""
    found: list[int] = []
    cursor = 0
    while True:
        batch, following = store.batch_since(cursor, limit=limit)
        found += numbers_in(batch)
        if following == cursor:
            return found
        cursor = following


def test_what_went_in_comes_out_as_it_was(make: Make) -> None:
    store = make(10)
    for item in transitions(0, 4):
        store.insert(item)
    items, cursor = store.since(0)
    for number, item in enumerate(items):
        assert_same(item, transition(number))
    assert (len(store), cursor, store.cursor) == (4, 4, 4)


def test_an_empty_store_has_nothing(make: Make) -> None:
    store = make(10)
    assert store.since(0) == ([], 0)
    assert numbers_in(store.batch_since(0)[0]) == []
    assert (len(store), store.cursor, store.capacity) == (0, 0, 10)


def test_only_what_came_since_the_cursor_comes_out(make: Make) -> None:
    store = make(10)
    store.insert_batch(transitions(0, 3))
    _, cursor = store.since(0)
    store.insert_batch(transitions(3, 2))
    items, cursor = store.since(cursor)
    assert (numbers_in(items), cursor) == ([3, 4], 5)
    assert store.since(cursor) == ([], 5)


def test_the_newest_are_kept_and_an_old_cursor_begins_with_the_oldest(make: Make) -> None:
    store = make(5)
    store.insert_batch(transitions(0, 13))
    assert everything(store) == [8, 9, 10, 11, 12]
    assert numbers_in(store.since(6)[0]) == [8, 9, 10, 11, 12]
    assert (len(store), store.cursor) == (5, 13)


def test_a_limit_cuts_and_the_next_cursor_goes_on(make: Make) -> None:
    store = make(10)
    store.insert_batch(transitions(0, 7))
    first, cursor = store.since(0, limit=4)
    rest, end = store.since(cursor, limit=4)
    assert (numbers_in(first), numbers_in(rest)) == ([0, 1, 2, 3], [4, 5, 6])
    assert (cursor, end) == (4, 7)


def test_a_cursor_ahead_of_everything_gets_nothing(make: Make) -> None:
    store = make(10)
    store.insert_batch(transitions(0, 2))
    assert store.since(99) == ([], 2)


@pytest.mark.parametrize("limit", [None, 1, 3])
def test_batches_hold_the_same_as_items(make: Make, limit: int | None) -> None:
    store = make(6)
    for item in transitions(0, 9):
        store.insert(item)
    assert batches_of(store, limit) == everything(store)


def test_columns_go_in_like_single_transitions(make: Make) -> None:
    store = make(10)
    store.insert(transition(0))
    store.insert_batch(as_columns(transitions(1, 7)))
    for number, item in enumerate(store.since(0)[0]):
        assert_same(item, transition(number))


def test_a_store_can_begin_with_columns(make: Make) -> None:
    store = make(10)
    store.insert_batch(as_columns(transitions(0, 3)))
    store.insert_batch(transitions(3, 2))
    assert everything(store) == [0, 1, 2, 3, 4]


def test_what_one_store_gives_another_takes(make: Make) -> None:
    source, target = make(10), make(10)
    source.insert_batch(transitions(0, 6))
    cursor = 2
    while cursor < source.cursor:
        batch, cursor = source.batch_since(cursor)
        target.insert_batch(batch)
    assert everything(target) == [2, 3, 4, 5]


def test_an_empty_batch_changes_nothing(make: Make) -> None:
    store = make(10)
    store.insert_batch([])
    store.insert_batch(transitions(0, 1))
    store.insert_batch([])
    store.insert_batch({key: value[:0] for key, value in as_columns(transitions(0, 1)).items()})
    assert everything(store) == [0]


def test_what_is_inserted_is_copied(make: Make) -> None:
    store = make(10)
    item = transition(1)
    columns = as_columns(transitions(2, 2))
    store.insert(item)
    store.insert_batch([item])
    store.insert_batch(columns)
    item["observations"][:] = -1
    columns["observations"][:] = -1
    seen = [float(kept["observations"][0]) for kept in store.since(0)[0]]
    assert seen == [1.0, 1.0, 2.0, 3.0]


def test_what_comes_out_belongs_to_the_caller(make: Make) -> None:
    store = make(10)
    store.insert(transition(7))
    store.since(0)[0][0]["observations"][:] = -1
    assert_same(store.since(0)[0][0], transition(7))


def test_batches_stay_as_they_are_when_the_store_goes_on(make: Make) -> None:
    store = make(4)
    store.insert_batch(transitions(0, 4))
    batch, cursor = store.batch_since(0)
    store.insert_batch(transitions(4, 40))
    assert numbers_in(batch) == list(range(cursor)) != []


def test_a_store_for_nothing_is_refused(make: Make) -> None:
    with pytest.raises(InputError, match="capacity of 1 or more"):
        make(0)


@pytest.mark.parametrize("batch", ["text", 3, {}, {"a": np.float32(1)}])
def test_what_is_no_batch_is_refused(make: Make, batch: Any) -> None:
    store = make(3)
    with pytest.raises(InputError):
        store.insert_batch(batch)
    assert len(store) == 0


def test_what_an_origin_repeats_is_kept_once(make: Make) -> None:
    store = make(20)
    assert store.received("a") == 0
    assert store.receive("a", 0, transitions(0, 4)) == 4
    assert store.receive("a", 0, transitions(0, 4)) == 4
    assert store.receive("a", 2, as_columns(transitions(2, 5))) == 7
    assert everything(store) == [0, 1, 2, 3, 4, 5, 6]
    assert store.received("a") == 7


def test_origins_are_counted_apart(make: Make) -> None:
    store = make(20)
    store.receive("a", 0, transitions(0, 3))
    store.receive("b", 0, transitions(10, 2))
    store.receive("a", 3, transitions(3, 1))
    assert everything(store) == [0, 1, 2, 10, 11, 3]
    assert (store.received("a"), store.received("b"), store.received("c")) == (4, 2, 0)


def test_a_gap_that_an_origin_dropped_is_accepted(make: Make) -> None:
    store = make(20)
    store.receive("a", 0, transitions(0, 2))
    assert store.receive("a", 5, transitions(5, 2)) == 7
    assert everything(store) == [0, 1, 5, 6]


def test_numbers_before_the_first_are_refused(make: Make) -> None:
    with pytest.raises(InputError, match="numbers start at 0"):
        make(3).receive("a", -1, transitions(0, 1))


def test_more_than_the_capacity_at_once_leaves_the_newest(make: Make) -> None:
    store = make(3)
    assert store.receive("a", 0, as_columns(transitions(0, 50))) == 50
    assert everything(store) == [47, 48, 49]
    assert store.receive("a", 0, as_columns(transitions(0, 50))) == 50
    assert store.cursor == 50


def test_every_store_is_an_origin_of_its_own(make: Make) -> None:
    stores = [make(3) for _ in range(3)]
    assert len({store.identity for store in stores}) == 3
    for store in stores:
        before = store.identity
        store.insert_batch(transitions(0, 5))
        assert store.identity == before


def test_threads_that_repeat_each_other_insert_everything_once(make: Make) -> None:
    store = make(1000)
    barrier = threading.Barrier(4)

    def send() -> None:
        barrier.wait()
        for first in range(0, 200, 10):
            store.receive("robot", first, transitions(first, 10))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert everything(store) == list(range(200))


def test_reading_beside_a_writer_sees_every_transition_once_and_whole(make: Make) -> None:
    store = make(10_000)
    total = 1500

    def write() -> None:
        for first in range(0, total, 30):
            store.insert_batch(as_columns(transitions(first, 20)))
            for item in transitions(first + 20, 10):
                store.insert(item)

    writer = threading.Thread(target=write)
    writer.start()
    seen: list[dict[str, Any]] = []
    cursor = 0
    while len(seen) < total:
        items, cursor = store.since(cursor, limit=100)
        seen += items
    writer.join()
    for number, item in enumerate(seen):
        assert_same(item, transition(number))


@pytest.mark.parametrize("kind", IN_RAM)
@settings(deadline=None, max_examples=30)
@given(
    capacity=st.integers(1, 40),
    sizes=st.lists(st.tuples(st.sampled_from(["one", "list", "columns"]), st.integers(1, 60))),
    cursor=st.integers(0, 100),
    limit=st.none() | st.integers(0, 50),
)
def test_a_store_is_a_list_that_forgets_its_begin(
    kind: str, capacity: int, sizes: list[tuple[str, int]], cursor: int, limit: int | None
) -> None:
    store = IN_RAM[kind](capacity)
    model: list[int] = []
    for form, size in sizes:
        items = transitions(len(model), 1 if form == "one" else size)
        if form == "one":
            store.insert(items[0])
        else:
            store.insert_batch(items if form == "list" else as_columns(items))
        model += numbers_in(items)
    oldest = max(0, len(model) - capacity)
    start = min(max(cursor, oldest), len(model))
    stop = len(model) if limit is None else min(len(model), start + limit)
    items, following = store.since(cursor, limit=limit)
    assert (numbers_in(items), following) == (model[start:stop], stop)
    assert (len(store), store.cursor) == (len(model) - oldest, len(model))
    assert batches_of(store, 7) == model[oldest:]
