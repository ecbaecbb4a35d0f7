"""Stores in folders: what was inserted survives the process."""

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from edgeloop.errors import ConfigError, Conflict, InputError, StorageFull
from edgeloop.stream import (
    Limiter,
    Prioritized,
    ReplayBuffer,
    SequenceWindow,
    TrajectoryBuffer,
)
from transitions import (
    assert_same,
    numbers_in,
    picture,
    picture_transition,
    transition,
    transitions,
)


def test_a_closed_folder_is_opened_with_all_that_was_in_it(tmp_path: Path) -> None:
    with ReplayBuffer(capacity=20, folder=tmp_path) as buffer:
        for number in range(30):
            buffer.insert(picture_transition(number))
        buffer.receive("robot", 0, [picture_transition(30)])
    with ReplayBuffer(capacity=20, folder=tmp_path) as buffer:
        assert (len(buffer), buffer.cursor, buffer.received("robot")) == (20, 31, 1)
        buffer.insert(picture_transition(31))
        for number, item in enumerate(buffer.since(0)[0], start=12):
            assert_same(item, picture_transition(number))
        assert buffer.size_bytes < 1.4 * 20 * picture(0).nbytes


def test_a_folder_without_transitions_is_opened_again(tmp_path: Path) -> None:
    ReplayBuffer(capacity=5, folder=tmp_path).close()
    with ReplayBuffer(capacity=7, folder=tmp_path) as buffer:
        buffer.insert(transition(0))
        buffer.flush()
        assert len(buffer) == 1


def test_files_of_a_store_that_was_never_begun_are_removed(tmp_path: Path) -> None:
    (tmp_path / "rows.bin").write_bytes(b"left behind")
    with ReplayBuffer(capacity=5, folder=tmp_path) as buffer:
        buffer.insert(transition(0))
        assert numbers_in(buffer.since(0)[0]) == [0]


def test_sampling_goes_on_where_it_was(tmp_path: Path) -> None:
    with ReplayBuffer(capacity=20, folder=tmp_path, n_step=2) as buffer:
        buffer.insert_batch(transitions(0, 25))
    limiter = Limiter(2.0, min_size=5, tolerance=10, timeout_s=0)
    with ReplayBuffer(
        capacity=20, folder=tmp_path, n_step=2, sampler=Prioritized(seed=0), limiter=limiter
    ) as buffer:
        batch = buffer.sample(40)
        assert set(batch["indices"].tolist()) == set(range(5, 25))
        assert limiter.balance == -40


def test_two_stores_on_one_folder_are_refused(tmp_path: Path) -> None:
    with ReplayBuffer(capacity=5, folder=tmp_path), pytest.raises(Conflict, match="open"):
        ReplayBuffer(capacity=5, folder=tmp_path)


@pytest.mark.parametrize("other", [{"capacity": 6}, {"capacity": 5, "n_step": 3}])
def test_a_folder_made_for_something_else_is_refused(tmp_path: Path, other: Any) -> None:
    with ReplayBuffer(capacity=5, folder=tmp_path) as buffer:
        buffer.insert(transition(0))
    with pytest.raises(ConfigError, match="was made by version 2 for"):
        ReplayBuffer(folder=tmp_path, **other)
    with pytest.raises(ConfigError):
        TrajectoryBuffer(5, folder=tmp_path)
    with ReplayBuffer(capacity=5, folder=tmp_path) as buffer:  # and is still whole, and free
        assert len(buffer) == 1


def test_a_folder_of_another_environment_is_refused(tmp_path: Path) -> None:
    with ReplayBuffer(capacity=5, folder=tmp_path) as buffer:
        buffer.insert(transition(0))
    box = spaces.Box(-1, 1, (4,), np.float32)
    with pytest.raises(ConfigError, match="observations is float32"):
        ReplayBuffer(box, None, 5, folder=tmp_path)
    with pytest.raises(ConfigError, match="observations/a is float32"):
        ReplayBuffer(spaces.Dict({"a": box}), None, 5, folder=tmp_path)


@pytest.mark.parametrize("name", ["rows.bin", "head.bin", "store.json"])
def test_a_file_cut_short_is_named_and_refused(tmp_path: Path, name: str) -> None:
    with ReplayBuffer(capacity=5, folder=tmp_path) as buffer:
        buffer.insert(transition(0))
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=f"{name} is damaged"):
        ReplayBuffer(capacity=5, folder=tmp_path)


