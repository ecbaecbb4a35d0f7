"""agentlace.data.jaxrl_data_store: without jax."""

from typing import Any

import gymnasium
import numpy as np
import pytest

from compat.material import actor, learner, running
from edgeloop.compat.agentlace.data import ReplayBuffer
from edgeloop.compat.agentlace.data.data_store import QueuedDataStore
from edgeloop.compat.agentlace.data.jaxrl_data_store import (
    ReplayBufferDataStore,
    StepType,
    TrajectoryBufferDataStore,
    make_default_trajectory_buffer,
)
from edgeloop.compat.agentlace.data.trajectory_buffer import DataShape
from edgeloop.errors import ConfigError, Conflict, InputError

BOX = gymnasium.spaces.Box(-1, 1, (3,), np.float32)
DICT = gymnasium.spaces.Dict(
    {
        "position": gymnasium.spaces.Box(0, 10, (1,), np.int32),
        "velocity": gymnasium.spaces.Box(-1, 1, (1,), np.float32),
    }
)
ACTIONS = gymnasium.spaces.Box(-1, 1, (2,), np.float32)


def made(number: int, *, mask: int = 1, **more: Any) -> dict[str, Any]:
    """As users make them: Python's numbers, float64 where float32 is meant."""
    return {
        "observations": np.full(3, number / 1000),
        "next_observations": np.full(3, (number + 1) / 1000),
        "actions": np.full(2, number / 1000),
        "rewards": float(number),
        "masks": mask,
        **more,
    }


def test_a_replay_buffer_has_the_spaces_types() -> None:
    buffer = ReplayBufferDataStore(BOX, ACTIONS, 100)
    for number in range(20):
        buffer.insert(made(number))
    batch = buffer.sample(256)
    assert set(batch) == {"observations", "next_observations", "actions", "rewards", "masks"}
    assert (batch["observations"].shape, batch["observations"].dtype) == ((256, 3), np.float32)
    assert batch["masks"].dtype == batch["rewards"].dtype == np.float32
    assert np.allclose(batch["next_observations"] - batch["observations"], 0.001)


def test_dicts_of_observations_are_sampled_as_dicts() -> None:
    buffer = ReplayBufferDataStore(DICT, ACTIONS, 100)
    seen = {"position": np.array([3]), "velocity": np.array([0.5])}
    buffer.insert(made(0) | {"observations": seen, "next_observations": seen})
    batch = buffer.sample(4)["observations"]
    assert batch["position"].dtype == np.int32
    assert batch["velocity"].tolist() == [[0.5]] * 4


def test_a_batch_may_be_some_keys_of_some_rows() -> None:
    buffer = ReplayBufferDataStore(BOX, ACTIONS, 10)
    for number in range(14):
        buffer.insert(made(number))
    batch = buffer.sample(3, keys=["rewards"], indx=np.array([0, 3, 4]))
    assert list(batch) == ["rewards"]
    assert batch["rewards"].tolist() == [10, 13, 4]
    with pytest.raises(InputError, match="rows from 0 to 9"):
        buffer.sample(1, indx=[10])


def test_rows_of_dicts_are_joined_as_dicts() -> None:
    buffer = ReplayBufferDataStore(DICT, ACTIONS, 10)
    for number in range(3):
        seen = {"position": np.array([number]), "velocity": np.array([0.5])}
        buffer.insert(made(number) | {"observations": seen, "next_observations": seen})
    assert buffer.sample(2, indx=[2, 0])["observations"]["position"].tolist() == [[2], [0]]


def test_the_id_of_the_newest_is_how_many_there_were() -> None:
    buffer = ReplayBufferDataStore(BOX, ACTIONS, 10)
    assert (buffer.latest_data_id(), len(buffer)) == (0, 0)
    for number in range(12):
        buffer.insert(made(number))
    assert (buffer.latest_data_id(), len(buffer), buffer.capacity) == (12, 10, 10)
    assert [item["rewards"] for item in buffer.get_latest_data(10)] == [10, 11]
    assert len(buffer.get_latest_data(-1)) == 10


def test_an_empty_buffer_cannot_be_sampled() -> None:
    with pytest.raises(Conflict):
        ReplayBufferDataStore(BOX, ACTIONS, 10).sample(1)


def test_a_transition_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="actions"):
        ReplayBufferDataStore(BOX, ACTIONS, 10).insert(made(1) | {"actions": np.zeros(5)})


