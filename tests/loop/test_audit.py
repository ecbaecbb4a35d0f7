"""The check of a loop's data finds what is wrong, and nothing else."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from audits import FRAMES, Data
from edgeloop.errors import ConfigError
from edgeloop.loop.services.files import image_key, thumbnail_key
from loops import loop_in_process


@pytest.mark.parametrize("deep", [False, True])
def test_the_data_of_a_loop_that_ended_well_is_clean(loop_data: Data, deep: bool) -> None:  # noqa: FBT001
    verdict = loop_data.audit(deep=deep)
    assert verdict.is_clean
    assert verdict.found.notes == []
    assert verdict.found.checked == {
        "detections": 1,
        "images": FRAMES,  # that of two projects is one file
        "models": 1,
        "thumbnails": FRAMES,
    }


def test_looking_changes_nothing(loop_data: Data) -> None:
    (loop_data.folder / "files" / "images" / "stray").touch()
    (loop_data.folder / "files" / ".draft-1").touch()

    def all_files() -> dict[str, bytes]:
        found = (path for path in loop_data.folder.rglob("*") if path.is_file())
        return {str(path): path.read_bytes() for path in found if "sqlite-" not in path.name}

    before = all_files()
    assert not loop_data.audit(deep=True).is_clean
    assert all_files() == before


def test_an_image_and_a_model_whose_files_are_gone_are_found(loop_data: Data) -> None:
    gone = [loop_data.images[1], loop_data.model]
    expected = [("missing", loop_data.key(path)) for path in gone]
    for path in gone:
        path.unlink()
    assert loop_data.found() == expected


def test_a_file_of_another_size_is_found(loop_data: Data) -> None:
    path = loop_data.images[1]
    path.write_bytes(path.read_bytes()[:-1])
    (finding,) = loop_data.audit().found.findings
    assert (finding.kind.value, finding.subject) == ("damaged", loop_data.key(path))
    size = path.stat().st_size
    assert finding.detail == f"It has {size} bytes, not {size + 1}."


def test_other_bytes_of_the_same_size_are_found_by_a_deep_check(loop_data: Data) -> None:
    paths = [loop_data.images[2], loop_data.model]
    for path in paths:
        path.write_bytes(bytes(path.stat().st_size))
    assert loop_data.found() == []
    assert loop_data.found(deep=True) == [("damaged", loop_data.key(path)) for path in paths]


def test_files_that_no_row_needs_are_found_wherever_they_are(loop_data: Data) -> None:
    keys = [
        image_key("ab" * 32),
        "images/ab/odd name.txt",
        "models/none/onnx-1.zip",
        thumbnail_key("cd" * 32),
        "own/notes.txt",
        ".hidden",
    ]
    for key in keys:
        path = loop_data.folder / "files" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    assert sorted(loop_data.found()) == sorted(("orphan", key) for key in keys)


def test_a_link_to_nowhere_is_a_file_that_nobody_needs(loop_data: Data) -> None:
    (loop_data.folder / "files" / "link").symlink_to("/nowhere/at/all")
    assert loop_data.found() == [("orphan", "link")]


def test_what_a_killed_loop_was_at_is_a_note_and_no_finding(loop_data: Data) -> None:
    files = loop_data.folder / "files"
    (files / ".draft-1").touch()
    (files / ".intent-1").write_text('["images/ab/x.jpg"]')
    (files / "images" / "ab").mkdir(exist_ok=True)
    (files / "images" / "ab" / "x.jpg").touch()
    verdict = loop_data.audit()
    assert verdict.is_clean
    (note,) = verdict.found.notes
    assert note.startswith("2 files that a killed loop was at")


def test_rows_whose_parent_is_gone_are_found(loop_data: Data) -> None:
    loop_data.sql("DELETE FROM models")
    assert loop_data.found()[0][0] == "reference"
    assert loop_data.found()[0][1].startswith("model_files row ")


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("detections", "max_confidence", 0.1),
        ("detections", "categories", ""),
        ("detections", "number", 99),
        ("detections", "project_id", "another"),
        ("images", "taken", "2020-01-01 00:00:00.000000"),
        ("images", "confidence", 0.1),
        ("images", "detected", ""),
        ("images", "annotated", ""),
    ],
)
def test_values_that_are_not_what_they_are_computed_from_are_found(
    loop_data: Data, table: str, column: str, value: object
) -> None:
    which = "detected != ''" if table == "images" else "true"
    loop_data.sql(f"UPDATE {table} SET {column} = ? WHERE {which}", value)
    (finding,) = loop_data.audit().found.findings
    assert finding.kind.value == "derived"
    assert finding.detail.startswith(f"{column} is ")


def test_a_project_that_would_give_a_number_twice_is_found(loop_data: Data) -> None:
    loop_data.add_training(3)
    assert loop_data.found() == [("derived", "project zoo/cats")]


def test_detections_that_cannot_be_read_are_found(loop_data: Data) -> None:
    loop_data.sql("UPDATE detections SET shapes = '{\"box_detections\": 7}'")
    assert [kind for kind, _ in loop_data.found()] == ["database"]


def test_a_database_of_another_version_is_found_and_asked_nothing_more(loop_data: Data) -> None:
    loop_data.images[1].unlink()
    loop_data.sql("UPDATE alembic_version SET version_num = '0001'")
    assert loop_data.found() == [("migration", "database")]
    assert loop_data.found(repair=True) == [("migration", "database")]


def test_a_damaged_index_is_found_by_a_deep_check_and_nothing_is_repaired(loop_data: Data) -> None:
    loop_data.images[1].unlink()
    wrong = "CREATE INDEX ix_images_content_hash ON images (frame_id)"
    with closing(sqlite3.connect(loop_data.folder / "loop.sqlite")) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        which = "UPDATE sqlite_master SET sql = ? WHERE name = 'ix_images_content_hash'"
        connection.execute(which, (wrong,))
        connection.commit()
    verdict = loop_data.audit(deep=True, repair=True)
    assert {finding.kind.value for finding in verdict.found.findings} == {"database"}
    assert (verdict.is_clean, verdict.repairs) == (False, ())


def test_a_file_that_is_no_database_is_refused_with_what_to_do(loop_data: Data) -> None:
    (loop_data.folder / "loop.sqlite").write_bytes(b"garbage" * 1000)
    with pytest.raises(ConfigError, match="restore it from a backup"):
        loop_data.audit()


def test_the_data_of_a_running_loop_is_not_looked_at(loop_data: Data) -> None:
    async def story() -> None:
        async with loop_in_process(loop_data.settings):
            with pytest.raises(ConfigError, match="Another loop works in"):
                await asyncio.to_thread(loop_data.audit)

    asyncio.run(story())


def test_a_folder_without_a_loop_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no loop's data folder"):
        Data(tmp_path).audit()
