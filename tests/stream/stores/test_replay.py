"""The replay buffer: what fits in, and what comes out."""

import threading
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from edgeloop.errors import ConfigError, Conflict, InputError, StreamClosed
from edgeloop.stream import Limiter, Prioritized, ReplayBuffer, Uniform
from transitions import (
    as_columns,
    assert_same,
    picture,
    picture_transition,
    transition,
    transitions,
)

BOX = spaces.Box(-1, 1, (3,), np.float32)


def gym_transition(**changes: Any) -> dict[str, Any]:
    given = {
        "observations": np.zeros(3, np.float64),
        "next_observations": np.ones(3, np.float64),
        "actions": 2,
        "rewards": 0.5,
        "masks": 1,
        "dones": 1.0,
    }
    return given | changes


def test_spaces_decide_shapes_and_types() -> None:
    buffer = ReplayBuffer(BOX, spaces.Discrete(4), 10)
    buffer.insert(gym_transition(dones=np.bool_(False)))
    batch = buffer.sample(5)
    types = {key: (value.dtype.str, value.shape) for key, value in batch.items()}
    assert types == {
        "observations": ("<f4", (5, 3)),
        "next_observations": ("<f4", (5, 3)),
        "actions": ("<i8", (5,)),
        "rewards": ("<f4", (5,)),
        "masks": ("<f4", (5,)),
        "dones": ("|b1", (5,)),
    }


def test_dict_spaces_become_nested_dicts() -> None:
    space = spaces.Dict(
        {
            "image": spaces.Box(0, 255, (32, 32, 3), np.uint8),
            "arm": spaces.Dict({"joints": BOX, "grip": spaces.MultiBinary(2)}),
        }
    )
    buffer = ReplayBuffer(space, spaces.MultiDiscrete([3, 4]), 10)
    seen = {
        "image": picture(1),
        "arm": {"joints": np.ones(3, np.float32), "grip": np.array([0, 1], np.int8)},
    }
    buffer.insert(
        gym_transition(
            observations=seen,
            next_observations=seen,
            actions=np.array([1, 2]),
            dones=np.bool_(True),
        )
    )
    batch = buffer.sample(2)
    assert_same(batch["observations"]["image"][1], picture(1))
    assert batch["next_observations"]["arm"]["grip"].tolist() == [[0, 1], [0, 1]]
    assert batch["actions"].tolist() == [[1, 2], [1, 2]]


@pytest.mark.parametrize(
    "space", [spaces.Text(3), spaces.Tuple([BOX]), spaces.Sequence(BOX), "no space"]
)
def test_a_space_without_a_fixed_shape_is_refused(space: Any) -> None:
    with pytest.raises(ConfigError, match=r"observations is a .* no fixed shape"):
        ReplayBuffer(space, BOX, 10)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"observations": np.zeros(4)}, r"observations has the shape \(4,\), expected \(3,\)"),
        ({"actions": 0.5}, "actions has the type float64, expected int64"),
        ({"rewards": "much"}, "rewards is a str"),
        ({"observations": {"a": np.zeros(3)}}, "observations has the type object|shape"),
    ],
)
def test_a_first_transition_that_does_not_fit_the_spaces_decides_nothing(
    changes: dict[str, Any], message: str
) -> None:
    buffer = ReplayBuffer(BOX, spaces.Discrete(4), 10)
    with pytest.raises(InputError, match=message):
        buffer.insert(gym_transition(**changes))
    buffer.insert(gym_transition())
    assert len(buffer) == 1


