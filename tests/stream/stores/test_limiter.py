"""Neither side gets too far ahead of the other."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeloop.errors import ConfigError, StreamClosed, StreamTimeout
from edgeloop.stream import LatestWindow, Limiter, ReplayBuffer, TrajectoryBuffer
from transitions import transition, transitions


def limited(*, timeout_s: float | None = 0, **options: Any) -> ReplayBuffer:
    return ReplayBuffer(capacity=1000, limiter=Limiter(timeout_s=timeout_s, **options))


def test_sampling_waits_for_the_first_transitions() -> None:
    buffer = limited(min_size=5)
    buffer.insert_batch(transitions(0, 4))
    with pytest.raises(StreamTimeout, match="4 inserted, 0 sampled, at least 5 needed"):
        buffer.sample(2)
    buffer.insert(transition(4))
    assert len(buffer.sample(2)["rewards"]) == 2


def test_without_a_ratio_only_the_first_transitions_matter() -> None:
    buffer = limited(min_size=2)
    buffer.insert_batch(transitions(0, 2))
    for _ in range(50):
        buffer.sample(100)
    buffer.insert_batch(transitions(2, 500))


def test_sampling_waits_when_it_is_ahead() -> None:
    buffer = limited(samples_per_insert=4.0, min_size=1, tolerance=8.0)
    buffer.insert(transition(0))
    buffer.sample(8)
    with pytest.raises(StreamTimeout, match="sampling is too far ahead"):
        buffer.sample(8)
    buffer.insert(transition(1))
    buffer.sample(8)


def test_inserting_waits_when_it_is_ahead() -> None:
    buffer = limited(samples_per_insert=4.0, min_size=1, tolerance=8.0)
    buffer.insert_batch(transitions(0, 3))
    with pytest.raises(StreamTimeout, match="inserting is too far ahead"):
        buffer.insert(transition(3))
    buffer.sample(4)
    buffer.insert(transition(3))


def test_one_side_can_always_go_on_and_the_ratio_holds() -> None:
    limiter = Limiter(3.0, min_size=10, tolerance=5.0, timeout_s=0)
    buffer = ReplayBuffer(capacity=1000, limiter=limiter)
    inserted = sampled = 0
    for _ in range(600):
        try:
            buffer.sample(64)
            sampled += 64
        except StreamTimeout:
            buffer.insert_batch(transitions(0, 7))
            inserted += 7
        assert abs(limiter.balance) <= 5 + 64 or inserted < 10
    assert sampled == pytest.approx(3 * (inserted - 10), abs=5 + 64)


def test_what_was_there_before_counts_as_balanced() -> None:
    limiter = Limiter(2.0, min_size=3, tolerance=10.0)
    limiter.start(50)
    assert limiter.balance == 0
    limiter.start(1)
    assert limiter.balance == -4


def test_who_receives_may_wait_for_less_than_the_limiter() -> None:
    buffer = limited(timeout_s=None, samples_per_insert=1.0, min_size=1, tolerance=2.0)
    buffer.receive("a", 0, transitions(0, 3))
    with pytest.raises(StreamTimeout, match="Waited 0 s"):
        buffer.receive("a", 3, transitions(3, 1), timeout_s=0)
    assert buffer.received("a") == 3
    assert buffer.receive("a", 0, transitions(0, 3), timeout_s=0) == 3
    buffer.sample(1)
    assert buffer.receive("a", 3, transitions(3, 1), timeout_s=0) == 4


def test_repeated_transitions_are_not_counted() -> None:
    limiter = Limiter(1.0, min_size=1, tolerance=10.0, timeout_s=0)
    buffer = ReplayBuffer(capacity=1000, limiter=limiter)
    buffer.receive("a", 0, transitions(0, 6))
    buffer.receive("a", 0, transitions(0, 6))
    assert limiter.balance == 5


def outcome_of(action: Callable[[], object], results: list[object]) -> threading.Thread:
    """Runs ``action`` in a thread, which appends what it returns or raises."""

    def run() -> None:
        try:
            results.append(action())
        except StreamClosed as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_waiting_ends_when_the_other_side_catches_up() -> None:
    buffer = limited(min_size=3, timeout_s=None)
    results: list[Any] = []
    sampler = outcome_of(lambda: buffer.sample(4), results)
    for item in transitions(0, 3):
        assert not results
        buffer.insert(item)
    sampler.join()
    assert len(results[0]["rewards"]) == 4


@pytest.mark.parametrize("side", ["insert", "sample", "next"])
def test_closing_wakes_who_waits(side: str) -> None:
    ratio = 1e6 if side == "insert" else None
    options = {"samples_per_insert": ratio, "min_size": 1 if ratio else 100, "tolerance": 1.0}
    buffer = limited(timeout_s=None, **options)
    buffer.insert_batch(transitions(0, 3))
    results: list[Any] = []
    actions: dict[str, Callable[[], object]] = {
        "insert": lambda: buffer.insert(transition(3)),
        "sample": lambda: buffer.sample(1),
        "next": lambda: next(buffer.batches(1)),
    }
    thread = outcome_of(actions[side], results)
    buffer.close()
    thread.join()
    assert isinstance(results[0], StreamClosed)


@pytest.mark.parametrize("options", [{"min_size": 0}, {"tolerance": 0}, {"samples_per_insert": -1}])
def test_impossible_limits_are_refused(options: Any) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        Limiter(**options)


def limited_trajectories(*, timeout_s: float | None = 0, **options: Any) -> TrajectoryBuffer:
    buffer = TrajectoryBuffer(1000, limiter=Limiter(timeout_s=timeout_s, **options))
    buffer.register("now", {"rewards": LatestWindow()})
    return buffer


def test_windows_of_trajectories_wait_for_the_first_steps() -> None:
    buffer = limited_trajectories(min_size=5)
    buffer.insert_batch(transitions(0, 4))
    with pytest.raises(StreamTimeout, match="4 inserted, 0 sampled, at least 5 needed"):
        buffer.sample("now", 2)
    buffer.insert(transition(4), end_of_trajectory=True)
    assert len(buffer.sample("now", 2)[0]["rewards"]) == 2


def test_steps_of_trajectories_wait_for_windows_to_be_sampled() -> None:
    buffer = limited_trajectories(samples_per_insert=4.0, min_size=1, tolerance=8.0)
    buffer.insert_batch(transitions(0, 3))
    with pytest.raises(StreamTimeout, match="inserting is too far ahead"):
        buffer.insert(transition(3))
    buffer.sample("now", 2)
    buffer.sample("now", 0, starts=np.array([0, 1]))
    buffer.insert(transition(3))


def test_a_step_that_waits_lets_others_sample() -> None:
    buffer = limited_trajectories(timeout_s=30, samples_per_insert=4.0, min_size=1, tolerance=8.0)
    buffer.insert_batch(transitions(0, 3))
    inserting = threading.Thread(target=buffer.insert, args=(transition(3),), daemon=True)
    inserting.start()
    buffer.sample("now", 4)
    inserting.join(30)
    assert len(buffer) == 4


def test_trajectories_from_a_snapshot_begin_in_balance(tmp_path: Path) -> None:
    buffer = limited_trajectories()
    buffer.insert_batch(transitions(0, 20))
    buffer.save(tmp_path / "snapshot")
    limiter = Limiter(4.0, min_size=1, tolerance=8.0, timeout_s=0)
    TrajectoryBuffer.restore(tmp_path / "snapshot", limiter=limiter)
    assert limiter.balance == 0
