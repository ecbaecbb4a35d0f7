"""Images arrive from detectors: checked, stored once, all or none."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from edgeloop.errors import ImageError, StorageFull
from edgeloop.loop import LoopSettings
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from fakes import jpeg
from loops import LOCAL, LoopInProcess, OpenLoop
from uploading import IMAGES, Part, image_of, image_part, metadata_part, pair, post, receipts


async def stored_images(loop: LoopInProcess) -> int:
    """How many images the project has, of all states."""
    client = await loop.client()
    (project,) = (await client.get(f"{V1}/projects?name=cats")).json()["items"]
    return sum(project["image_counts"].values())


def stored_files(settings: LoopSettings) -> list[Path]:
    """The files in the storage."""
    return [path for path in (settings.data_folder / "files").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "parts",
    [
        [*pair(1, source="cam1"), *pair(2, source="cam2")],
        [
            metadata_part(source="cam1"),
            metadata_part(source="cam2"),
            image_part(seed=1),
            image_part(seed=2),
        ],
        [
            image_part("image_2%3A0.jpg", seed=2),
            image_part("image_1%3A0.jpg", seed=1),
            metadata_part("image_1:0.json", source="cam1"),
            metadata_part("image_2:0.json", source="cam2"),
        ],
    ],
    ids=["pairs, one after the other", "all JSON first, one name for all", "mixed, by name"],
)
def test_every_order_of_parts_that_clients_send_is_understood(
    open_loop: OpenLoop, parts: list[Part]
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project(open_to_devices=True)
            person = await loop.client()
            stored = await receipts(await loop.stranger(), parts)
            assert [receipt["repeated"] for receipt in stored] == [False, False]
            for receipt, seed in zip(stored, (1, 2), strict=True):
                assert (await image_of(person, receipt))["source"] == f"cam{seed}"
                answer = await person.get(f"{V1}/images/{receipt['id']}/file")
                assert answer.content == jpeg(seed=seed)

    asyncio.run(story())


def test_an_image_is_kept_with_all_that_came_with_it(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            (receipt,) = await receipts(
                client,
                pair(
                    frame_id="f1",
                    tags=["night", "uncertain", "night", ""],
                    source="robot",
                    camera_id="left",
                    created="2026-01-01_12:00:00.123",
                    unknown_key={"a": 1},
                ),
            )
            image = await image_of(client, receipt)
            assert image == {
                "id": receipt["id"],
                "set": image["set"],
                "width": 64,
                "height": 48,
                "state": "inbox",
                "frame_id": "f1",
                "tags": ["night", "uncertain"],
                "source": "robot",
                "created": "2026-01-01_12:00:00.123",
                "box_annotations": [],
                "point_annotations": [],
                "segmentation_annotations": [],
                "classification_annotation": None,
                "annotation_version": 0,
                "received": loop.clock().isoformat(),
                "camera_id": "left",
                "size_bytes": len(jpeg()),
                "confidence": None,
                "novelty": None,
            }

    asyncio.run(story())


def test_an_image_without_a_time_was_made_when_it_was_received(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            first, second = await receipts(
                client, [*pair(1, created=None), *pair(2, date="older name")]
            )
            assert (await image_of(client, first))["created"] == loop.clock().isoformat()
            assert (await image_of(client, second))["created"] == "older name"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (pair(9, data=b"GIF89a"), "image_9.jpg: Not a JPEG"),
        (pair(9, data=b""), "image_9.jpg: Not a JPEG"),
        (pair(9, data=jpeg(seed=9)[:-200]), "image_9.jpg: The JPEG is corrupt"),
        (
            [("files", ("image_9.json", b"{", "text/plain")), image_part("image_9.jpg")],
            "image_9.jpg: The metadata is no JSON",
        ),
        (
            [("files", ("image_9.json", b"\xff", "text/plain")), image_part("image_9.jpg")],
            "image_9.jpg: The metadata is no JSON",
        ),
        (
            [("files", ("image_9.json", b"[" * 100_000, "text/plain")), image_part("image_9.jpg")],
            "image_9.jpg: The metadata is no JSON",
        ),
        (
            [("files", ("image_9.json", b"[]", "text/plain")), image_part("image_9.jpg")],
            "image_9.jpg: The metadata is no JSON object",
        ),
        ([image_part("image_9.jpg")], "send one for each image"),
    ],
)
def test_one_bad_pair_refuses_the_whole_request_and_stores_nothing(
    open_loop: OpenLoop, loop_settings: LoopSettings, bad: list[Part], says: str
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            answer = await post(await loop.client(), [*pair(1), *bad, *pair(2)])
            assert answer.status_code == 422
            assert answer.json()["code"] in ("image", "unprocessable")
            with pytest.raises(ImageError, match=says):
                raise ImageError(answer.json()["detail"])
            assert await stored_images(loop) == 0
            assert stored_files(loop_settings) == []

    asyncio.run(story())


BOX = {"category_name": "cat", "x": 1, "y": 2, "width": 30, "height": 40, "model_name": "1.0"}
AREA = {"category_name": "cat", "model_name": "1.0", "confidence": 1}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({}, 0),
        ({"confidence": None}, 0),
        ({"confidence": float("nan")}, 0),
        ({"confidence": 87.0}, 0.87),
    ],
)
def test_a_detection_without_a_usable_confidence_has_none(
    open_loop: OpenLoop, sent: dict[str, Any], kept: float
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            (receipt,) = await receipts(client, pair(box_detections=[{**BOX, **sent}]))
            answer = await client.get(f"{V1}/images/{receipt['id']}/detections")
            (box,) = answer.json()["items"][0]["box_detections"]
            assert box["confidence"] == pytest.approx(kept)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"tags": ["night", 1, None]}, "tags.1 is wrong"),
        ({"tags": "none"}, "tags is wrong"),
        ({"created": 5}, "created is wrong"),
        ({"created": float("nan")}, "created is wrong"),
        ({"state": 5}, "state is wrong"),
        ({"source": ["belt"]}, "source is wrong"),
        ({"frame_id": {"$gt": ""}}, "frame_id is wrong"),
        ({"image_id": 7}, "image_id is wrong"),
        ({"point_detections": [{"x": 1}]}, "point_detections.0.y is wrong"),
        ({"point_detections": {"x": 1}}, "point_detections is wrong"),
        ({"segmentation_detections": [{**AREA, "shape": "1,2,3"}]}, "shape needs pairs of numbers"),
        ({"segmentation_detections": [{**AREA, "shape": "a,b"}]}, "shape needs pairs of numbers"),
        ({"box_annotations": [{**BOX, "x": "left"}]}, "box_annotations.0.x is wrong"),
        ({"classification_annotation": "cat"}, "classification_annotation is wrong"),
    ],
)
def test_metadata_that_cannot_be_read_cost_no_image_and_nothing_else(
    open_loop: OpenLoop, caplog: pytest.LogCaptureFixture, fields: dict[str, Any], says: str
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            sent = {"box_detections": [{**BOX, "confidence": 1}, {"x": 1}], **fields}
            (receipt,) = await receipts(client, pair(9, **sent))
            answer = await client.get(f"{V1}/images/{receipt['id']}/detections")
            assert len(answer.json()["items"][0]["box_detections"]) == 1
            image = await image_of(client, receipt)
            assert (image["state"], image["source"]) == ("inbox", None)
            assert image["tags"] == [tag for tag in fields.get("tags", []) if tag == "night"]
            assert "zoo/cats: image_9.jpg: left out what is wrong" in caplog.text
            assert says in caplog.text

    asyncio.run(story())


def test_lists_that_are_null_are_empty(
    open_loop: OpenLoop, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            names = ("box", "point", "segmentation", "classification")
            lists = {f"{name}_detections": None for name in names}
            sent: dict[str, Any] = {
                **lists,
                "box_annotations": None,
                "point_annotations": None,
                "tags": None,
            }
            (receipt,) = await receipts(client, pair(**sent))
            assert (await image_of(client, receipt))["tags"] == []
            assert "left out" not in caplog.text

    asyncio.run(story())


def test_a_repeated_frame_is_answered_as_stored_and_not_stored_again(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            first, second = await receipts(
                client, [*pair(1, frame_id="f1"), *pair(2, frame_id="f2")]
            )
            again, third = await receipts(
                client, [*pair(1, frame_id="f1"), *pair(3, frame_id="f3")]
            )
            assert again == {**first, "repeated": True}
            assert (second["repeated"], third["repeated"]) == (False, False)
            assert await stored_images(loop) == 3

    asyncio.run(story())


def test_without_a_frame_id_the_same_bytes_time_and_source_are_a_repeat(
    open_loop: OpenLoop,
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            origin: dict[str, Any] = {"created": "2026-01-01", "source": "cam"}
            parts = [
                metadata_part(**origin),
                metadata_part(**origin),
                image_part(),
                image_part(),
            ]
            first, twin = await receipts(client, parts)
            assert twin == {**first, "repeated": True}
            (later,) = await receipts(client, pair(0, **{**origin, "created": "2026-01-02"}))
            (elsewhere,) = await receipts(client, pair(0, **{**origin, "source": "other"}))
            (again,) = await receipts(client, pair(0, **origin))
            assert len({first["id"], later["id"], elsewhere["id"]}) == 3
            assert again["id"] == first["id"]

    asyncio.run(story())


def test_the_same_frame_id_in_another_project_is_another_image(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            await loop.project(name="dogs")
            client = await loop.client()
            await receipts(client, pair(frame_id="f1"))
            answer = await client.post(routes.images("zoo", "dogs"), files=pair(frame_id="f1"))
            assert answer.json()["items"][0]["repeated"] is False

    asyncio.run(story())


def test_the_same_bytes_are_stored_once(open_loop: OpenLoop, loop_settings: LoopSettings) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            await receipts(await loop.client(), [*pair(0, frame_id="a"), *pair(0, frame_id="b")])
            assert await stored_images(loop) == 2

    asyncio.run(story())
    (path,) = stored_files(loop_settings)
    assert path.read_bytes() == jpeg()
    assert path.parent.name == path.name[:2]


def test_a_loop_that_dies_between_bytes_and_rows_takes_the_repeat(
    open_loop: OpenLoop, loop_settings: LoopSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()

            async def die(*_: Any) -> None:
                raise StorageFull("No space left.")

            with monkeypatch.context() as patch:
                patch.setattr("edgeloop.loop.services.arrivals.add", die)
                assert (await post(client, pair(frame_id="f1"))).status_code == 507
            assert stored_files(loop_settings) == []
            assert await stored_images(loop) == 0
            (receipt,) = await receipts(client, pair(frame_id="f1"))
            assert receipt["repeated"] is False
            answer = await client.get(f"{V1}/images/{receipt['id']}/file")
            assert answer.content == jpeg()

    asyncio.run(story())


def test_requests_at_the_same_time_store_a_frame_once(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            answers = await asyncio.gather(
                *(receipts(client, pair(frame_id="f1")) for _ in range(5))
            )
            assert sum(not answer[0]["repeated"] for answer in answers) == 1
            assert len({answer[0]["id"] for answer in answers}) == 1

    asyncio.run(story())


BOX = {"category_name": "cat", "x": 1, "y": 2, "width": 10, "height": 10}


@pytest.mark.parametrize(
    ("state", "of_device", "of_person"),
    [
        (None, "inbox", "inbox"),
        ("inbox", "inbox", "inbox"),
        ("trash", "trash", "trash"),
        ("annotate", "inbox", "annotate"),
        ("complete", "inbox", "complete"),
        ("sorted", "inbox", "inbox"),
    ],
)
def test_devices_fill_the_inbox_or_the_trash_and_people_any_state(
    open_loop: OpenLoop, state: str | None, of_device: str, of_person: str
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            person, device = await loop.client(), await loop.device(address=LOCAL)
            (receipt,) = await receipts(device, pair(1, state=state))
            assert (await image_of(person, receipt))["state"] == of_device
            (receipt,) = await receipts(person, pair(2, state=state))
            assert (await image_of(person, receipt))["state"] == of_person

    asyncio.run(story())


def test_annotations_and_split_are_taken_from_people_only(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            project = await loop.project(open_to_devices=True)
            person, device = await loop.client(), await loop.device()
            fields: dict[str, Any] = {"box_annotations": [BOX], "set": "val"}
            (theirs,) = await receipts(device, pair(1, **fields))
            image = await image_of(person, theirs)
            assert (image["box_annotations"], image["annotation_version"]) == ([], 0)
            assert image["set"] in ("train", "test")
            (mine,) = await receipts(person, pair(2, **fields))
            image = await image_of(person, mine)
            box = {key: BOX[key] for key in ("x", "y", "width", "height")}
            cat = project["categories"][0]["id"]
            assert image["box_annotations"] == [{"category_id": cat, **box}]
            assert (image["annotation_version"], image["set"]) == (1, "val")

    asyncio.run(story())


def test_annotations_of_categories_that_nobody_knows_are_left_out(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            person = await loop.client()
            boxes = [{**BOX, "category_name": "dog"}, {**BOX, "category_id": "unknown"}, BOX]
            (receipt,) = await receipts(person, pair(box_annotations=boxes))
            assert len((await image_of(person, receipt))["box_annotations"]) == 1

    asyncio.run(story())


def test_detections_are_kept_by_the_model_that_made_them(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            project = await loop.project(open_to_devices=True)
            cat = project["categories"][0]["id"]
            boxes = [
                {**BOX, "model_name": "1.0", "confidence": 0.5, "x": -4, "category_id": None},
                {**BOX, "model_name": "1.1", "confidence": 80, "category_name": "unheard-of"},
                {**BOX, "model_name": "1.1", "confidence": 0.7, "x": 900},
            ]
            shape = "1,2,30,4,5,60"
            segments = [{**BOX, "model_name": "1.1", "confidence": 0.1, "shape": shape}]
            (receipt,) = await receipts(
                await loop.stranger(),
                pair(box_detections=boxes, segmentation_detections=segments),
            )
            path = f"{V1}/images/{receipt['id']}/detections"
            first, second = (await (await loop.client()).get(path)).json()["items"]
            assert (first["model_version"], second["model_version"]) == ("1.0", "1.1")
            (box,) = first["box_detections"]
            assert (box["x"], box["width"], box["category_id"]) == (0, 6, cat)
            (box,) = second["box_detections"]
            assert (box["category_name"], box["category_id"]) == ("unheard-of", "")
            assert box["confidence"] == 0.8
            (segment,) = second["segmentation_detections"]
            assert segment["shape"]["points"][1] == {"x": 30, "y": 4}

    asyncio.run(story())


def test_text_that_cannot_be_stored_is_mended(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            document = b'{"source": "half \\ud83d", "tags": ["\\ud83d\\ude00"]}'
            part: Part = ("files", ("image.json", document, "text/plain"))
            (receipt,) = await receipts(client, [part, image_part()])
            image = await image_of(client, receipt)
            assert (image["source"], image["tags"]) == ("half ?", ["\U0001f600"])

    asyncio.run(story())


def test_closed_projects_take_images_from_people_and_the_same_host(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            assert (await post(await loop.stranger(), pair(1))).status_code == 401
            refusal = await post(await loop.device(), pair(1))
            assert refusal.status_code == 403
            assert "edgeloop project open zoo/cats" in refusal.json()["detail"]
            local = await loop.stranger(address=LOCAL)
            local.headers["X-Forwarded-For"] = "203.0.113.9"
            assert (await post(local, pair(1))).status_code == 401
            del local.headers["X-Forwarded-For"]
            assert (await post(local, pair(1))).status_code == 200
            assert (await post(await loop.client(), pair(2))).status_code == 200

    asyncio.run(story())


def test_devices_cannot_read_images(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            project = await loop.project(open_to_devices=True)
            device = await loop.stranger(address=LOCAL)
            (receipt,) = await receipts(device, pair())
            image_id = receipt["id"]
            for path in (
                routes.data("zoo", "cats"),
                routes.images_by_id("zoo", "cats", [image_id]),
                routes.image_file("zoo", "cats", image_id),
                f"{V1}/projects/{project['id']}/images",
                f"{V1}/images/{image_id}",
                f"{V1}/images/{image_id}/file",
                f"{V1}/images/{image_id}/thumbnail",
                f"{V1}/images/{image_id}/detections",
            ):
                assert (await device.get(path)).status_code == 401, path
            path = f"{V1}/images/{image_id}/annotations"
            assert (await device.put(path, json={"state": "complete"})).status_code == 401
            path = routes.detections("zoo", "cats")
            assert (await device.post(path, json=[])).status_code == 401

    asyncio.run(story())


def test_what_is_no_upload_is_not_answered_as_if_it_were_stored(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            bodies: list[dict[str, Any]] = [
                {},
                {"content": jpeg(), "headers": {"content-type": "image/jpeg"}},
                {"json": {"tags": []}},
                {"data": {"tags": "night"}},
                {"files": [("note", (None, "a field", None))]},
            ]
            for sent in bodies:
                answer = await client.post(IMAGES, **sent)
                assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable")
                assert "send multipart/form-data with pairs" in answer.json()["detail"]

    asyncio.run(story())


def test_images_go_to_existing_projects_only(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            assert (await post(await loop.client(), pair())).status_code == 404
            assert (await post(await loop.stranger(address=LOCAL), pair())).status_code == 404

    asyncio.run(story())