def test_without_spaces_the_first_transition_decides() -> None:
    buffer = ReplayBuffer(capacity=10)
    buffer.insert({"x": np.zeros(2, np.int16), "deep": {"y": 1.5, "z": True}, "n": 3})
    batch = buffer.sample(1)
    assert batch["deep"]["y"].dtype == np.float64
    assert batch["deep"]["z"].dtype == np.bool_
    assert batch["n"].dtype == np.int64
    assert buffer.since(0)[0] == [
        {"x": pytest.approx(np.zeros(2)), "deep": {"y": 1.5, "z": True}, "n": 3}
    ]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"a": np.zeros(2)}, r"the keys \['a'\], expected \['a', 'deep'\]"),
        ({"a": np.zeros(2), "deep": {"c": 1}}, r"deep has the keys \['c'\], expected \['b'\]"),
        ({"a": np.zeros(2), "deep": 1}, "deep is a int, expected a dict"),
        ({"a": np.zeros(3), "deep": {"b": 1}}, r"a has the shape \(3,\), expected \(2,\)"),
        ({"a": np.zeros(2), "deep": {"b": 1.5}}, "deep/b has the type float64, expected int64"),
        ({"a": np.zeros(2), "deep": {"b": 2**70}}, "deep/b has the type object"),
        ([1, 2], "expected a dict"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(item: Any, message: str) -> None:
    buffer = ReplayBuffer(capacity=10)
    buffer.insert({"a": np.zeros(2), "deep": {"b": 1}})
    with pytest.raises(InputError, match=message):
        buffer.insert(item)
    assert len(buffer) == 1


@pytest.mark.parametrize("value", ["text", None, [1, 2], 2**70, np.array([object()])])
def test_what_is_no_array_and_no_number_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="a/b"):
        ReplayBuffer(capacity=3).insert({"a": {"b": value}})


@pytest.mark.parametrize("item", [{}, {"a": {}}, 3, {1: np.zeros(2)}])
def test_what_is_no_transition_is_refused(item: Any) -> None:
    with pytest.raises(InputError):
        ReplayBuffer(capacity=3).insert(item)


def test_a_batch_with_one_bad_transition_leaves_nothing() -> None:
    buffer = ReplayBuffer(capacity=10)
    buffer.insert(transition(0))
    with pytest.raises(InputError, match="observations"):
        buffer.insert_batch([transition(1), transition(2, size=4)])
    bad = as_columns(transitions(1, 3))
    bad["actions"] = bad["actions"][:2]
    with pytest.raises(InputError, match="same number of rows"):
        buffer.insert_batch(bad)
    assert buffer.cursor == 1


def test_wider_numbers_are_narrowed_where_they_fit() -> None:
    buffer = ReplayBuffer(capacity=10)
    buffer.insert({"x": np.zeros(1, np.float32), "n": np.uint8(1)})
    buffer.insert({"x": np.full(1, 0.5), "n": 255})
    with pytest.raises(InputError, match="n has the type int64, expected uint8"):
        buffer.insert({"x": np.zeros(1), "n": 256})
    with pytest.raises(InputError, match="n has the type int64, expected uint8"):
        buffer.insert_batch({"x": np.zeros((2, 1)), "n": np.array([1, -1])})
    assert [item["n"] for item in buffer.since(0)[0]] == [1, 255]


def test_keys_that_sampling_adds_are_refused() -> None:
    with pytest.raises(InputError, match="'weights' is what sampling adds"):
        ReplayBuffer(capacity=3).insert({"weights": 1.0})


def test_an_empty_buffer_cannot_be_sampled() -> None:
    buffer = ReplayBuffer(BOX, BOX, 10)
    with pytest.raises(Conflict, match="insert"):
        buffer.sample(1)


def test_a_batch_holds_whole_transitions() -> None:
    buffer = ReplayBuffer(capacity=100)
    buffer.insert_batch(transitions(0, 150))
    batch = buffer.sample(64)
    for row, reward in enumerate(batch["rewards"]):
        assert 50 <= reward < 150
        for key, value in transition(int(reward)).items():
            assert_same(np.asarray(batch[key][row]), np.asarray(value))


def test_every_transition_held_is_as_likely_as_every_other() -> None:
    buffer = ReplayBuffer(capacity=10, sampler=Uniform(seed=1))
    buffer.insert_batch(transitions(0, 25))
    counts = np.bincount(buffer.sample(20_000)["rewards"].astype(int), minlength=25)
    assert counts[:15].tolist() == [0] * 15
    assert 1800 < counts[15:].min() <= counts[15:].max() < 2200


def test_batches_belong_to_the_caller() -> None:
    buffer = ReplayBuffer(capacity=4)
    for number in range(4):
        buffer.insert(picture_transition(number))
    first = buffer.sample(300)  # large enough to be pooled
    kept = first["observations"]["image"].copy()
    second = buffer.sample(300)
    second["observations"]["image"][:] = 7
    second["rewards"][:] = -1
    assert_same(first["observations"]["image"], kept)
    assert buffer.sample(300)["rewards"].min() >= 0


