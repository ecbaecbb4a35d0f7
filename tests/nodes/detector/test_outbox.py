"""The outbox keeps frames on the disk."""

import errno
import json
import os
import shutil
import threading
from pathlib import Path

import pytest

from edgeloop import durable
from edgeloop.errors import StorageFull
from edgeloop.nodes.detector.outbox import Outbox
from edgeloop.types import ImageMetadata
from fakes import jpeg

JPEG = jpeg()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "outbox"


def put(outbox: Outbox, frame_id: str, *, priority: bool = False) -> str:
    return outbox.put(ImageMetadata(frame_id), JPEG, priority=priority)


def ids(outbox: Outbox, limit: int = 100) -> list[str]:
    return [entry.metadata.frame_id for entry in outbox.next(limit)]


def test_a_frame_comes_back_with_its_metadata_and_its_bytes(folder: Path) -> None:
    outbox = Outbox(folder)
    metadata = ImageMetadata(
        "frame 1", tags=("a", "b"), source="arm", created="yesterday", camera_id="left"
    )
    name = outbox.put(metadata, JPEG)
    (entry,) = outbox.next(20)
    assert (entry.name, entry.metadata, entry.image) == (name, metadata, JPEG)


def test_a_png_is_kept_as_a_png(folder: Path) -> None:
    png = b"\x89PNG\r\n\x1a\n and more"
    Outbox(folder).put(ImageMetadata("x"), png)
    (entry,) = Outbox(folder).next(1)
    assert entry.image == png
    assert (folder / entry.name / "image.png").is_file()


def test_frames_leave_in_the_order_in_which_they_came(folder: Path) -> None:
    outbox = Outbox(folder)
    for number in range(5):
        put(outbox, str(number))
    assert ids(outbox, 3) == ["0", "1", "2"]


def test_the_order_survives_a_restart(folder: Path) -> None:
    names = [put(Outbox(folder), str(number)) for number in range(12)]
    assert ids(Outbox(folder)) == [str(number) for number in range(12)]
    assert len(set(names)) == 12


def test_frames_with_priority_leave_first_also_after_a_restart(folder: Path) -> None:
    outbox = Outbox(folder)
    put(outbox, "first")
    put(outbox, "urgent", priority=True)
    assert ids(outbox) == ["urgent", "first"]
    assert ids(Outbox(folder)) == ["urgent", "first"]


def test_a_batch_is_bounded_in_bytes_but_never_empty(folder: Path) -> None:
    outbox = Outbox(folder)
    for number in range(3):
        put(outbox, str(number))
    assert len(outbox.next(20, max_bytes=2 * len(JPEG))) == 2
    assert len(outbox.next(20, max_bytes=1)) == 1


def test_a_removed_frame_is_gone_from_the_disk(folder: Path) -> None:
    outbox = Outbox(folder)
    outbox.remove(put(outbox, "x"))
    assert len(outbox) == 0
    assert list(folder.iterdir()) == []


def test_a_frame_may_be_removed_twice(folder: Path) -> None:
    outbox = Outbox(folder)
    name = put(outbox, "x")
    outbox.remove(name)
    outbox.remove(name)
    assert len(outbox) == 0


def test_1500_frames_that_wait_while_offline_are_all_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)  # no power is cut here
    outbox = Outbox(folder)
    for number in range(1500):
        outbox.put(ImageMetadata(str(number)), b"\xff\xd8")
    assert outbox.counts.waiting == 1500
    assert outbox.counts.dropped == 0


