"""agentlace.data.tfds, .rlds_writer and .tf_agents_episode_buffer: without TensorFlow."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest

from edgeloop.compat.agentlace.data.data_store import QueuedDataStore
from edgeloop.compat.agentlace.data.jaxrl_data_store import (
    ReplayBufferDataStore,
    TrajectoryBufferDataStore,
)
from edgeloop.compat.agentlace.data.rlds_writer import RLDSWriter
from edgeloop.compat.agentlace.data.tf_agents_episode_buffer import EpisodicTFDataStore
from edgeloop.compat.agentlace.data.tfds import (
    get_value_from_tensor,
    make_datastore,
    populate_datastore,
    tensor_spec_to_gym_space,
)
from edgeloop.errors import ConfigError, Conflict, NotFound
from edgeloop.rl import EpisodeLog, Episodes


class Tensor:
    """What TensorFlow's eager tensors are to us."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def numpy(self) -> Any:
        return self._value


def spec(dtype: Any, *shape: int) -> Any:
    """What a TensorSpec is to us."""
    return SimpleNamespace(shape=shape, dtype=SimpleNamespace(as_numpy_dtype=dtype))


SPEC = {
    "observation": {"position": spec(np.float32, 2)},
    "action": spec(np.float32, 1),
    "reward": spec(np.float32),
    "is_first": spec(np.bool_),
    "is_last": spec(np.bool_),
    "is_terminal": spec(np.bool_),
}


def step(number: int, length: int, *, terminal: bool = True) -> dict[str, Any]:
    last = number == length - 1
    return {
        "observation": {"position": Tensor(np.full(2, number))},
        "action": Tensor(np.full(1, number, np.float64)),
        "reward": Tensor(np.float32(number)),
        "is_first": Tensor(np.bool_(number == 0)),
        "is_last": Tensor(np.bool_(last)),
        "is_terminal": Tensor(np.bool_(last and terminal)),
    }


def episode(length: int, **options: bool) -> list[dict[str, Any]]:
    return [step(number, length, **options) for number in range(length)]


def written(folder: Path, *lengths: int) -> Path:
    """RLDS with an episode of each length."""
    writer = RLDSWriter("robot", SPEC, str(folder), "0.0.1")
    for length in lengths:
        for each in episode(length):
            writer(each)
    writer.close()
    return folder


def test_what_was_written_is_rlds(tmp_path: Path) -> None:
    episodes = Episodes(written(tmp_path / "rlds", 3, 5))
    assert [len(each) for each in episodes] == [3, 5]
    steps = episodes[1].steps
    assert steps["observation"]["position"].dtype == np.float32
    assert steps["observation"]["position"][:, 0].tolist() == [0, 1, 2, 3, 4]
    assert steps["is_terminal"].tolist() == [False] * 4 + [True]


def test_an_episode_that_did_not_end_is_written_when_the_writer_closes(tmp_path: Path) -> None:
    writer = RLDSWriter("robot", SPEC, tmp_path, "0.0.1", max_episodes_per_file=1)
    for each in episode(4)[:3]:
        writer(each)
    writer.close()
    assert Episodes(tmp_path)[0].steps["is_last"].tolist() == [False, False, True]


def test_the_next_writer_goes_on(tmp_path: Path) -> None:
    written(tmp_path, 2)
    assert len(Episodes(written(tmp_path, 3))) == 2


def test_an_episode_may_end_by_end_of_trajectory(tmp_path: Path) -> None:
    writer = RLDSWriter("robot", SPEC, tmp_path, "0.0.1")
    for each in episode(4)[:2]:
        writer(each | {"end_of_trajectory": each["is_first"].numpy() == 0})
    assert len(Episodes(tmp_path)) == 1
    writer.close()


def test_a_replay_buffer_is_filled_from_rlds(tmp_path: Path) -> None:
    store = make_datastore(written(tmp_path, 3, 5), capacity=100)
    assert isinstance(store, ReplayBufferDataStore)
    assert len(store) == 8
    rows = store.get_latest_data(-1)
    assert [float(row["rewards"]) for row in rows] == [0, 1, 2, 0, 1, 2, 3, 4]
    assert [float(row["masks"]) for row in rows] == [1, 1, 0, 1, 1, 1, 1, 0]
    following = [float(row["next_observations"]["position"][0]) for row in rows]
    assert following == [1, 2, 2, 1, 2, 3, 4, 4]
    assert store.sample(4)["observations"]["position"].shape == (4, 2)


def test_a_queue_is_filled_from_rlds(tmp_path: Path) -> None:
    store = make_datastore(str(written(tmp_path, 3)), 100, "queued_datastore")
    assert isinstance(store, QueuedDataStore)
    assert [float(row["actions"][0]) for row in store.get_latest_data(-1)] == [0, 1, 2]


def test_a_trajectory_buffer_is_filled_from_rlds(tmp_path: Path) -> None:
    with_arrays = EpisodeLog(tmp_path)
    for length in (3, 5):
        with_arrays.write(
            [
                {"observation": np.full(2, float(n)), "action": np.zeros(1), "reward": n}
                for n in range(length)
            ]
        )
    with_arrays.close()
    store = make_datastore(tmp_path, 100, type="trajectory_buffer")
    assert isinstance(store, TrajectoryBufferDataStore)
    assert store.metadata["ep_end"][:8].tolist() == [3, 3, 3, 8, 8, 8, 8, 8]
    data, _ = store.sample("training", 100)
    assert (data["next_observations"] == data["observations"] + 1).all()


