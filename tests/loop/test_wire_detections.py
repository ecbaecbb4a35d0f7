"""Detections as trainers of all versions report them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from edgeloop.loop.services import progress, trainings
from edgeloop.protocol import routes
from edgeloop.protocol.payloads.trainings import TrainingProgressPayload
from edgeloop.protocol.routes import V1
from edgeloop.types import TrainerStatus
from loops import LoopInProcess, OpenLoop
from uploading import pair, receipts

DETECTIONS = routes.detections("zoo", "cats")
NOTHING: dict[str, Any] = {
    "box_detections": [],
    "point_detections": [],
    "segmentation_detections": [],
    "classification_detections": [],
}


async def hear(loop: LoopInProcess, trainer: str, state: str) -> None:
    """A trainer reports from zoo/cats."""
    status = TrainerStatus(
        id=trainer, name=trainer, state=state, organization="zoo", project="cats"
    )
    async with loop.workspaces.write() as workspace:
        await progress.heard_from_trainer(workspace, status)


@contextlib.asynccontextmanager
async def detecting(
    open_loop: OpenLoop, *trainers: str, state: str = "detection_uploading"
) -> AsyncIterator[tuple[LoopInProcess, httpx.AsyncClient, list[str]]]:
    """Trainers whose models 1.0, 2.0 ... are there and detect; two images."""
    async with open_loop() as loop:
        project = await loop.project()
        client = await loop.client()
        for number, trainer in enumerate(trainers, 1):
            await client.post(f"{V1}/projects/{project['id']}/trainings", json={})
            async with loop.workspaces.write() as workspace:
                training = await trainings.numbered(workspace, project["id"], number)
                training.state, training.trainer_id = "running", trainer
            await hear(loop, trainer, "running")
            path = routes.training_model_file("zoo", "cats", number, "mocked")
            await client.put(path, files={"files": ("model.onnx", b"weights")})
            await hear(loop, trainer, state)
        yield loop, client, [r["id"] for r in await receipts(client, [*pair(1), *pair(2)])]


async def seen_by(client: httpx.AsyncClient, image_id: str) -> list[str]:
    """The models that have looked at an image."""
    items = (await client.get(f"{V1}/images/{image_id}/detections")).json()["items"]
    return [item["model_version"] for item in items]


@pytest.mark.parametrize("state", ["running", "detecting", "detected", "detection_uploading"])
def test_nothing_in_a_whole_batch_is_what_the_detecting_training_saw(
    open_loop: OpenLoop, state: str
) -> None:
    async def story() -> None:
        async with detecting(open_loop, "t1", state=state) as (_, client, ids):
            body = [{**NOTHING, "image_id": id_} for id_ in ids]
            answer = await client.post(DETECTIONS, json=body)
            assert (answer.status_code, answer.json()) == (200, {"images": 2})
            assert [await seen_by(client, id_) for id_ in ids] == [["1.0"], ["1.0"]]

    asyncio.run(story())


def test_nothing_is_what_the_one_saw_that_detects_where_another_only_uploads(
    open_loop: OpenLoop,
) -> None:
    async def story() -> None:
        async with detecting(open_loop, "t1", "t2") as (loop, client, ids):
            await hear(loop, "t1", "train_model_uploading")
            await client.post(DETECTIONS, json=[{**NOTHING, "image_id": ids[0]}])
            assert await seen_by(client, ids[0]) == ["2.0"]

    asyncio.run(story())


def test_nothing_is_the_newest_model_s_where_a_training_made_several(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with detecting(open_loop, "t1", state="running") as (loop, client, ids):
            loop.clock.now = loop.clock.now.replace(hour=5)
            async with loop.workspaces.write() as workspace:
                report = TrainingProgressPayload(trainer_id="t1")
                await progress.heard_progress(workspace, "zoo", "cats", report)
            path = routes.training_model_file("zoo", "cats", 1, "mocked")
            await client.put(path, files={"files": ("model.onnx", b"better")})
            await hear(loop, "t1", "detection_uploading")
            await client.post(DETECTIONS, json=[{**NOTHING, "image_id": ids[0]}])
            assert await seen_by(client, ids[0]) == ["1.1"]

    asyncio.run(story())


@pytest.mark.parametrize("trainers", [(), ("t1", "t2")])
def test_nothing_is_nobody_s_where_no_training_or_several_detect(
    open_loop: OpenLoop, trainers: tuple[str, ...]
) -> None:
    async def story() -> None:
        async with detecting(open_loop, *trainers) as (_, client, ids):
            answer = await client.post(DETECTIONS, json=[{**NOTHING, "image_id": ids[0]}])
            assert answer.status_code == 200
            assert await seen_by(client, ids[0]) == []

    asyncio.run(story())


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (0.42, 0.42),
        (1, 1.0),
        (1.0000001, 1.0),
        (42, 0.42),
        (1.5, 0.015),
        (100, 1.0),
        (101, 1.0),
        (0, 0.0),
        (-0.1, 0.0),
    ],
)
def test_confidence_is_kept_from_0_to_1_whatever_the_scale(
    open_loop: OpenLoop, sent: float, kept: float
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            (receipt,) = await receipts(client, pair())
            box = {"category_name": "cat", "model_name": "1.0", "confidence": sent}
            body = {"image_id": receipt["id"], "classification_detections": [box]}
            assert (await client.post(DETECTIONS, json=[body])).status_code == 200
            path = f"{routes.images('zoo', 'cats')}?ids={receipt['id']}&model_version=1.0"
            (image,) = (await client.get(path)).json()["images"]
            assert image["classification_detections"][0]["confidence"] == pytest.approx(kept)

    asyncio.run(story())


@pytest.mark.parametrize("shape", ["1,2,30,2,30,20", {"points": [*"abc"]}])
def test_polygons_come_as_points_or_as_text(open_loop: OpenLoop, shape: Any) -> None:
    corners = [{"x": 1, "y": 2}, {"x": 30, "y": 2}, {"x": 30, "y": 20}]
    sent = shape if isinstance(shape, str) else {"points": corners}

    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            item = {"category_name": "cat", "shape": sent, "model_name": "1.0", "confidence": 1}
            (receipt,) = await receipts(client, pair(segmentation_detections=[item]))
            trained = {**item, "model_name": "2.0"}
            body = {"image_id": receipt["id"], "segmentation_detections": [trained]}
            assert (await client.post(DETECTIONS, json=[body])).status_code == 200
            for version in ("1.0", "2.0"):
                path = f"{routes.images('zoo', 'cats')}?ids={receipt['id']}&model_version={version}"
                (image,) = (await client.get(path)).json()["images"]
                assert image["segmentation_detections"][0]["shape"] == {"points": corners}

    asyncio.run(story())


def test_categories_are_found_by_name_and_unknown_ones_are_kept(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            project = await loop.project()
            client = await loop.client()
            (receipt,) = await receipts(client, pair())
            known = project["categories"][0]["id"]
            sent = [("cat", ""), ("cat", None), ("cat", "some_id"), ("some_name", "some_id")]
            boxes = [
                {
                    "category_name": name,
                    "category_id": id_,
                    "model_name": "1.0",
                    "confidence": 0.5,
                }
                for name, id_ in sent
            ]
            body = {"image_id": receipt["id"], "classification_detections": boxes}
            assert (await client.post(DETECTIONS, json=[body])).status_code == 200
            path = f"{routes.images('zoo', 'cats')}?ids={receipt['id']}&model_version=1.0"
            (image,) = (await client.get(path)).json()["images"]
            kept = [
                (d["category_name"], d["category_id"]) for d in image["classification_detections"]
            ]
            assert kept == [
                ("cat", known),
                ("cat", known),
                ("cat", "some_id"),
                ("some_name", "some_id"),
            ]

    asyncio.run(story())


def test_detections_of_an_unknown_project_are_not_found(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            assert (await client.post(DETECTIONS, json=[])).status_code == 404

    asyncio.run(story())