def test_the_readmes_buffer_takes_what_comes_first() -> None:
    buffer = ReplayBuffer(capacity=2)
    buffer.batch_insert([{"x": np.zeros(2), "y": n} for n in range(5)])
    assert set(buffer.sample(50)["y"].tolist()) == {3, 4}
    assert isinstance(buffer, ReplayBufferDataStore)


def test_a_trajectory_buffer_is_a_servers_store() -> None:
    buffer = TrajectoryBufferDataStore(10, [DataShape("x")])
    with pytest.raises(NotImplementedError, match="server's store"):
        buffer.get_latest_data(0)


def test_ids_of_a_trajectory_buffer_count_what_was_inserted() -> None:
    buffer = TrajectoryBufferDataStore(10, [DataShape("x")])
    buffer.insert({"x": 1})
    buffer.insert({"x": 2}, True)
    assert buffer.latest_data_id() == 2


def test_a_trajectory_is_ended_without_a_step() -> None:
    buffer = default()
    for number in range(4):
        buffer.insert(made(number, end_of_trajectory=False))
        if number == 1:
            buffer.end_trajectory()
    assert set(buffer.sample("training", 200)[0]["rewards"].tolist()) == {0, 2}


def default() -> TrajectoryBufferDataStore:
    return make_default_trajectory_buffer(BOX, ACTIONS, 1000)


def test_next_observations_are_those_of_the_next_step() -> None:
    buffer = default()
    for number in range(40):
        last = number % 10 == 9
        buffer.insert(made(number, end_of_trajectory=last))
    data, mask = buffer.sample("training", 1000)
    assert np.allclose(data["next_observations"], data["observations"] + 0.001)
    assert set(data["rewards"].astype(int).tolist()) == {n for n in range(40) if n % 10 != 9}
    assert mask["next_observations"].all()
    assert mask["next_observations"].shape == (1000,)
    types = {name: str(column.dtype) for name, column in data.items()}
    assert types == {
        "observations": "float32",
        "next_observations": "float32",
        "actions": "float32",
        "rewards": "float64",
        "masks": "float64",
        "end_of_trajectory": "bool",
    }


def test_streamed_transitions_do_not_cross_the_ends_of_episodes() -> None:
    server, buffer = learner(), default()
    server.register_data_store("a", buffer)
    with running(server):
        store = QueuedDataStore(1000)
        for number in range(40):
            episode = number // 10 * 100
            last = number % 10 == 9
            store.insert(made(episode + number % 10, mask=int(not last), end_of_trajectory=last))
        assert actor(server, store).update()
    data, _ = buffer.sample("training", 1000)
    assert np.allclose(data["next_observations"], data["observations"] + 0.001)


def test_spaces_without_a_single_shape_are_refused() -> None:
    with pytest.raises(ConfigError, match="no single shape"):
        make_default_trajectory_buffer(DICT, ACTIONS, 10)


STORIES = [
    ([(1, False), (1, False), (0, False)], "RESTART TRANSITION TERMINATION"),
    ([(1, False), (1, True), (1, False)], "RESTART TRUNCATION RESTART"),
    ([(0, True), (1, False)], "RESTART RESTART"),
]


@pytest.mark.parametrize(("steps", "expected"), STORIES)
def test_a_logger_is_told_of_every_transition(steps: list[tuple[int, bool]], expected: str) -> None:
    told: list[dict[str, Any]] = []
    buffer = make_default_trajectory_buffer(
        BOX, ACTIONS, 100, rlds_logger=lambda **step: told.append(step)
    )
    for number, (mask, end) in enumerate(steps):
        buffer.insert(made(number, mask=mask, end_of_trajectory=end))
    assert [step["step_type"].name for step in told] == expected.split()
    assert told[1]["reward"] == 1.0
    assert np.allclose(told[1]["obs"], 0.002)
    assert np.allclose(told[1]["action"], 0.001)


def test_a_logger_is_told_of_what_a_server_receives() -> None:
    told: list[dict[str, Any]] = []
    server = learner()
    logged = ReplayBufferDataStore(BOX, ACTIONS, 100, rlds_logger=lambda **step: told.append(step))
    server.register_data_store("a", logged)
    with running(server):
        store = QueuedDataStore(100)
        store.batch_insert([made(number) for number in range(5)])
        actor(server, store)
    assert [step["reward"] for step in told] == [0, 1, 2, 3, 4]
    assert told[0]["step_type"] is StepType.RESTART
