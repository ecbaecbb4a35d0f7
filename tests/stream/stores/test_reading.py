"""Readers of a buffer take no lock: whatever a writer does between two of their steps."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from edgeloop.stream import ReplayBuffer, TrajectoryBuffer
from edgeloop.stream.stores import ring_store
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
