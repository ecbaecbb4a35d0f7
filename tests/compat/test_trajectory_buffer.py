"""agentlace.data.trajectory_buffer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compat.material import actor, learner, running
from compat.trajectories import LATEST, SHAPES, add, every, made, row
from edgeloop.compat.agentlace.data.data_store import QueuedDataStore
from edgeloop.compat.agentlace.data.jaxrl_data_store import TrajectoryBufferDataStore
from edgeloop.compat.agentlace.data.sampler import (
    LatestSampler,
    SequenceSampler,
)
from edgeloop.compat.agentlace.data.trajectory_buffer import (
    Trajectory,
    TrajectoryBuffer,
)
from edgeloop.errors import Conflict, InputError

BUFFERS = [TrajectoryBuffer, TrajectoryBufferDataStore]


@pytest.mark.parametrize("kind", BUFFERS)
def test_what_was_inserted_is_sampled(kind: Any) -> None:
    buffer = kind(100, SHAPES)
    add(buffer, 10, 0)
    buffer.register_sample_config("default", LATEST)
    data, mask = buffer.sample("default", 64, force_indices=np.arange(10))
    assert data["index"].tolist() == list(range(10))
    assert (data["data"].shape, data["data"].dtype) == ((10, 2), np.float32)
    assert mask["index"].all()
    assert mask["index"].dtype == np.bool_
    assert len(buffer.sample("default", 64)[0]["index"]) == 64


def test_a_sampler_that_is_not_registered_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"^Sampler x not registered$"):
        made(5).sample("x", 1)


def test_an_empty_range_cannot_be_registered() -> None:
    with pytest.raises(AssertionError, match=r"^Sample range \(1, 1\) must be positive$"):
        made().register_sample_config("x", LATEST, (1, 1))


def test_a_range_beyond_the_shortest_trajectory_cannot_be_registered() -> None:
    expected = r"^Sample range \(0, 3\) must be <= the minimum trajectory length 2$"
    with pytest.raises(AssertionError, match=expected):
        made().register_sample_config("x", LATEST, (0, 3))


def test_other_keys_than_the_declared_ones_are_an_assertion_error() -> None:
    with pytest.raises(AssertionError, match=r"'trajectory_id'} .not in data. and {'more'}"):
        made().insert({"data": 1, "index": 1, "more": 1})


def test_an_empty_buffer_cannot_be_sampled() -> None:
    buffer = made()
    buffer.register_sample_config("default", LATEST)
    with pytest.raises(Conflict):
        buffer.sample("default", 1)


def test_the_id_of_the_newest_step_is_how_many_there_were() -> None:
    assert made(5).latest_data_id() == 5


def test_a_transform_runs_last() -> None:
    buffer = made(5)
    buffer.register_sample_config("x", LATEST, transform=lambda data, mask: ("data", list(mask)))
    assert buffer.sample("x", 1) == ("data", list(LATEST))


def test_forced_starts_are_moved_into_the_range() -> None:
    buffer = made(40, 40, 40, least=3)
    buffer.register_sample_config("x", {"index": LatestSampler()}, (-1, 2))
    data, mask = buffer.sample("x", 100, force_indices=every(buffer))
    assert len(data["index"]) == 100
    assert mask["index"].all()
    assert (data["index"].min(), data["index"].max()) == (1, 38)


def test_every_start_that_fits_is_as_likely_as_every_other() -> None:
    buffer = made(4, 3)
    buffer.register_sample_config("x", LATEST, (0, 2))
    data, _ = buffer.sample("x", 10_000)
    _, counts = np.unique(data["trajectory_id"] * 10 + data["index"], return_counts=True)
    assert len(counts) == 5
    assert counts.min() > 1800
    assert counts.max() < 2200


def test_a_trajectory_that_is_too_short_was_never_there() -> None:
    buffer = made(10, 2, least=3)
    buffer.register_sample_config("x", LATEST)
    assert set(buffer.sample("x", 100)[0]["trajectory_id"].tolist()) == {0}
    assert (len(buffer), buffer.size, buffer._insert_idx) == (10, 10, 10)


def test_a_trajectory_that_goes_on_counts_once_it_is_long_enough() -> None:
    buffer = made(10, 3, least=3, end=False)
    assert buffer._sample_end_idx == 13
    buffer = made(10, 2, least=3, end=False)
    assert (buffer._sample_end_idx, buffer._insert_idx, len(buffer)) == (10, 12, 12)
    buffer.insert(row(2, 1))
    assert buffer._sample_end_idx == 13


def test_ending_nothing_changes_nothing() -> None:
    buffer = made(3)
    buffer.end_trajectory()
    assert (buffer._trajectory.id, buffer._insert_idx) == (1, 3)


def test_the_shortest_length_may_be_raised_later() -> None:
    buffer = made(2, 2, end=False)
    buffer._trajectory.min_length = 5
    buffer.insert(row(2, 1))
    buffer.end_trajectory()
    assert len(buffer) == 5


def test_what_is_left_of_an_overwritten_trajectory_is_not_sampled_when_too_short() -> None:
    buffer = made(*[10] * 10, 8, least=3)
    assert (buffer._sample_begin_idx, buffer._sample_end_idx) == (10, 108)
    buffer.register_sample_config("x", LATEST, (-1, 2))
    data, _ = buffer.sample("x", 100, force_indices=every(buffer))
    assert (data["trajectory_id"] != 0).all()


def test_forced_starts_that_are_gone_are_refused() -> None:
    buffer = made(*[10] * 11)
    buffer.register_sample_config("x", LATEST)
    with pytest.raises(InputError):
        buffer.sample("x", 1, force_indices=[0])


def test_metadata_tell_of_each_row_where_its_trajectory_lies() -> None:
    buffer = made(10, 15, 20, 75, 5, end=False)
    begin, end = buffer._sample_begin_idx, buffer._sample_end_idx
    dataset, metadata = buffer.dataset, buffer.metadata
    for number in range(begin, end):
        at = number % buffer.capacity
        known = {name: values[at] for name, values in metadata.items()}
        assert known["seq_id"] == number
        assert known["trajectory_id"] == dataset["trajectory_id"][at]
        assert known["ep_begin"] + dataset["index"][at] == number
        assert known["trajectory_begin_flag"] == (dataset["index"][at] == 0)
        lengths = {1: 15, 2: 20, 3: 75}
        length = lengths.get(int(known["trajectory_id"]))
        assert known["ep_end"] == (-1 if length is None else known["ep_begin"] + length)


def test_columns_have_rows_that_wait_too() -> None:
    buffer = made(3, 1, end=False)
    assert buffer.dataset["index"][:4].tolist() == [0, 1, 2, 0]
    assert buffer.metadata["trajectory_id"][:5].tolist() == [0, 0, 0, 1, -1]
    assert buffer.dataset["data"].shape == (100, 2)


@pytest.mark.parametrize("kind", BUFFERS)
def test_a_buffer_comes_back_from_its_file(kind: Any, tmp_path: Path) -> None:
    buffer = kind(100, SHAPES)
    for trajectory in range(10):
        add(buffer, 5, trajectory)
    for trajectory in range(10, 18):
        add(buffer, 8, trajectory)
    add(buffer, 3, 18, end=False)
    assert (buffer._sample_begin_idx, buffer._sample_end_idx) == (17, 117)
    path = str(tmp_path / "saved.npz")
    buffer.save(path)
    again = kind.load(path)
    assert type(again) is kind
    assert again.capacity == 100
    for name in ("_insert_idx", "_sample_begin_idx", "_sample_end_idx"):
        assert getattr(again, name) == getattr(buffer, name)
    for name, column in buffer.dataset.items():
        assert (again.dataset[name] == column).all()
    for name in ("ep_end", "trajectory_id", "seq_id"):
        assert (again.metadata[name] == buffer.metadata[name]).all()
    assert again._trajectory == buffer._trajectory


def test_a_buffer_from_a_file_samples_all_there_is_and_goes_on(tmp_path: Path) -> None:
    path = str(tmp_path / "saved.npz")
    made(5, 5, 1, end=False).save(path)
    buffer = TrajectoryBuffer.load(path)
    assert (buffer._sample_end_idx, buffer._insert_idx) == (10, 11)
    buffer.insert(row(1, 2))
    buffer.register_sample_config("x", LATEST, (0, 2))
    data, _ = buffer.sample("x", 500)
    seen = set((data["trajectory_id"] * 10 + data["index"]).tolist())
    assert seen == {0, 1, 2, 3, 10, 11, 12, 13, 20}


def test_a_full_buffer_of_one_long_trajectory_comes_back() -> None:
    buffer = made(250, end=False)
    again = TrajectoryBuffer.deserialize(buffer.serialized())
    assert (again._insert_idx, again._sample_begin_idx) == (250, 150)
    assert again.dataset["index"].tolist() == buffer.dataset["index"].tolist()


def test_rows_that_agentlace_overwrote_and_dropped_are_left_out() -> None:
    saved = made(*[10] * 10).serialized()
    for at in range(3):  # three rows of a trajectory that was rolled back
        saved["metadata/seq_id"][at] = 100 + at
    buffer = TrajectoryBuffer.deserialize(saved)
    assert (buffer._insert_idx, buffer._sample_begin_idx) == (100, 3)
    assert buffer.latest_data_id() == 100


def test_a_trajectory_is_saved_by_agentlaces_names() -> None:
    trajectory = Trajectory(4, 2, 3)
    assert (trajectory.valid(6), trajectory.valid(7)) == (False, True)
    saved = {"traj/begin_idx": 4, "traj/id": 2, "traj/min_length": 3}
    assert trajectory.to_dict() == saved
    assert Trajectory.from_dict(saved) == trajectory


def test_streamed_steps_end_their_trajectory_where_they_say_so() -> None:
    server, buffer = learner(), TrajectoryBufferDataStore(1000, SHAPES)
    server.register_data_store("a", buffer)
    with running(server):
        store = QueuedDataStore(1000)
        for number in range(100):
            end = {"end_of_trajectory": number % 10 == 9}
            store.insert(row(number % 10, number // 10) | end)
        assert actor(server, store).update()
    next_id = SequenceSampler(squeeze=True, begin=1, end=2, source="trajectory_id")
    buffer.register_sample_config("x", {"next": next_id, **LATEST}, (0, 2))
    data, _ = buffer.sample("x", 2000)
    assert (data["next"] == data["trajectory_id"]).all()
    assert (buffer.metadata["ep_end"][:100] == np.repeat(np.arange(10, 101, 10), 10)).all()


def test_the_steps_of_two_clients_never_mix() -> None:
    server, buffer = learner(), TrajectoryBufferDataStore(1000, SHAPES)
    server.register_data_store("a", buffer)
    with running(server):
        queues = [QueuedDataStore(100), QueuedDataStore(100)]
        clients = [actor(server, queue) for queue in queues]
        for number in range(20):
            for which, (queue, client) in enumerate(zip(queues, clients, strict=True)):
                queue.insert(row(number, which) | {"end_of_trajectory": number == 19})
                assert client.update()
    buffer.register_sample_config(
        "x", {"s": SequenceSampler(begin=0, end=2, source="trajectory_id")}, (0, 2)
    )
    data, mask = buffer.sample("x", 500)
    assert len(buffer) == 40
    assert mask["s"].all()
    assert (data["s"][:, 0] == data["s"][:, 1]).all()
    again = TrajectoryBuffer.deserialize(buffer.serialized())
    again.register_sample_config("x", {"s": SequenceSampler(begin=0, end=20, source="index")})
    sequence = again.sample("x", 0, force_indices=[0, 2])[0]["s"]
    assert (sequence == np.arange(20)).all()
