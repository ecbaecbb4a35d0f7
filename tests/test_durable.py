"""Files are old or new, never half."""

import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgeloop import durable
from edgeloop.errors import StorageFull


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "value.json"
    durable.write_json(target, {"a": 1})
    durable.write_json(target, {"a": 2})
    assert json.loads(target.read_text()) == {"a": 2}
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    target = tmp_path / "value"
    durable.write_bytes(target, b"old")

    def write_half() -> None:
        with durable.draft_of(target) as draft:
            draft.write_bytes(b"half")
            tmp_path.write_bytes(b"fails: it is a folder")

    with pytest.raises(IsADirectoryError):
        write_half()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_is_published_with_all_its_files(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "folder"
    with durable.draft_of(target) as draft:
        (draft / "inner").mkdir(parents=True)
        (draft / "inner" / "file").write_bytes(b"1")
        assert not target.exists()
    assert (target / "inner" / "file").read_bytes() == b"1"


def test_a_new_file_is_synced_with_all_the_folders_that_were_made_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    sync = os.fsync

    def record(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    durable.write_bytes(tmp_path / "new" / "deeper" / "file", b"1")
    folders = [tmp_path, tmp_path / "new", tmp_path / "new" / "deeper"]
    assert {str(folder) for folder in folders} <= set(synced)


def test_a_folder_with_something_in_it_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    durable.write_bytes(target / "file", b"old")
    with pytest.raises(OSError, match="not empty"), durable.draft_of(target) as draft:
        draft.mkdir()
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert (target / "file").read_bytes() == b"old"


def test_drafts_of_a_killed_process_are_swept(tmp_path: Path) -> None:
    (tmp_path / f"{durable.DRAFT_PREFIX}1").mkdir()
    (tmp_path / f"{durable.DRAFT_PREFIX}2").write_bytes(b"half")
    (tmp_path / "kept").write_bytes(b"whole")
    assert durable.sweep(tmp_path) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_sweeping_a_folder_that_does_not_exist_removes_nothing(tmp_path: Path) -> None:
    assert durable.sweep(tmp_path / "none") == 0


def test_a_full_disk_is_said_with_what_to_do(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageFull, match="free some disk space"),
        durable.storage_errors(tmp_path),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_other_errors_of_the_disk_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), durable.storage_errors(tmp_path):
        raise PermissionError(errno.EACCES, "no")


def test_many_files_are_synced_before_and_their_folders_after_they_get_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, bool]] = []
    drafts = {tmp_path / f"draft-{n}": tmp_path / f"folder-{n % 2}" / f"{n}" for n in range(4)}
    for draft in drafts:
        draft.write_bytes(b"bytes")
    sync = os.fsync

    def record(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        seen.append((name, (tmp_path / "folder-0" / "0").exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    with ThreadPoolExecutor(4) as threads:
        durable.publish_all(drafts, threads)
    assert {(f"draft-{n}", False) for n in range(4)} <= set(seen)
    assert {("folder-0", True), ("folder-1", True)} <= set(seen)
    assert {target.read_bytes() for target in drafts.values()} == {b"bytes"}
