"""Batches gathered ahead."""

import threading

import numpy as np
import pytest

from edgeloop.errors import Conflict, StreamClosed, StreamTimeout
from edgeloop.stream import Limiter, Prioritized, ReplayBuffer
from edgeloop.stream.stores.prefetch import Prefetch, Sample
from transitions import transition, transitions


def test_batches_come_without_end() -> None:
    buffer = ReplayBuffer(capacity=10, sampler=Prioritized(seed=0))
    buffer.insert_batch(transitions(0, 10))
    with buffer.batches(4, depth=3) as batches:
        for _, batch in zip(range(20), batches, strict=False):
            assert batch["rewards"].shape == (4,)
            buffer.update_priorities(batch["indices"], batch["rewards"])


def test_the_next_batch_is_gathered_before_it_is_asked_for() -> None:
    drawn = threading.Semaphore(0)

    def draw() -> Sample:
        drawn.release()
        return {"x": np.zeros(1)}

    with Prefetch(draw, depth=2) as batches:
        next(batches)
        for _ in range(3):  # the one handed out, and two ahead
            assert drawn.acquire(timeout=60)
        assert not drawn.acquire(blocking=False)


def test_an_error_is_raised_where_the_batch_is_asked_for() -> None:
    buffer = ReplayBuffer(capacity=10)
    with buffer.batches(4) as batches:
        with pytest.raises(Conflict, match="empty"):
            next(batches)
        buffer.insert(transition(0))
        assert len(next(batches)["rewards"]) == 4


def test_only_batches_handed_out_are_counted() -> None:
    limiter = Limiter(1.0, min_size=1, tolerance=5.0, timeout_s=0)
    buffer = ReplayBuffer(capacity=10, limiter=limiter)
    buffer.insert_batch(transitions(0, 5))
    with buffer.batches(9, depth=4) as batches:
        next(batches)
        assert limiter.balance == 4 - 9
        with pytest.raises(StreamTimeout):
            next(batches)


def test_a_closed_prefetch_gives_no_more_and_can_be_closed_again() -> None:
    buffer = ReplayBuffer(capacity=10)
    buffer.insert(transition(0))
    batches = buffer.batches(2)
    next(batches)
    batches.close()
    batches.close()
    with pytest.raises(StreamClosed):
        next(batches)


def test_closing_before_the_first_batch_is_fine() -> None:
    ReplayBuffer(capacity=10).batches(2).close()


def test_closing_wakes_who_waits_for_a_batch() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def draw() -> Sample:
        entered.set()
        go_on.wait()
        raise Conflict("too late")

    batches = Prefetch(draw)
    results: list[Exception] = []

    def ask() -> None:
        while not results or not isinstance(results[-1], StreamClosed):
            try:
                next(batches)
            except (Conflict, StreamClosed) as error:
                results.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    entered.wait()
    closing = threading.Thread(target=batches.close)
    closing.start()
    go_on.set()
    closing.join()
    asking.join()
    assert results