def test_a_trajectory_buffer_needs_observations_of_one_shape(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no single shape"):
        make_datastore(written(tmp_path, 3), 100, type="trajectory_buffer")


def test_another_type_is_a_value_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^Unsupported type: list$"):
        make_datastore(tmp_path, 100, type="list")


def test_a_dataset_of_tensors_fills_a_store() -> None:
    store = QueuedDataStore(100)
    assert populate_datastore(store, [{"steps": episode(3)}], "with_dones") is store
    rows = store.get_latest_data(-1)
    assert [bool(row["dones"]) for row in rows] == [False, False, True]
    assert rows[0]["observations"]["position"].tolist() == [0, 0]


def test_data_may_be_changed_or_left_out() -> None:
    seen: list[dict[str, Any]] = []

    def change(data: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any] | None:
        seen.append(metadata)
        return None if metadata["step"] == 1 else {"reward": float(data["rewards"])}

    texts = [each | {"language": Tensor(b"push")} for each in episode(3)]
    store = populate_datastore(QueuedDataStore(9), [{"steps": texts}], data_transform=change)
    assert store.get_latest_data(-1) == [{"reward": 0.0}, {"reward": 2.0}]
    expected = {"step": 0, "step_size": 3, "is_first": np.True_, "language": "push"}
    assert seen[0] == expected


def test_a_reward_that_is_missing_is_0() -> None:
    steps = [{k: v for k, v in each.items() if k != "reward"} for each in episode(2)]
    store = populate_datastore(QueuedDataStore(9), [{"steps": steps}])
    assert [row["rewards"] for row in store.get_latest_data(-1)] == [0, 0]


@pytest.mark.parametrize("steps", [episode(4)[:3], [*episode(2), *episode(2)]])
def test_an_episode_that_does_not_end_where_it_ends_is_refused(steps: list[Any]) -> None:
    with pytest.raises(AssertionError, match="ends an episode"):
        populate_datastore(QueuedDataStore(9), [{"steps": steps}])


def test_specs_are_spaces() -> None:
    space = tensor_spec_to_gym_space(
        {"image": spec(np.uint8, 4, 4, 3), "on": spec(np.bool_), "x": spec(np.float32, 2)}
    )
    assert isinstance(space, gymnasium.spaces.Dict)
    assert space["image"].shape == (4, 4, 3)
    assert space["image"].dtype == np.uint8
    assert space["x"].contains(np.ones(2, np.float32))
    assert space["on"].shape == ()
    with pytest.raises(TypeError, match="has no shape and dtype"):
        tensor_spec_to_gym_space(3)


def test_without_gymnasium_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ConfigError, match="edgeloop"):
        tensor_spec_to_gym_space(spec(np.float32))


def test_values_of_tensors_are_numpys() -> None:
    assert get_value_from_tensor({"a": Tensor(b"x"), "b": 3}) == {"a": "x", "b": 3}


def test_whole_episodes_are_given() -> None:
    logged: list[Any] = []
    store = EpisodicTFDataStore(10, SPEC, rlds_logger=logged.append)
    for each in (*episode(3), *episode(5), *episode(4)[:2]):
        store.insert(each)
    assert (store.size, len(store), len(logged)) == (10, 10, 10)
    given = store.episodes()
    lengths = {len(next(given)["reward"]) for _ in range(50)}
    assert lengths == {3, 5}
    one = next(given)
    count = len(one["reward"])
    assert one["observation"]["position"].shape == (count, 2)
    assert one["_frame_index"].tolist() == list(range(count))
    assert one["_len"].tolist() == [count] * count
    assert one["_traj_index"].tolist() == [{3: 0, 5: 1}[count]] * count


def test_beyond_the_capacity_the_oldest_episodes_are_gone() -> None:
    store = EpisodicTFDataStore(2, SPEC)
    for length in (3, 4, 5):
        for each in episode(length):
            store.insert(each)
    given = store.episodes()
    assert {len(next(given)["reward"]) for _ in range(50)} == {4, 5}


def test_texts_are_kept_as_texts() -> None:
    store = EpisodicTFDataStore(2, {"word": spec(object), "is_last": spec(np.bool_)})
    store.insert({"word": Tensor(b"push"), "is_last": False})
    store.insert({"word": Tensor(b"the cup"), "is_last": True})
    assert next(store.episodes())["word"].tolist() == ["push", "the cup"]


def test_there_is_no_episode_before_the_first_has_ended() -> None:
    with pytest.raises(Conflict, match="No episode has ended"):
        next(EpisodicTFDataStore(2, SPEC).episodes())


def test_without_tensorflow_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ConfigError, match="pip install tensorflow"):
        EpisodicTFDataStore(2, SPEC).as_dataset()


def test_an_empty_dataset_has_no_shapes(tmp_path: Path) -> None:
    EpisodeLog(tmp_path).close()
    with pytest.raises(NotFound):
        make_datastore(tmp_path, 10, type="trajectory_buffer")
