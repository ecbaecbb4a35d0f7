"""The repair of a loop's data: clean afterwards, and nothing that people made is gone for good."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from audits import FRAMES, Data
from edgeloop.loop.services.files import image_key, thumbnail_key
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from fakes import jpeg
from loops import LoopInProcess, loop_in_process


def lost(data: Data) -> dict[str, Any]:
    """What was written down."""
    (file,) = data.removed("lost.json")
    read: dict[str, Any] = json.loads(file.read_text())
    return read


def count(data: Data, table: str) -> int:
    ((number,),) = data.sql(f"SELECT count(*) FROM {table}")
    return int(number)


async def image_of_frame_0(client: httpx.AsyncClient) -> tuple[dict[str, Any], dict[str, Any]]:
    """The annotated image, and what was seen in it."""
    ids = (await client.get(f"{routes.data('zoo', 'cats')}?state=complete")).json()["image_ids"]
    image = (await client.get(f"{V1}/images/{ids[0]}")).json()
    seen = (await client.get(f"{V1}/images/{ids[0]}/detections")).json()
    return image, seen


def test_an_image_without_a_file_is_taken_out_of_all_projects(loop_data: Data) -> None:
    loop_data.images[0].unlink()  # that of two projects
    verdict = loop_data.audit(repair=True)
    assert verdict.is_clean
    assert count(loop_data, "images") == FRAMES - 1
    written = lost(loop_data)
    assert sorted(image["project"] for image in written["images"]) == ["zoo/cats", "zoo/dogs"]
    assert len(list((loop_data.folder / "files" / "thumbs").rglob("*.jpg"))) == FRAMES - 1


def test_an_image_that_was_taken_out_comes_back_whole_by_an_upload(loop_data: Data) -> None:
    async def before(loop: LoopInProcess) -> tuple[dict[str, Any], dict[str, Any]]:
        return await image_of_frame_0(await loop.client())

    async def after(loop: LoopInProcess) -> tuple[dict[str, Any], dict[str, Any]]:
        (document,) = loop_data.removed("zoo/cats/*.json")
        client = await loop.client()
        parts = [
            ("files", (document.name, document.read_bytes(), "application/json")),
            ("files", (f"{document.stem}.jpg", jpeg(seed=0), "image/jpeg")),
        ]
        answer = await client.post(routes.images("zoo", "cats"), files=parts)
        assert answer.status_code == 200, answer.text
        return await image_of_frame_0(client)

    def at(story: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        async def whole() -> tuple[dict[str, Any], dict[str, Any]]:
            async with loop_in_process(loop_data.settings) as loop:
                told: tuple[dict[str, Any], dict[str, Any]] = await story(loop)
                return told

        return asyncio.run(whole())

    image, seen = at(before)
    loop_data.images[0].unlink()
    assert loop_data.audit(repair=True).is_clean
    again, seen_again = at(after)
    new = {"id", "received", "resource", "thumbnail"}
    assert {k: v for k, v in again.items() if k not in new} == {
        k: v for k, v in image.items() if k not in new
    }
    assert seen_again["items"] == seen["items"]


def test_a_damaged_image_is_taken_out_and_its_file_kept_aside(loop_data: Data) -> None:
    path = loop_data.images[1]
    path.write_bytes(b"half")
    assert loop_data.audit(repair=True).is_clean
    assert not path.exists()
    (aside,) = loop_data.removed(path.name)
    assert aside.read_bytes() == b"half"
    assert len(lost(loop_data)["images"]) == 1


def test_a_model_without_its_file_loses_the_format_and_stays(loop_data: Data) -> None:
    loop_data.model.unlink()
    assert loop_data.audit(repair=True).is_clean
    assert (count(loop_data, "models"), count(loop_data, "model_files")) == (1, 0)
    (model,) = lost(loop_data)["models"]
    assert (model["project"], model["format"]) == ("zoo/cats", "onnx")


def test_a_model_whose_bytes_have_changed_is_kept_aside(loop_data: Data) -> None:
    path = loop_data.model
    path.write_bytes(bytes(path.stat().st_size))
    assert loop_data.audit(repair=True, deep=True).is_clean
    assert len(loop_data.removed("*.zip")) == 1


def test_files_that_no_row_needs_are_moved_aside_and_thumbnails_deleted(loop_data: Data) -> None:
    kept, deleted = image_key("ab" * 32), thumbnail_key("ab" * 32)
    for key in (kept, deleted):
        path = loop_data.folder / "files" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    verdict = loop_data.audit(repair=True)
    assert verdict.is_clean
    assert [path.parts[-3:] for path in loop_data.removed("*.jpg")] == [tuple(kept.split("/"))]
    assert len(verdict.repairs) == 1
    assert loop_data.audit().found.findings == []


def test_rows_whose_parent_is_gone_are_written_down_and_taken_out(loop_data: Data) -> None:
    loop_data.sql("DELETE FROM models")
    assert loop_data.audit(repair=True).is_clean  # its file went, too
    (row,) = lost(loop_data)["rows"]
    assert (row["table"], row["format"]) == ("model_files", "onnx")


def test_images_of_a_project_that_is_gone_go_with_all_that_belongs_to_them(
    loop_data: Data,
) -> None:
    loop_data.sql("DELETE FROM projects WHERE name = 'cats'")
    verdict = loop_data.audit(repair=True)
    assert verdict.is_clean
    assert count(loop_data, "images") == 1
    assert count(loop_data, "detections") == 0
    assert len(loop_data.images) == 1
    assert len(loop_data.removed("*.jpg")) == FRAMES - 1


def test_stale_values_are_computed_anew(loop_data: Data) -> None:
    loop_data.sql("UPDATE detections SET max_confidence = 0.1")
    loop_data.sql("UPDATE images SET annotated = '', taken = '2020-01-01 00:00:00.000000'")
    loop_data.add_training(3)
    assert loop_data.audit(repair=True).is_clean
    assert loop_data.sql("SELECT max_confidence FROM detections") == [(0.75,)]
    assert loop_data.sql("SELECT trainings_begun FROM projects WHERE name = 'cats'") == [(3,)]


def test_what_a_killed_loop_was_at_is_settled(loop_data: Data) -> None:
    files = loop_data.folder / "files"
    (files / ".draft-1").touch()
    (files / ".intent-1").write_text('["images/ab/x.jpg"]')
    (files / "images" / "ab").mkdir(exist_ok=True)
    (files / "images" / "ab" / "x.jpg").touch()
    verdict = loop_data.audit(repair=True)
    assert (verdict.found.findings, verdict.found.notes) == ([], [])
    assert not (files / "images" / "ab" / "x.jpg").exists()


def test_when_most_images_are_gone_nothing_is_taken_out(
    loop_data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeloop.loop.services.audit.repair._FEW", 1)
    (loop_data.folder / "files").rename(loop_data.folder / "unmounted")
    verdict = loop_data.audit(repair=True)
    assert not verdict.is_clean
    assert "is the disk with the files mounted?" in verdict.repairs[0]
    assert count(loop_data, "images") == FRAMES + 1


def test_repairing_what_is_clean_does_nothing(loop_data: Data) -> None:
    verdict = loop_data.audit(repair=True)
    assert (verdict.is_clean, verdict.repairs) == (True, ())
    assert not (loop_data.folder / "removed").exists()
