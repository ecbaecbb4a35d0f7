"""The detector's REST routes."""

import asyncio
import errno
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from detecting import (
    CupDetector,
    OddLoop,
    local_model,
    running_node,
    until_told,
)
from edgeloop.imaging import encode_jpeg
from edgeloop.nodes.model_store import ModelStore
from fakes import jpeg

MODEL: dict[str, Any] = {
    "conf_threshold": 0.2,
    "categories": [{"id": "id of cup", "name": "cup"}],
}
Story = Callable[[httpx.AsyncClient, OddLoop], Awaitable[None]]
UNSURE = encode_jpeg(np.full((32, 32, 3), 50, dtype=np.uint8))
SURE = encode_jpeg(np.full((32, 32, 3), 90, dtype=np.uint8))


def tell(folder: Path, story: Story, *, version: str | None = "1.0", **options: Any) -> None:
    """A node with a model, whose loop takes everything."""

    async def told() -> None:
        if version:
            model = local_model(folder / "models", version, **MODEL)
            ModelStore(folder / "models").set_current(model)
        async with (
            OddLoop().serve() as loop,
            running_node(folder, loop.settings, **options) as client,
        ):
            about = await until_told(client, lambda told: told["operation_mode"] == "idle")
            assert version is None or about["model_info"]["version"] == version
            await story(client, loop)

    asyncio.run(told())


