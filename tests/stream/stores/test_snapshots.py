"""Snapshots: whole or refused, taken while others insert and sample."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeloop.errors import ConfigError, Conflict, InputError
from edgeloop.stream import Prioritized, ReplayBuffer, TrajectoryBuffer
from edgeloop.stream.stores import snapshot as snapshots
from edgeloop.stream.stores.layout import layout_of
from transitions import (
    as_columns,
    assert_same,
    numbers_in,
    picture,
    picture_transition,
    transition,
    transitions,
)


def saved(path: Path, count: int = 30, **options: Any) -> Path:
    buffer = ReplayBuffer(capacity=20, **options)
    for number in range(count):
        buffer.receive("robot", number, [picture_transition(number)])
    buffer.save(path)
    return path


@pytest.mark.parametrize("capacity", [None, 20, 100])
def test_a_restored_buffer_goes_on_where_the_saved_one_was(
    tmp_path: Path, capacity: int | None
) -> None:
    buffer = ReplayBuffer.restore(saved(tmp_path / "saved"), capacity=capacity)
    assert (len(buffer), buffer.cursor, buffer.received("robot")) == (20, 30, 30)
    buffer.receive("robot", 29, [picture_transition(number) for number in (29, 30)])
    first = 10 if capacity == 100 else 11
    for number, item in enumerate(buffer.since(0)[0], start=first):
        assert_same(item, picture_transition(number))
    assert buffer.capacity == (capacity or 20)
    assert buffer.size_bytes < 1.3 * 21 * picture(0).nbytes


def test_a_snapshot_can_be_restored_into_a_new_folder_only(tmp_path: Path) -> None:
    path = saved(tmp_path / "saved")
    with ReplayBuffer.restore(path, folder=tmp_path / "store") as buffer:
        buffer.insert(picture_transition(30))
    with ReplayBuffer(capacity=20, folder=tmp_path / "store") as buffer:
        assert numbers_in(buffer.since(0)[0]) == list(range(11, 31))
        assert buffer.received("robot") == 30
    with pytest.raises(Conflict, match="restore into a new folder"):
        ReplayBuffer.restore(path, folder=tmp_path / "store")


def test_priorities_are_restored(tmp_path: Path) -> None:
    buffer = ReplayBuffer(capacity=10, sampler=Prioritized(alpha=1.0, seed=0))
    buffer.insert_batch(transitions(0, 14))
    buffer.update_priorities(np.arange(4, 14), np.arange(10.0))
    buffer.save(tmp_path / "saved")
    again = ReplayBuffer.restore(tmp_path / "saved", sampler=Prioritized(alpha=1.0, seed=0))
    counts = np.bincount(again.sample(9000)["indices"], minlength=14)
    assert counts[4:] == pytest.approx(9000 * np.arange(10) / 45, abs=2)


def test_priorities_of_a_uniform_buffer_begin_alike(tmp_path: Path) -> None:
    path = saved(tmp_path / "saved")
    again = ReplayBuffer.restore(path, sampler=Prioritized(seed=0))
    assert np.bincount(again.sample(200)["indices"])[10:].tolist() == [10] * 20
    again.save(path)
    assert len(ReplayBuffer.restore(path)) == 20


def test_returns_over_steps_survive_a_restore(tmp_path: Path) -> None:
    buffer = ReplayBuffer(capacity=20, n_step=3, discount=1.0)
    buffer.insert_batch(transitions(0, 25))
    buffer.save(tmp_path / "saved")
    again = ReplayBuffer.restore(tmp_path / "saved", n_step=3, discount=1.0)
    batch = again.sample(200)
    starts = batch["observations"][:, 0]
    expected = [sum(range(int(s), min(25, int(s) + 3))) for s in starts]
    assert batch["rewards"].tolist() == expected


def test_an_empty_buffer_has_nothing_to_save(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="insert"):
        ReplayBuffer(capacity=3).save(tmp_path / "saved")
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "saved")
    with pytest.raises(ConfigError, match="has 20 transitions, the store holds 19"):
        ReplayBuffer.restore(path, capacity=19)
    with pytest.raises(ConfigError, match="make it as it was"):
        ReplayBuffer.restore(path, n_step=2)
    with pytest.raises(ConfigError, match="make it as it was"):
        TrajectoryBuffer.restore(path)


def test_a_failed_save_leaves_the_old_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "saved")
    before = path.read_bytes()
    buffer = ReplayBuffer(capacity=3)
    buffer.insert(transition(0))

    def fail(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(snapshots.SnapshotWriter, "finish", fail)
    with pytest.raises(OSError, match="gone"):
        buffer.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_snapshot_cut_short_anywhere_is_named_and_refused(tmp_path: Path) -> None:
    data = saved(tmp_path / "saved", 3).read_bytes()
    torn = tmp_path / "torn"
    for length in [*range(40), *range(40, len(data), len(data) // 60), len(data) - 1]:
        torn.write_bytes(data[:length])
        with pytest.raises(InputError, match="torn is damaged"):
            ReplayBuffer.restore(torn)


def test_a_snapshot_with_one_wrong_byte_is_named_and_refused(tmp_path: Path) -> None:
    data = saved(tmp_path / "saved", 3).read_bytes()
    torn = tmp_path / "torn"
    for at in [
        *range(24),
        *range(24, len(data), len(data) // 60),
        *range(len(data) - 24, len(data)),
    ]:
        wrong = bytearray(data)
        wrong[at] ^= 0x10
        torn.write_bytes(wrong)
        with pytest.raises(InputError, match="torn is damaged"):
            ReplayBuffer.restore(torn)


@pytest.mark.parametrize(
    "footer",
    [
        {},
        {"info": {}, "blocks": [{"name": "x"}]},
        {"info": {}, "blocks": [["x", "<f4", [10**9], 0, 0]]},
        {"info": {}, "blocks": [["x", "|O", [1], 0, 0]]},
        {"info": {}, "blocks": [["x", "<f4", [-1], 0, 0]]},
        {"info": {}, "blocks": []},
        {"info": {"kind": "replay", "links": "none", "layout": [{}]}, "blocks": []},
    ],
)
def test_a_footer_that_lies_is_refused(tmp_path: Path, footer: dict[str, Any]) -> None:
    path = tmp_path / "lies"
    keys = ("name", "dtype", "shape", "offset", "crc")
    blocks = [
        dict(zip(keys, block, strict=True)) if isinstance(block, list) else block
        for block in footer.get("blocks", [])
    ]
    with snapshots.writing(path) as writer:
        writer._blocks = blocks
        writer.finish(footer.get("info", {}))
    with pytest.raises(InputError):
        ReplayBuffer.restore(path)


@pytest.mark.parametrize("change", [{"chunks": 2}, {"chunks": 0}, {"rows": 1}, {"end": "x"}])
def test_a_snapshot_whose_parts_do_not_agree_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    finish = snapshots.SnapshotWriter.finish
    monkeypatch.setattr(
        snapshots.SnapshotWriter, "finish", lambda writer, info: finish(writer, {**info, **change})
    )
    path = saved(tmp_path / "saved", 3)
    with pytest.raises(InputError, match="whole but not of such a store"):
        ReplayBuffer.restore(path)


def test_a_snapshot_of_anything_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other"
    with snapshots.writing(path) as writer:
        writer.add("x", np.zeros(3))
        writer.finish({"purpose": "unknown"})
    with pytest.raises(InputError, match="'kind' is missing"):
        ReplayBuffer.restore(path)
    with pytest.raises(FileNotFoundError):
        ReplayBuffer.restore(tmp_path / "nothing")


@pytest.mark.parametrize("make", [transition, picture_transition])
@pytest.mark.parametrize("n_step", [1, 2])
def test_a_snapshot_taken_beside_inserting_and_sampling_is_of_one_moment(
    tmp_path: Path, make: Any, n_step: int
) -> None:
    buffer = ReplayBuffer(capacity=60, n_step=n_step, sampler=Prioritized(seed=0))
    buffer.receive("robot", 0, [make(number) for number in range(30)])
    stop = threading.Event()

    def write() -> None:
        first = 30
        while not stop.is_set():
            count = 1 + first % 9
            items = as_columns([make(first + offset) for offset in range(count)])
            first = buffer.receive("robot", first, items)
            buffer.sample(4)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(12):
            buffer.save(tmp_path / "saved")
            again = ReplayBuffer.restore(tmp_path / "saved", n_step=n_step)
            assert again.received("robot") == again.cursor
            items, end = again.since(0)
            numbers = numbers_in(items)
            assert numbers == sorted(set(numbers))
            assert not numbers or numbers[-1] == end - 1
            for number, item in zip(numbers, items, strict=True):
                assert_same(item, make(number))
            again.insert_batch([make(end + offset) for offset in range(70)])
            assert numbers_in(again.since(0)[0]) == list(range(end + 10, end + 70))
    finally:
        stop.set()
        writer.join()


def test_rows_that_fall_out_before_their_turn_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each chunk that is written lets 30 more transitions in: some are gone when read."""
    chunk_bytes = 10 * layout_of(picture_transition(0)).row_bytes
    monkeypatch.setattr("edgeloop.stream.stores.saving._CHUNK_BYTES", chunk_bytes)
    buffer = ReplayBuffer(capacity=100, n_step=2, sampler=Prioritized(seed=0))
    for number in range(100):
        buffer.insert(picture_transition(number))
    add = snapshots.SnapshotWriter.add
    added: list[int] = []

    def add_and_insert(writer: snapshots.SnapshotWriter, name: str, array: Any) -> None:
        add(writer, name, array)
        if name.endswith("frame-0") and len(added) < 3:
            added.append(1)
            first = buffer.cursor
            buffer.insert_batch([picture_transition(first + offset) for offset in range(30)])

    monkeypatch.setattr(snapshots.SnapshotWriter, "add", add_and_insert)
    buffer.save(tmp_path / "saved")
    again = ReplayBuffer.restore(tmp_path / "saved", n_step=2, sampler=Prioritized(seed=0))
    items, end = again.since(0)
    numbers = numbers_in(items)
    assert end == 100
    assert numbers == [*range(10), *range(30, 40), *range(60, 70), *range(90, 100)]
    for number, item in zip(numbers, items, strict=True):
        assert_same(item, picture_transition(number))
    batch = again.sample(400)
    starts = batch["observations"]["state"][:, 0]
    single = np.isin(starts, (9, 39, 69, 99))  # what follows is not there
    assert (batch["discounts"] == np.where(single, 0.99, 0.99**2).astype(np.float32)).all()
