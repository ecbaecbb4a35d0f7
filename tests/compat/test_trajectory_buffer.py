"""agentlace.data.trajectory_buffer: that of `edgeloop.stream`, with declared columns."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compat.journeys import COLUMNS, numbers, receive, stop, travel, travelled
from edgeloop.compat.agentlace.data import beginnings
from edgeloop.compat.agentlace.data.jaxrl_data_store import TrajectoryBufferDataStore
from edgeloop.compat.agentlace.data.sampler import LatestSampler, SequenceSampler
from edgeloop.compat.agentlace.data.trajectory_buffer import (
    DataShape,
    Trajectory,
    TrajectoryBuffer,
)
from edgeloop.errors import Conflict, InputError

PAIR = {"km": SequenceSampler(begin=0, end=2)}
NOW = {"km": LatestSampler()}


def pairs(buffer: TrajectoryBuffer, count: int = 500) -> set[tuple[int, int]]:
    """Which stops follow each other within a journey."""
    buffer.register_sample_config("pairs", PAIR, sample_range=(0, 2))
    data, mask = buffer.sample("pairs", count)
    assert mask["km"].all()
    return set(map(tuple, data["km"].tolist()))


def every(buffer: TrajectoryBuffer) -> list[int]:
    """The stops in the order of their numbers."""
    buffer.register_sample_config("now", NOW)
    km: list[int] = buffer.sample("now", 0, force_indices=numbers(buffer))[0]["km"].tolist()
    return km


def assert_alike(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, column in one.items():
        assert np.array_equal(column, other[name]), name


def test_pairs_of_steps_are_of_one_trajectory() -> None:
    assert pairs(travelled(range(3), range(10, 14))) == {
        (0, 1),
        (1, 2),
        (10, 11),
        (11, 12),
        (12, 13),
    }


def test_every_start_is_as_likely_as_every_other() -> None:
    buffer = travelled(range(3), range(10, 13))
    buffer.register_sample_config("pairs", PAIR, sample_range=(0, 2))
    starts = buffer.sample("pairs", 8000)[0]["km"][:, 0]
    counts = np.unique(starts, return_counts=True)[1]
    assert len(counts) == 4
    assert (abs(counts - 2000) < 250).all()


def test_a_seed_decides_what_is_drawn() -> None:
    drawn = []
    for seed in (3, 3, 4):
        buffer = travelled(range(50), seed=seed)
        buffer.register_sample_config("now", NOW)
        drawn.append(buffer.sample("now", 20)[0]["km"].tolist())
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_flag_or_a_column_ends_a_trajectory() -> None:
    buffer = TrajectoryBuffer(20, [*COLUMNS, DataShape("end_of_trajectory", dtype="bool")])
    for km in range(6):
        buffer.insert({**stop(km), "end_of_trajectory": km == 1}, end_of_trajectory=km == 3)
    assert pairs(buffer) == {(0, 1), (2, 3), (4, 5)}


@pytest.mark.parametrize("name", ["dones", "masks", "terminated"])
def test_no_other_column_ends_a_trajectory(name: str) -> None:
    buffer = TrajectoryBuffer(20, [DataShape("km"), DataShape(name)])
    for km in range(4):
        buffer.insert({"km": km, name: km % 2})
    assert pairs(buffer) == {(0, 1), (1, 2), (2, 3)}


def test_what_is_sampled_has_the_declared_types() -> None:
    buffer = travelled(range(4))
    buffer.register_sample_config("all", {**NOW, "view": LatestSampler()})
    data, _ = buffer.sample("all", 5)
    assert (data["km"].dtype, data["view"].dtype) == (np.int64, np.uint8)
    assert data["view"].shape == (5, 2, 3)


def test_a_number_fills_the_column_that_it_is_given_to() -> None:
    buffer = TrajectoryBuffer(4, [DataShape("force", (3,))], min_trajectory_length=1)
    buffer.insert({"force": 1.5})
    assert buffer.dataset["force"][0].tolist() == [1.5] * 3


def test_other_names_than_the_declared_ones_are_refused() -> None:
    with pytest.raises(
        AssertionError, match=r"\['view'\] are missing, \['mile'\] are not declared"
    ):
        travelled().insert({"km": 1, "mile": 2})


@pytest.mark.parametrize("view", [np.zeros((3, 3)), "sea", [[1], [2, 3]]])
def test_a_value_that_does_not_fit_is_refused(view: Any) -> None:
    buffer = travelled()
    with pytest.raises(InputError, match="'view' is not uint8"):
        buffer.insert({"km": 1, "view": view})
    assert len(buffer) == 0


def test_the_newest_steps_are_held() -> None:
    buffer = travelled(range(25), range(100, 110), capacity=20)
    assert every(buffer) == [*range(15, 25), *range(100, 110)]
    assert (len(buffer), buffer.size, buffer.latest_data_id()) == (20, 20, 35)
    assert numbers(buffer) == list(range(15, 35))


def test_a_trajectory_that_stays_too_short_is_dropped() -> None:
    buffer = travelled(range(5), min_trajectory_length=4)
    for km in (50, 51, 52):
        buffer.insert(stop(km))
    assert (len(buffer), buffer._insert_idx, buffer._sample_end_idx) == (8, 8, 5)
    buffer.end_trajectory()
    assert (len(buffer), buffer._insert_idx) == (5, 5)
    travel(buffer, range(70, 74))
    assert every(buffer) == [*range(5), *range(70, 74)]


def test_an_end_without_steps_changes_nothing() -> None:
    buffer = travelled(range(3))
    buffer.end_trajectory()
    travel(buffer, range(3))
    assert set(buffer.metadata["trajectory_id"].tolist()) == {0, 1, -1}


def test_the_length_that_a_trajectory_must_reach_may_be_changed() -> None:
    buffer = travelled(min_trajectory_length=3)
    buffer._trajectory.min_length = 1
    travel(buffer, range(1), range(5, 6))
    assert every(buffer) == [0, 5]


def test_a_range_without_steps_is_refused() -> None:
    with pytest.raises(AssertionError, match=r"Sample range \(1, 1\) must be positive"):
        travelled().register_sample_config("x", NOW, sample_range=(1, 1))


def test_a_range_longer_than_the_shortest_trajectory_is_refused() -> None:
    with pytest.raises(AssertionError, match="must be <= the minimum trajectory length 2"):
        travelled().register_sample_config("x", NOW, sample_range=(-1, 2))


def test_a_sampler_that_is_not_registered_is_refused() -> None:
    with pytest.raises(ValueError, match="Sampler trip not registered"):
        travelled(range(3)).sample("trip", 1)


def test_an_empty_buffer_has_nothing_to_sample() -> None:
    buffer = travelled()
    buffer.register_sample_config("now", NOW)
    with pytest.raises(Conflict):
        buffer.sample("now", 1)


def test_indices_are_moved_into_what_the_range_allows() -> None:
    buffer = travelled(range(4), range(10, 13), min_trajectory_length=3)
    buffer.register_sample_config("around", NOW, sample_range=(-1, 2))
    data, _ = buffer.sample("around", 99, force_indices=np.arange(7))
    assert data["km"].tolist() == [1, 1, 2, 2, 11, 11, 11]


@pytest.mark.parametrize("indices", [[-1], [3], [[0]]])
def test_indices_of_what_is_not_held_are_refused(indices: list[Any]) -> None:
    buffer = travelled(range(3))
    buffer.register_sample_config("now", NOW)
    with pytest.raises(InputError, match="from 0 to 2"):
        buffer.sample("now", 1, force_indices=indices)


def test_a_transform_has_the_last_word() -> None:
    buffer = travelled(range(3))
    buffer.register_sample_config("now", NOW, transform=lambda data, mask: (-data["km"], "none"))
    km, mask = buffer.sample("now", 4)
    assert km.max() <= 0
    assert mask == "none"


def test_a_config_without_samplers_gives_empty_batches() -> None:
    buffer = travelled(range(3))
    buffer.register_sample_config("nothing", {})
    assert buffer.sample("nothing", 4) == ({}, {})


def test_what_is_held_can_be_looked_at() -> None:
    buffer = travelled(range(7), range(20, 22), capacity=8)
    buffer.insert(stop(30))
    assert buffer.dataset["km"].tolist() == [21, 30, 2, 3, 4, 5, 6, 20]
    found = {name: column.tolist() for name, column in buffer.metadata.items()}
    assert found == {
        "seq_id": [8, 9, 2, 3, 4, 5, 6, 7],
        "ep_begin": [7, 9, 2, 2, 2, 2, 2, 7],
        "ep_end": [9, 10, 7, 7, 7, 7, 7, 9],
        "trajectory_id": [1, 2, 0, 0, 0, 0, 0, 1],
        "trajectory_begin_flag": [False, True, False, False, False, False, False, True],
    }


def test_where_nothing_is_held_there_are_no_numbers() -> None:
    buffer = travelled(capacity=2)
    assert buffer.metadata["seq_id"].tolist() == [-1, -1]
    assert buffer.metadata["trajectory_begin_flag"].tolist() == [False, False]
    assert not buffer.dataset["view"].any()


def test_the_trajectory_in_hand_is_known() -> None:
    buffer = travelled(range(3))
    buffer.insert(stop(9))
    assert buffer._trajectory == Trajectory(3, 1, 2)
    assert not buffer._trajectory.valid(buffer._insert_idx)
    buffer.insert(stop(10))
    assert buffer._trajectory.valid(buffer._insert_idx)


def test_a_trajectory_is_a_dict_and_back() -> None:
    trajectory = Trajectory(4, 2, 3)
    assert trajectory.to_dict() == {"begin_idx": 4, "id": 2, "min_length": 3}
    assert (
        Trajectory.from_dict({k: np.array(v) for k, v in trajectory.to_dict().items()})
        == trajectory
    )


def test_the_steps_of_mixed_origins_stay_apart() -> None:
    buffer = travelled(range(3))
    for km in (10, 11, 12):
        receive(buffer, "east", km)
        receive(buffer, "west", km + 10)
        buffer.insert(stop(km + 90))
    expected = {(0, 1), (1, 2), (10, 11), (11, 12), (20, 21), (21, 22), (100, 101), (101, 102)}
    assert pairs(buffer) == expected
    assert every(buffer) == [*range(3), 10, 11, 12, 20, 21, 22, 100, 101, 102]


def test_an_origin_may_end_its_trajectory_within_what_it_sends() -> None:
    buffer = TrajectoryBuffer(20, [*COLUMNS, DataShape("end_of_trajectory", dtype="bool")])
    steps = [{**stop(km), "end_of_trajectory": km in {1, 2}} for km in range(6)]
    buffer.insert_from("east", steps, end_of_trajectory=True)
    buffer.insert_from("east", [{**stop(km), "end_of_trajectory": False} for km in (6, 7)])
    assert pairs(buffer) == {(0, 1), (3, 4), (4, 5), (6, 7)}  # 2 was alone


def test_of_what_an_origin_sends_all_is_kept_or_nothing() -> None:
    buffer = travelled(min_trajectory_length=1)
    with pytest.raises(AssertionError):
        buffer.insert_from("east", [stop(1), {}])
    receive(buffer, "east", 2)
    assert every(buffer) == [2]


def test_origins_that_are_silent_for_long_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginnings, "MAX_ORIGINS", 3)
    buffer = travelled()
    for name in ("a", "b", "c"):
        receive(buffer, name, 1, 2)
    receive(buffer, "c", 3)
    receive(buffer, "a", 5, 6)
    assert pairs(buffer) == {(1, 2), (2, 3), (5, 6)}


@pytest.mark.parametrize("name", ["trip.npz", "trip"])
def test_what_was_saved_is_loaded(tmp_path: Path, name: str) -> None:
    buffer = travelled(range(30), range(100, 140), capacity=50)
    buffer.save(str(tmp_path / name))
    again = TrajectoryBuffer.load(str(tmp_path / name))
    assert_alike(buffer.dataset, again.dataset)
    assert_alike(buffer.metadata, again.metadata)
    assert (len(again), again.latest_data_id(), numbers(again)) == (50, 70, numbers(buffer))
    assert pairs(again, 3000) == pairs(buffer, 3000)
    assert every(again) == every(buffer)


@pytest.mark.parametrize("begun", [1, 2, 5])
def test_a_trajectory_goes_on_after_loading(begun: int) -> None:
    buffer = travelled(range(3), min_trajectory_length=3)
    for km in range(10, 10 + begun):
        buffer.insert(stop(km))
    again = TrajectoryBuffer.deserialize(buffer.serialized())
    assert again._trajectory == buffer._trajectory == Trajectory(3, 1, 3)
    assert again._insert_idx == 3 + begun
    for each in (buffer, again):
        travel(each, range(10 + begun, 15))
    assert_alike(again.metadata, buffer.metadata)
    assert every(again) == every(buffer) == [*range(3), *range(10, 15)]


def test_the_rest_of_a_trajectory_goes_on_after_loading() -> None:
    buffer = travelled(capacity=4, min_trajectory_length=4)
    for km in range(9):
        buffer.insert(stop(km))
    again = TrajectoryBuffer.deserialize(buffer.serialized())
    again.insert(stop(9))
    assert every(again) == [6, 7, 8, 9]
    assert not again.metadata["trajectory_begin_flag"].any()


def test_mixed_trajectories_are_whole_after_loading() -> None:
    buffer = travelled()
    for km in range(5):
        receive(buffer, "east", km)
        receive(buffer, "west", km + 50)
    again = TrajectoryBuffer.deserialize(buffer.serialized())
    assert every(again) == [*range(5), *range(50, 55)]
    assert pairs(again) == pairs(buffer)
    travel(again, range(70, 72))
    assert (54, 70) not in pairs(again)


def test_an_empty_buffer_is_saved_too() -> None:
    again = TrajectoryBuffer.deserialize(travelled(capacity=7).serialized())
    assert (len(again), again.capacity) == (0, 7)


def test_a_file_has_agentlaces_names() -> None:
    arrays = travelled(range(5), min_trajectory_length=3).serialized()
    names = "data/km data/view metadata/ep_begin metadata/ep_end metadata/seq_id"
    names += " metadata/trajectory_begin_flag metadata/trajectory_id traj/begin_idx traj/id"
    assert sorted(arrays) == sorted(
        [*names.split(), "traj/min_length", "size", "capacity", "_insert_idx"]
    )
    single = ("size", "capacity", "_insert_idx", "traj/begin_idx", "traj/id", "traj/min_length")
    assert [int(arrays[name]) for name in single] == [5, 60, 5, 5, 1, 3]


def test_a_subclass_is_loaded_as_what_it_is(tmp_path: Path) -> None:
    travelled(range(3)).save(str(tmp_path / "trip.npz"))
    loaded = TrajectoryBufferDataStore.load(str(tmp_path / "trip.npz"))
    assert isinstance(loaded, TrajectoryBufferDataStore)
    assert loaded.latest_data_id() == 3


def test_arrays_of_something_else_are_refused() -> None:
    arrays = travelled(range(3)).serialized()
    del arrays["metadata/trajectory_id"]
    with pytest.raises(InputError, match="trajectory_id"):
        TrajectoryBuffer.deserialize(arrays)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        TrajectoryBuffer.load(str(tmp_path / "gone"))
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InputError, match="damaged"):
        TrajectoryBuffer.load(str(broken))