def test_beyond_the_bound_the_oldest_are_dropped_counted_and_logged(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox(folder, max_size=2)
    for number in range(4):
        put(outbox, str(number))
    assert ids(outbox) == ["2", "3"]
    assert outbox.counts.dropped == 2
    assert len(list(folder.iterdir())) == 2
    assert "2 dropped since the start" in caplog.text


def test_frames_with_priority_are_dropped_last(folder: Path) -> None:
    outbox = Outbox(folder, max_size=2)
    put(outbox, "urgent", priority=True)
    put(outbox, "one")
    put(outbox, "two")
    assert ids(outbox) == ["urgent", "two"]


def test_frames_with_priority_are_bounded_too(folder: Path) -> None:
    outbox = Outbox(folder, max_size=2)
    for number in range(3):
        put(outbox, str(number), priority=True)
    assert ids(outbox) == ["1", "2"]


def test_a_frame_that_would_be_dropped_at_once_is_refused(folder: Path) -> None:
    outbox = Outbox(folder, max_size=1)
    put(outbox, "urgent", priority=True)
    with pytest.raises(StorageFull, match="MAX_OUTBOX_SIZE"):
        put(outbox, "normal")


def test_a_full_disk_is_told_and_leaves_no_draft(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = Outbox(folder)

    def full(self: Path, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageFull):
        put(outbox, "x")
    assert list(folder.iterdir()) == []
    assert len(outbox) == 0


def test_drafts_of_a_killed_process_are_swept(folder: Path) -> None:
    draft = folder / f"{durable.DRAFT_PREFIX}half"
    draft.mkdir(parents=True)
    outbox = Outbox(folder)
    assert not draft.exists()
    assert len(outbox) == 0


@pytest.mark.parametrize("part", ["image.jpg", "image.json"])
def test_a_frame_with_a_missing_part_is_set_aside_and_blocks_nothing(
    folder: Path, part: str, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox(folder)
    broken = put(outbox, "broken")
    put(outbox, "whole")
    (folder / broken / part).unlink()
    assert ids(outbox, 1) == ["whole"]
    assert outbox.counts.refused == 1
    assert "not whole" in (folder.parent / "refused" / broken / "reason.txt").read_text()
    assert "set aside" in caplog.text


def test_metadata_that_is_no_json_sets_the_frame_aside(folder: Path) -> None:
    outbox = Outbox(folder)
    (folder / put(outbox, "x") / "image.json").write_text("{")
    assert outbox.next(20) == []
    assert outbox.counts.refused == 1


def test_folders_that_people_delete_are_forgotten_without_a_word(folder: Path) -> None:
    outbox = Outbox(folder)
    shutil.rmtree(folder / put(outbox, "deleted"))
    put(outbox, "left")
    assert ids(outbox, 1) == ["left"]
    assert outbox.counts.refused == 0
    assert len(outbox) == 1


def test_the_whole_outbox_may_be_deleted_while_it_runs(folder: Path) -> None:
    outbox = Outbox(folder)
    put(outbox, "deleted")
    shutil.rmtree(folder)
    put(outbox, "new")
    assert ids(outbox) == ["new"]


def test_frames_that_people_delete_are_not_counted_as_waiting(folder: Path) -> None:
    outbox = Outbox(folder)
    deleted = [put(outbox, str(number)) for number in range(3)]
    put(outbox, "left")
    for name in deleted:
        shutil.rmtree(folder / name)
    assert outbox.counts.waiting == 1
    shutil.rmtree(folder)
    assert outbox.counts.waiting == 0


def test_frames_that_people_delete_take_no_place_of_others(folder: Path) -> None:
    outbox = Outbox(folder, max_size=3)
    put(outbox, "left")
    for name in [put(outbox, str(number), priority=True) for number in range(2)]:
        shutil.rmtree(folder / name)
    put(outbox, "new")
    put(outbox, "newer")
    assert ids(outbox) == ["left", "new", "newer"]
    assert outbox.counts.dropped == 0


def test_a_folder_that_cannot_be_looked_at_says_nothing_about_its_frames(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = Outbox(folder)
    put(outbox, "waits")

    def no_handles(_path: Path) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", no_handles)
        assert outbox.counts.waiting == 1
    assert ids(outbox) == ["waits"]


def test_what_else_lies_in_the_folder_is_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    outbox = Outbox(folder)
    assert outbox.next(20) == []
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_refused_frame_is_kept_with_its_reason(folder: Path) -> None:
    outbox = Outbox(folder)
    name = put(outbox, "x")
    outbox.refuse(name, "not a JPEG")
    aside = folder.parent / "refused" / name
    assert (aside / "reason.txt").read_text() == "not a JPEG"
    assert (aside / "image.jpg").read_bytes() == JPEG
    assert json.loads((aside / "image.json").read_text())["frame_id"] == "x"
    assert len(outbox) == 0


def test_a_frame_deleted_meanwhile_cannot_be_refused(folder: Path) -> None:
    outbox = Outbox(folder)
    name = put(outbox, "x")
    shutil.rmtree(folder / name)
    outbox.refuse(name, "too late")
    assert outbox.counts.refused == 0


def test_refused_frames_are_bounded_the_oldest_go(folder: Path) -> None:
    outbox = Outbox(folder, max_refused=2)
    names = [put(outbox, str(number), priority=number == 0) for number in range(3)]
    for name in names:
        outbox.refuse(name, "no")
    assert {path.name for path in (folder.parent / "refused").iterdir()} == set(names[1:])


def test_listeners_are_told_of_each_new_frame(folder: Path) -> None:
    outbox = Outbox(folder)
    told: list[int] = []
    outbox.on_put(lambda: told.append(len(outbox)))
    put(outbox, "a")
    put(outbox, "b")
    assert told == [1, 2]


def test_clearing_deletes_all_that_waits(folder: Path) -> None:
    outbox = Outbox(folder)
    put(outbox, "a")
    put(outbox, "b", priority=True)
    outbox.clear()
    assert len(outbox) == 0
    assert list(folder.iterdir()) == []


def test_threads_that_put_at_the_same_time_lose_nothing(folder: Path) -> None:
    outbox = Outbox(folder)

    def work(first: int) -> None:
        for number in range(first, first + 10):
            put(outbox, str(number))

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 10, 20, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, ids(Outbox(folder)))) == list(range(40))


def test_files_that_people_delete_are_forgotten_with_their_folders(folder: Path) -> None:
    outbox = Outbox(folder)
    for number in range(3):
        put(outbox, str(number))
    for path in folder.glob("*/*"):
        path.unlink()
    assert outbox.next(20) == []
    assert list(folder.iterdir()) == []
    assert outbox.counts.refused == 0


def test_an_outbox_of_any_size_may_be_cleared_while_it_runs(folder: Path) -> None:
    for number in range(3000):
        (folder / f"n-{number:012d}").mkdir(parents=True)
    outbox = Outbox(folder)
    shutil.rmtree(folder)
    assert outbox.next(1) == []
    assert len(outbox) == 0


def test_a_frame_set_aside_is_not_replaced_by_one_of_a_later_run(folder: Path) -> None:
    for run in ("first", "second"):
        outbox = Outbox(folder)
        outbox.refuse(put(outbox, run), run)
    reasons = (folder.parent / "refused").glob("*/reason.txt")
    assert sorted(path.read_text() for path in reasons) == ["first", "second"]


def test_a_machine_out_of_file_handles_costs_no_frame(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_path: Path) -> bytes:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    outbox = Outbox(folder)
    put(outbox, "kept")
    with monkeypatch.context() as exhausted:
        exhausted.setattr(Path, "read_bytes", fails)
        with pytest.raises(OSError, match="Too many open files"):
            outbox.next(20)
    assert ids(outbox) == ["kept"]