@pytest.mark.parametrize("make", [transition, picture_transition])
def test_a_batch_can_be_written_to_arrays_of_the_caller(make: Any) -> None:
    buffer = ReplayBuffer(capacity=8, n_step=2)
    for number in range(8):
        buffer.insert(make(number))
    out = buffer.sample(16)
    images = out["observations"]
    batch = buffer.sample(16, out=out)
    assert batch["observations"] is not None
    for mine, given in zip(leaves(images), leaves(batch["observations"]), strict=True):
        assert np.shares_memory(mine, given)
    assert_same(out["rewards"], batch["rewards"])


def leaves(tree: Any) -> list[Any]:
    return (
        [leaf for value in tree.values() for leaf in leaves(value)]
        if isinstance(tree, dict)
        else [tree]
    )


def test_arrays_for_a_batch_may_have_gaps_but_must_fit() -> None:
    buffer = ReplayBuffer(capacity=8)
    buffer.insert(picture_transition(3))
    out = buffer.sample(4)
    wide = np.zeros((4, 32, 32, 6), np.uint8)
    out["observations"]["image"] = wide[..., ::2]
    buffer.sample(4, out=out)
    assert_same(np.ascontiguousarray(wide[1, ..., ::2]), picture(3))
    with pytest.raises(InputError, match=r"out: .* must be a writable array uint8\(5, 32, 32, 3\)"):
        buffer.sample(5, out=out)


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_of_nothing_is_refused(batch_size: int) -> None:
    buffer = ReplayBuffer(capacity=3)
    buffer.insert(transition(0))
    with pytest.raises(InputError, match="ask for 1 or more"):
        buffer.sample(batch_size)
    with pytest.raises(ConfigError, match="depth of 1 or more"):
        buffer.batches(2, depth=batch_size)


def test_a_closed_buffer_takes_and_gives_no_more() -> None:
    with ReplayBuffer(capacity=3, limiter=Limiter()) as buffer:
        buffer.insert(transition(0))
    buffer.close()
    with pytest.raises(StreamClosed):
        buffer.insert(transition(1))
    with pytest.raises(StreamClosed):
        buffer.sample(1)


def is_whole(batch: dict[str, Any]) -> bool:
    """Whether all parts of each row are of the same transition."""
    rewards = batch["rewards"]
    before, after = batch["observations"], batch["next_observations"]
    if isinstance(before, dict):
        numbers = before["image"][:, 0, :4, 0].copy().view(np.uint32)[:, 0]
        following = after["image"][:, 0, :4, 0].copy().view(np.uint32)[:, 0]
        levels = before["image"][:, 1:].reshape(len(rewards), -1)
        whole = (levels == (rewards % 251)[:, None]).all()
        return bool(whole and (numbers == rewards).all() and (following == rewards + 1).all())
    return bool(
        (before == rewards[:, None]).all()
        and (after == rewards[:, None] + 1).all()
        and (batch["actions"] == rewards[:, None]).all()
    )


@pytest.mark.parametrize("sampler", [Prioritized, Uniform])
@pytest.mark.parametrize("make", [transition, picture_transition])
@pytest.mark.parametrize("capacity", [1, 5, 40])
def test_sampling_beside_inserting_never_sees_half_a_transition(
    make: Any, sampler: type[Prioritized] | type[Uniform], capacity: int
) -> None:
    buffer = ReplayBuffer(capacity=capacity, sampler=sampler(seed=0))
    buffer.insert(make(0))
    is_done = threading.Event()

    def write() -> None:
        for first in range(1, 400, 8):
            buffer.insert_batch(as_columns([make(first + offset) for offset in range(7)]))
            buffer.insert(make(first + 7))
        is_done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not is_done.is_set():
        batch = buffer.sample(16)
        assert is_whole(batch)
        if sampler is Prioritized:
            buffer.update_priorities(batch["indices"], batch["rewards"])
    writer.join()
    assert len(buffer) == capacity
