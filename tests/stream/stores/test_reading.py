"""Readers of a buffer take no lock: whatever others do between two of their steps."""

import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from edgeloop.errors import StreamClosed
from edgeloop.stream import ReplayBuffer, TrajectoryBuffer
from edgeloop.stream.stores import base, ring_store
from interleaving import interrupted
from transitions import numbers_in, transitions

Store = ReplayBuffer | TrajectoryBuffer
Make = Callable[[], Store]
Read = Callable[[Store], tuple[Any, int]]

STORES: list[Make] = [lambda: ReplayBuffer(capacity=5), lambda: TrajectoryBuffer(5)]
READINGS: list[Read] = [lambda store: store.since(0), lambda store: store.batch_since(0)]


def readings(
    make: Make, read: Read, before: list[Any], between: list[Any]
) -> Iterator[tuple[list[int], int]]:
    """What is read, and the next cursor, with ``between`` inserted after 0, 1, 2, ... steps."""
    for line in count():
        store = make()
        store.insert_batch(before)

        def reading(store: Store = store) -> tuple[Any, int]:
            return read(store)

        def writing(store: Store = store) -> None:
            store.insert_batch(between)

        (found, cursor), happened = interrupted(reading, ring_store, line, writing)
        yield numbers_in(found), cursor
        if not happened:
            return


@pytest.mark.parametrize("make", STORES)
@pytest.mark.parametrize("read", READINGS)
def test_the_first_transition_may_come_at_any_moment_of_a_reading(make: Make, read: Read) -> None:
    seen = list(readings(make, read, [], transitions(0, 1)))
    assert all(found == list(range(cursor)) for found, cursor in seen)
    assert {cursor for _, cursor in seen} == {0, 1}


@pytest.mark.parametrize("make", STORES)
@pytest.mark.parametrize("read", READINGS)
def test_what_is_read_may_fall_out_at_any_moment_of_a_reading(make: Make, read: Read) -> None:
    seen = list(readings(make, read, transitions(0, 5), transitions(5, 12)))
    assert all(found == list(range(cursor - 5, cursor)) for found, cursor in seen)
    assert {cursor for _, cursor in seen} == {5, 17}


@pytest.mark.parametrize("read", READINGS)
def test_a_reading_ends_though_all_that_it_gathers_falls_out_each_time(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ReplayBuffer(capacity=5)
    store.insert_batch(transitions(0, 5))
    numbers = count(5, 12)
    rows = store._rows_begun()
    gather = rows.gather

    def gather_beside_a_writer(*given: Any) -> Any:
        more = transitions(next(numbers), 12)
        writer = threading.Thread(target=store.insert_batch, args=(more,), daemon=True)
        writer.start()
        writer.join(0.1)  # not longer: it may have to wait for the reading
        return gather(*given)

    monkeypatch.setattr(rows, "gather", gather_beside_a_writer)
    found, cursor = read(store)
    assert numbers_in(found) == list(range(cursor - 5, cursor))


def test_what_is_inserted_while_its_store_is_closed_is_refused_or_kept(tmp_path: Path) -> None:
    for line in count():
        folder = tmp_path / str(line)
        store = ReplayBuffer(capacity=5, folder=folder)

        def inserting(store: ReplayBuffer = store) -> bool:
            try:
                store.insert_batch(transitions(0, 1))
            except StreamClosed:
                return False
            return True

        was_kept, was_closed = interrupted(inserting, base, line, store.close)
        store.close()
        with ReplayBuffer(capacity=5, folder=folder) as again:
            assert len(again) == was_kept
        if not was_closed:
            break
    assert line > 3
