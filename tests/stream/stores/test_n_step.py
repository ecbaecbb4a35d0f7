"""Rewards over several steps, held against the plain definition."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeloop.errors import ConfigError
from edgeloop.stream import Prioritized, ReplayBuffer
from transitions import as_columns, picture_transition, transition, transitions


def expected(chain: list[Any], n_step: int, discount: float) -> tuple[float, float, float, float]:
    """(return, last next observation, mask, discount) of the first of a chain of transitions."""
    part = chain[:n_step]
    total = sum(discount**k * float(item["rewards"]) for k, item in enumerate(part))
    last = part[-1]["next_observations"]
    seen = last["state"] if isinstance(last, dict) else last
    return total, float(seen[0]), float(part[-1]["masks"]), discount ** len(part)


@pytest.mark.parametrize("make", [transition, picture_transition])
@settings(deadline=None, max_examples=40)
@given(
    n_step=st.integers(2, 5),
    capacity=st.integers(1, 60),
    lengths=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 12), st.booleans()), min_size=1),
    size=st.integers(1, 9),
)
def test_returns_stop_with_their_episode_whoever_else_inserts(
    make: Any,
    n_step: int,
    capacity: int,
    lengths: list[tuple[int, int, bool]],
    size: int,
) -> None:
    """Episodes of three origins, sent in turns of ``size``, some cut off and some ended."""
    episodes: dict[str, list[list[Any]]] = {"a": [], "b": [], "c": []}
    number = 0
    for who, length, is_terminal in lengths:
        items = [make(number + step) for step in range(length)]
        items[-1]["masks"] = np.float32(not is_terminal)
        episodes["abc"[who]].append(items)
        number += length + 5  # a gap: the next episode begins elsewhere
    buffer = ReplayBuffer(
        capacity=capacity, n_step=n_step, discount=0.5, sampler=Prioritized(seed=0)
    )
    held = set(send_in_turns(buffer, episodes, size)[-capacity:])
    chains = {
        int(item["rewards"]): items[step:]
        for parts in episodes.values()
        for items in parts
        for step, item in enumerate(items)
    }
    batch = buffer.sample(4 * len(held))
    starts = state_of(batch["observations"]).astype(int).tolist()
    found = zip(
        batch["rewards"],
        state_of(batch["next_observations"]),
        batch["masks"],
        batch["discounts"],
        strict=True,
    )
    for start, values in zip(starts, found, strict=True):
        assert [float(v) for v in values] == pytest.approx(expected(chains[start], n_step, 0.5))
    assert set(starts) == held


def state_of(seen: Any) -> Any:
    return (seen["state"] if isinstance(seen, dict) else seen)[:, 0]


def send_in_turns(
    buffer: ReplayBuffer, episodes: dict[str, list[list[Any]]], size: int
) -> list[int]:
    """Each origin sends ``size`` transitions, then the next one; says in which order they came."""
    streams = {origin: [i for e in parts for i in e] for origin, parts in episodes.items()}
    arrived: list[int] = []
    for first in range(0, max(map(len, streams.values())), size):
        for origin, stream in streams.items():
            if items := stream[first : first + size]:
                buffer.receive(origin, first, as_columns(items) if size % 2 else items)
                arrived += [int(item["rewards"]) for item in items]
    return arrived


def test_single_inserts_are_linked_like_batches() -> None:
    buffer = ReplayBuffer(capacity=40, n_step=3, discount=0.5, sampler=Prioritized(seed=0))
    for episode in range(3):
        for step in range(10):
            buffer.insert(transition(100 * episode + step))
    batch = buffer.sample(120)
    starts = batch["observations"][:, 0].astype(int)
    for start, total, factor in zip(starts, batch["rewards"], batch["discounts"], strict=True):
        steps = min(3, 10 - start % 100)
        assert total == pytest.approx(sum(0.5**k * (start + k) for k in range(steps)))
        assert factor == pytest.approx(0.5**steps)


@pytest.mark.parametrize("end", ["dones", "truncated", "end_of_trajectory"])
@pytest.mark.parametrize("form", ["one", "list"])
def test_a_mark_ends_an_episode_that_would_go_on_by_its_observations(end: str, form: str) -> None:
    buffer = ReplayBuffer(capacity=40, n_step=4, discount=1.0)
    items = [item | {end: number == 1} for number, item in enumerate(transitions(0, 4))]
    if form == "one":
        for item in items:
            buffer.insert(item)
    else:
        buffer.insert_batch(items)
    batch = buffer.sample(64)
    sums = dict(zip(batch["observations"][:, 0].tolist(), batch["rewards"].tolist(), strict=True))
    assert sums == {0.0: 1.0, 1.0: 1.0, 2.0: 5.0, 3.0: 3.0}


def test_rewards_may_have_several_parts() -> None:
    buffer = ReplayBuffer(capacity=4, n_step=2, discount=0.5)
    buffer.insert_batch([transition(n) | {"rewards": np.array([n, 10.0 * n])} for n in (1, 2)])
    batch = buffer.sample(16)
    totals = dict(zip(batch["actions"][:, 0].tolist(), batch["rewards"].tolist(), strict=True))
    assert totals == {1.0: [2.0, 20.0], 2.0: [2.0, 20.0]}


def test_returns_need_rewards() -> None:
    buffer = ReplayBuffer(capacity=4, n_step=2)
    buffer.insert({"x": 1.0})
    with pytest.raises(ConfigError, match="need a field 'rewards'"):
        buffer.sample(1)


@pytest.mark.parametrize("options", [{"n_step": 0}, {"discount": 1.5}, {"discount": -0.1}])
def test_impossible_returns_are_refused(options: Any) -> None:
    with pytest.raises(ConfigError, match="n_step"):
        ReplayBuffer(capacity=4, **options)