async def detect(client: httpx.AsyncClient, image: bytes = UNSURE, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await client.post("/detect", files={"file": image}, headers=named)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_detect_answers_what_was_seen(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, _loop: OddLoop) -> None:
        answer = await detect(client, SURE)
        assert answer["box_detections"] == [
            {
                "category_name": "cup",
                "x": 10,
                "y": 10,
                "width": 20,
                "height": 20,
                "model_name": "1.0",
                "confidence": 0.9,
                "category_id": "id of cup",
            }
        ]
        for kind in ("point", "segmentation", "classification"):
            assert answer[f"{kind}_detections"] == []
        assert answer["tags"] == []

    tell(tmp_path, story)


def test_detect_says_how_long_it_took(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, _loop: OddLoop) -> None:
        answer = await client.post("/detect", files={"file": SURE})
        assert answer.headers["server-timing"].startswith("decode;dur=")
        assert ", detect;dur=" in answer.headers["server-timing"]

    tell(tmp_path, story)


def test_what_the_caller_says_of_a_frame_travels_with_it_to_the_loop(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, loop: OddLoop) -> None:
        answer = await detect(
            client,
            camera_id="left",
            tags="a, b,",
            source="arm",
            creation_date="2026-01-01",
            frame_id="f",
        )
        await loop.until(lambda: bool(loop.uploads))
        for metadata in (answer, loop.uploads[0].metadata[0]):
            assert metadata["tags"] == ["a", "b", "uncertain"]
            assert metadata["source"] == "arm"
            assert metadata["created"] == "2026-01-01"
            assert metadata["frame_id"] == "f"
            assert metadata["camera_id"] == "left"
        assert loop.uploads[0].images == [UNSURE]

    tell(tmp_path, story)


def test_a_camera_may_be_named_by_its_mac(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, _loop: OddLoop) -> None:
        assert (await detect(client, mac="00:11"))["camera_id"] == "00:11"

    tell(tmp_path, story)


def test_a_frame_without_an_id_gets_one(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, _loop: OddLoop) -> None:
        first, second = await detect(client), await detect(client)
        assert first["frame_id"] != second["frame_id"]

    tell(tmp_path, story)


def test_the_caller_decides_what_is_uploaded(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, loop: OddLoop) -> None:
        await detect(client, UNSURE, autoupload="disabled", frame_id="none")
        await detect(client, SURE, autoupload="filtered", frame_id="sure")
        answer = await detect(client, SURE, autoupload="all", frame_id="all")
        await loop.until(lambda: bool(loop.uploads))
        assert answer["tags"] == ["all"]
        assert loop.stored == {"all"}

    tell(tmp_path, story)


async def refusal(client: httpx.AsyncClient, image: bytes, **headers: str) -> tuple[int, str]:
    answer = await client.post("/detect", files={"file": image}, headers=headers)
    assert answer.json()["detail"]
    return answer.status_code, answer.json()["code"]


def test_what_cannot_be_answered_is_told_with_a_status_and_a_code(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, _loop: OddLoop) -> None:
        assert await refusal(client, b"no image") == (422, "image")
        assert await refusal(client, SURE, autoupload="perhaps") == (422, "unprocessable")
        for options in ({}, {"data": {"file": "text"}}, {"files": {"image": SURE}}):
            answer = await client.post("/detect", **options)
            assert answer.status_code == 422

    tell(tmp_path, story)


def test_without_a_model_the_answer_is_503(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, _loop: OddLoop) -> None:
        assert await refusal(client, SURE) == (503, "model_unavailable")
        assert (await client.get("/about")).json()["model_info"] is None
        assert (await client.get("/model_version")).json()["current_version"] == "None"

    tell(tmp_path, story, version=None)


def test_a_request_that_is_too_large_is_413(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, _loop: OddLoop) -> None:
        assert await refusal(client, bytes(4096)) == (413, "too_large")

    tell(tmp_path, story, max_request_bytes=2048)


Files = list[tuple[str, tuple[str, bytes]]]


def files(*images: bytes, documents: tuple[Any, ...] = ()) -> Files:
    named = [("files", (f"{number}.jpg", image)) for number, image in enumerate(images)]
    return named + [
        ("files", (f"{number}.json", json.dumps(item).encode()))
        for number, item in enumerate(documents)
    ]


def test_images_that_somebody_picked_are_uploaded(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, loop: OddLoop) -> None:
        answer = await client.post(
            "/upload?source=tablet&creation_date=today", files=files(jpeg(), jpeg(seed=1))
        )
        assert (answer.status_code, answer.json()) == (200, [200, "OK"])
        await loop.until(lambda: len(loop.stored) == 2)
        for metadata in [item for upload in loop.uploads for item in upload.metadata]:
            assert metadata["tags"] == ["picked_by_system"]
            assert metadata["source"] == "tablet"
            assert metadata["created"] == "today"

    tell(tmp_path, story)


DETECTED = {
    "box_detections": [
        {"category_name": "cup", "x": 1, "y": 2, "width": 3, "height": 4, "confidence": 0.7}
    ],
    "tags": ["odd", "picked_by_system"],
    "source": "arm",
    "frame_id": "mine",
}


def test_an_upload_may_carry_detections_as_a_file(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, loop: OddLoop) -> None:
        await client.post("/upload?source=tablet", files=files(jpeg(), documents=(DETECTED,)))
        await loop.until(lambda: bool(loop.uploads))
        (metadata,) = loop.uploads[0].metadata
        assert metadata["frame_id"] == "mine"
        assert metadata["tags"] == ["odd", "picked_by_system"]
        assert metadata["source"] == "arm"
        assert metadata["box_detections"][0]["confidence"] == 0.7

    tell(tmp_path, story)


def test_an_upload_may_carry_detections_as_a_field(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, loop: OddLoop) -> None:
        answer = await client.post(
            "/upload", files=files(jpeg()), data={"detections": json.dumps(DETECTED)}
        )
        assert answer.status_code == 200
        await loop.until(lambda: loop.stored == {"mine"})

    tell(tmp_path, story)


def annotated(category: str) -> dict[str, Any]:
    return {"point_annotations": [{"category_name": category, "x": 1, "y": 2}]}


def test_annotations_may_name_categories_of_the_model(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, loop: OddLoop) -> None:
        document = annotated("cup")
        await client.post("/upload", files=files(jpeg(), documents=(document,)))
        await loop.until(lambda: bool(loop.uploads))
        (point,) = loop.uploads[0].metadata[0]["point_annotations"]
        assert point["category_id"] == "id of cup"

    tell(tmp_path, story)


bad_uploads: dict[str, Files] = {
    "no image": files(documents=(DETECTED,)),
    "an image without its document": files(jpeg(), jpeg(), documents=(DETECTED,)),
    "no JSON": [*files(jpeg()), ("files", ("a.json", b"{"))],
    "wrong JSON": files(jpeg(), documents=({"box_detections": 1},)),
    "an annotation of an unknown category": files(jpeg(), documents=(annotated("?"),)),
    "a broken image": files(jpeg(), b"no image"),
}


@pytest.mark.parametrize("content", bad_uploads.values(), ids=bad_uploads.keys())
def test_an_upload_that_cannot_be_used_is_422_and_nothing_is_kept(
    tmp_path: Path, content: Files
) -> None:
    async def story(client: httpx.AsyncClient, _loop: OddLoop) -> None:
        answer = await client.post("/upload", files=content)
        assert answer.status_code == 422, answer.text
        assert (await client.get("/about")).json()["outbox"]["waiting"] == 0

    tell(tmp_path, story)


def test_an_upload_to_a_full_disk_is_507(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    async def story(client: httpx.AsyncClient, _loop: OddLoop) -> None:
        monkeypatch.setattr(Path, "write_bytes", full)
        answer = await client.post("/upload", files=files(jpeg()))
        assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
        assert (await detect(client, UNSURE))["box_detections"]
        about = (await client.get("/about")).json()
        assert about["outbox"]["dropped"] == 1
        assert "No space left" in about["errors"]["outbox"]

    tell(tmp_path, story)


class BlockedDetector(CupDetector):
    """Fails on every image."""

    def detect(self, image: Any) -> Any:
        raise RuntimeError("out of memory")


def test_a_detector_that_fails_is_a_500_with_a_sentence(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, _loop: OddLoop) -> None:
        answer = await client.post("/detect", files={"file": SURE})
        assert answer.status_code == 500
        assert "RuntimeError: out of memory" in answer.json()["detail"]

    tell(tmp_path, story, detector_class=BlockedDetector)
