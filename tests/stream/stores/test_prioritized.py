"""Drawing in proportion to priorities."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeloop.errors import ConfigError, InputError
from edgeloop.stream import Prioritized, ReplayBuffer
from edgeloop.stream.stores.sum_tree import SumTree
from transitions import transitions

VALUES = st.floats(0, 1e6, allow_subnormal=False)


@settings(deadline=None, max_examples=100)
@given(
    size=st.integers(1, 40),
    writes=st.lists(st.tuples(st.integers(0, 39), st.integers(1, 40), VALUES)),
    shares=st.lists(st.floats(0, 1), min_size=1),
)
def test_a_sum_tree_finds_what_a_running_sum_finds(
    size: int, writes: list[tuple[int, int, float]], shares: list[float]
) -> None:
    tree = SumTree(size)
    plain = np.zeros(size)
    for start, length, value in writes:
        stop = min(size, start + length)
        if start >= stop:
            continue
        if length % 2:
            tree.set_range(start, stop, value)
        else:
            tree.set(np.arange(start, stop), value)
        plain[start:stop] = value
    assert tree.total == pytest.approx(plain.sum())
    assert np.array_equal(tree[np.arange(size)], plain)
    if tree.total:
        found = tree.find(np.array(shares) * tree.total)
        assert (plain[found] > 0).all()
        sums = np.cumsum(plain)
        wanted = np.array(shares) * plain.sum()
        slack = 1e-9 * plain.sum()
        assert (sums[found] >= wanted - slack).all()
        assert (sums[found] - plain[found] <= wanted + slack).all()


def filled(**options: Any) -> ReplayBuffer:
    buffer = ReplayBuffer(capacity=10, sampler=Prioritized(seed=0, **options))
    buffer.insert_batch(transitions(0, 10))
    return buffer


def test_transitions_are_drawn_in_proportion_to_their_priority() -> None:
    buffer = filled(alpha=1.0)
    buffer.update_priorities(np.arange(10), np.arange(10.0))
    counts = np.bincount(buffer.sample(9000)["indices"], minlength=10)
    assert counts == pytest.approx(9000 * np.arange(10) / 45, abs=2)


def test_alpha_0_makes_all_alike() -> None:
    buffer = filled(alpha=0.0)
    buffer.update_priorities(np.arange(10), np.arange(10.0))
    assert np.bincount(buffer.sample(1000)["indices"]) == pytest.approx(np.full(10, 100), abs=1)


def test_weights_make_up_for_the_choice() -> None:
    buffer = filled(alpha=1.0, beta=0.5)
    buffer.update_priorities(np.arange(10), np.arange(1.0, 11.0))
    batch = buffer.sample(500)
    chances = (batch["indices"] + 1) / 55
    weights = (10 * chances) ** -0.5
    assert batch["weights"].dtype == np.float32
    assert batch["weights"] == pytest.approx(weights / weights.max(), rel=1e-4)


def test_indices_name_the_transitions_of_the_batch() -> None:
    buffer = filled()
    buffer.insert_batch(transitions(10, 7))
    batch = buffer.sample(64)
    assert batch["indices"].tolist() == batch["rewards"].tolist()


def test_new_transitions_get_the_highest_priority() -> None:
    buffer = filled(alpha=1.0)
    buffer.update_priorities(np.arange(10), np.full(10, 5.0))
    buffer.update_priorities(np.arange(10), np.full(10, 0.001))
    buffer.insert_batch(transitions(10, 2))
    assert set(buffer.sample(500)["indices"].tolist()) >= {10, 11}
    assert (buffer.sample(500)["indices"] >= 10).mean() > 0.99


def test_priorities_of_what_fell_out_change_nothing() -> None:
    buffer = filled(alpha=1.0)
    buffer.insert_batch(transitions(10, 5))
    buffer.update_priorities(np.arange(5), np.full(5, 1e9))
    counts = np.bincount(buffer.sample(1000)["indices"], minlength=15)
    assert counts[:5].tolist() == [0] * 5
    assert counts[5:] == pytest.approx(np.full(10, 100), abs=1)


@pytest.mark.parametrize("priorities", [[-1.0, 1.0], [np.nan, 1.0], [np.inf, 1.0], [1.0]])
def test_what_is_no_priority_is_refused(priorities: list[float]) -> None:
    with pytest.raises(InputError, match="one for each index"):
        filled().update_priorities(np.arange(2), np.array(priorities))


def test_a_uniform_sampler_takes_no_priorities() -> None:
    buffer = ReplayBuffer(capacity=3)
    buffer.insert_batch(transitions(0, 3))
    with pytest.raises(ConfigError, match=r"Prioritized\(\)"):
        buffer.update_priorities(np.arange(2), np.ones(2))


@pytest.mark.parametrize(
    "options", [{"alpha": -1}, {"beta": -1}, {"floor": 0}, {"floor": 1e-300, "alpha": 2}]
)
def test_impossible_priorities_are_refused(options: Any) -> None:
    with pytest.raises(ConfigError, match="alpha"):
        Prioritized(**options)