def test_a_folder_open_when_the_machine_went_down_is_refused(tmp_path: Path) -> None:
    buffer = ReplayBuffer(capacity=5, folder=tmp_path / "a")
    buffer.insert(transition(0))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    note = tmp_path / "b" / "open.json"
    note.write_text(json.dumps({"boot": "another"}))
    with pytest.raises(InputError, match="was open when the machine went down"):
        ReplayBuffer(capacity=5, folder=tmp_path / "b")
    note.unlink()
    with ReplayBuffer(capacity=5, folder=tmp_path / "b") as copy:
        assert len(copy) == 1
    buffer.close()


def test_a_killed_trajectory_buffer_is_opened_with_its_trajectories(tmp_path: Path) -> None:
    with TrajectoryBuffer(20, folder=tmp_path) as buffer:
        for number in range(30):
            buffer.insert({"n": number}, end_of_trajectory=number % 4 == 3)
    with TrajectoryBuffer(20, folder=tmp_path, seed=0) as buffer:
        buffer.register("w", {"n": SequenceWindow(0, 2)}, reach=(0, 2))
        starts = buffer.sample("w", 500)[0]["n"][:, 0]
        assert set(starts.tolist()) == {n for n in range(10, 29) if n % 4 != 3}


KILLED = """
import sys
from pathlib import Path
from edgeloop.stream import ReplayBuffer
sys.path.insert(0, sys.argv[2])
from transitions import as_columns, picture_transition
buffer = ReplayBuffer(capacity=40, folder=Path(sys.argv[1]))
while True:
    first = buffer.received("robot")
    count = 1 + first % 5
    items = [picture_transition(first + offset) for offset in range(count)]
    print(buffer.receive("robot", first, as_columns(items)), flush=True)
"""


@pytest.mark.slow
def test_kill_9_loses_and_repeats_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    tests = Path(__file__).parent.parent.parent
    acknowledged = 0
    for kill in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path / "store"), str(tests)],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            for _ in range(20 + 7 * kill):
                acknowledged = int(process.stdout.readline())
            process.kill()
            rest = process.stdout.read().split("\n")[:-1]
            acknowledged = int(rest[-1]) if rest else acknowledged
        with ReplayBuffer(capacity=40, folder=tmp_path / "store") as buffer:
            items, end = buffer.since(0)
            assert acknowledged <= end == buffer.received("robot") <= acknowledged + 5
            assert len(items) == min(40, end)
            for number, item in enumerate(items, start=end - len(items)):
                assert_same(item, picture_transition(number))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def insert_pictures(buffer: ReplayBuffer, count: int) -> None:
    for number in range(count):
        buffer.insert(picture_transition(number))


@pytest.mark.root
def test_a_full_disk_refuses_transitions_and_keeps_those_it_has(small_disk: Path) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(bytes(3 * 1024 * 1024))
    buffer = ReplayBuffer(capacity=100_000, folder=small_disk / "store")
    with pytest.raises(StorageFull, match="free some disk space"):
        insert_pictures(buffer, 100_000)
    held = len(buffer)
    for number, item in enumerate(buffer.since(0)[0]):
        assert_same(item, picture_transition(number))
    filler.unlink()
    buffer.insert(picture_transition(held))
    assert len(buffer) == held + 1
    buffer.close()


@pytest.mark.root
def test_what_comes_after_a_disk_too_full_to_begin_is_there_when_opened_again(
    small_disk: Path,
) -> None:
    filler = small_disk / "filler"
    with ReplayBuffer(capacity=10, folder=small_disk / "store") as store:
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        with pytest.raises(StorageFull, match="free some disk space"):
            store.insert(transition(0))
        filler.unlink()
        store.insert(transition(1))
    with ReplayBuffer(capacity=10, folder=small_disk / "store") as again:
        assert numbers_in(again.since(0)[0]) == [1]


def test_a_folder_is_the_same_origin_for_all_who_open_it(tmp_path: Path) -> None:
    with ReplayBuffer(capacity=5, folder=tmp_path / "store") as store:
        store.insert_batch(transitions(0, 3))
        identity = store.identity
    with ReplayBuffer(capacity=5, folder=tmp_path / "store") as again:
        assert again.identity == identity
        again.save(tmp_path / "snapshot")
    restored = ReplayBuffer.restore(tmp_path / "snapshot", folder=tmp_path / "another")
    with restored:
        assert restored.identity != identity


FORK = """
import os
from edgeloop.stream import QueuedDataStore

store = QueuedDataStore(5)
if os.fork():
    os.wait()
os.write(1, store.identity.encode() + b"\\n")
"""


def test_a_fork_of_a_store_is_another_origin() -> None:
    told = subprocess.run(
        [sys.executable, "-c", FORK], capture_output=True, text=True, timeout=100, check=True
    ).stdout
    assert len(set(told.split())) == 2
