"""Trainers report what their model saw."""

import asyncio
from typing import Any

import httpx

from edgeloop.loop.services import detections
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from loops import LoopInProcess, OpenLoop
from uploading import pair, receipts

DETECTIONS = routes.detections("zoo", "cats")


def box(model: str = "1.0", **fields: Any) -> dict[str, Any]:
    """A detected cat."""
    shape = {"x": 1, "y": 2, "width": 10, "height": 10, "confidence": 0.5}
    return {"category_name": "cat", "model_name": model, **shape, **fields}


def seen(image_id: str, *boxes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """What was seen in an image."""
    return {"image_id": image_id, "box_detections": list(boxes), **fields}


async def image_in(loop: LoopInProcess) -> tuple[httpx.AsyncClient, str]:
    """A person, and an image in the project zoo/cats."""
    await loop.project()
    client = await loop.client()
    (receipt,) = await receipts(client, pair())
    return client, receipt["id"]


async def stored(client: httpx.AsyncClient, image_id: str) -> dict[str, list[int]]:
    """The left edges of the stored boxes, by model version."""
    items = (await client.get(f"{V1}/images/{image_id}/detections")).json()["items"]
    return {item["model_version"]: [b["x"] for b in item["box_detections"]] for item in items}


def test_entries_of_one_request_count_together_and_replace_those_of_an_earlier_one(
    open_loop: OpenLoop,
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, image_id = await image_in(loop)
            body = [seen(image_id, box(x=1), box(x=2)), seen(image_id, box(x=3))]
            for _ in range(2):
                answer = await client.post(DETECTIONS, json=body)
                assert (answer.status_code, answer.json()) == (200, {"images": 1})
                assert await stored(client, image_id) == {"1.0": [1, 2, 3]}
            await client.post(DETECTIONS, json=[seen(image_id, box(x=9))])
            assert await stored(client, image_id) == {"1.0": [9]}

    asyncio.run(story())


def test_models_do_not_replace_what_others_saw(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, image_id = await image_in(loop)
            await client.post(DETECTIONS, json=[seen(image_id, box("1.0", x=1), box("1.1", x=2))])
            await client.post(DETECTIONS, json=[seen(image_id, box("1.1", x=3))])
            assert await stored(client, image_id) == {"1.0": [1], "1.1": [3]}

    asyncio.run(story())


def test_an_image_in_which_nothing_was_seen_counts_as_looked_at(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, empty = await image_in(loop)
            (receipt,) = await receipts(client, pair(1))
            await client.post(DETECTIONS, json=[seen(empty), seen(receipt["id"], box())])
            assert await stored(client, empty) == {"1.0": []}

    asyncio.run(story())


def test_a_trainer_may_name_the_model_that_saw_nothing(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, image_id = await image_in(loop)
            await client.post(DETECTIONS, json=[seen(image_id, box("2.0"))])
            await client.post(DETECTIONS, json=[seen(image_id, model_name="2.0")])
            assert await stored(client, image_id) == {"2.0": []}

    asyncio.run(story())


def test_without_any_detection_nobody_knows_the_model(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, image_id = await image_in(loop)
            assert (await client.post(DETECTIONS, json=[seen(image_id)])).status_code == 200
            assert await stored(client, image_id) == {}

    asyncio.run(story())


def test_images_of_other_projects_and_unknown_ones_are_left_out(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, image_id = await image_in(loop)
            await loop.project(name="dogs")
            body = [seen(image_id, box()), seen("unknown", box())]
            answer = await client.post(routes.detections("zoo", "dogs"), json=body)
            assert (answer.status_code, answer.json()) == (200, {"images": 0})
            assert await stored(client, image_id) == {}

    asyncio.run(story())


def test_all_kinds_of_shapes_are_kept_with_their_highest_confidence(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, image_id = await image_in(loop)
            common = {"category_name": "cat", "model_name": "1.0"}
            corners = [{"x": 0, "y": 0}, {"x": 9, "y": 0}, {"x": 9, "y": 9}]
            entry = {
                "image_id": image_id,
                "point_detections": [{**common, "x": 1, "y": 2, "confidence": 0.25}],
                "segmentation_detections": [
                    {**common, "shape": {"points": corners}, "confidence": 0.75}
                ],
                "classification_detections": [{**common, "confidence": 50}],
            }
            await client.post(DETECTIONS, json=[entry])
            async with loop.workspaces.read() as workspace:
                found = (await detections.of_image(workspace, image_id))["1.0"]
            assert sorted(found.confidences) == [0.25, 0.5, 0.75]
            assert list(found.segmentations[0].points) == [(0, 0), (9, 0), (9, 9)]
            assert {detection.category_name for detection in found} == {"cat"}

    asyncio.run(story())


def test_unreadable_detections_and_unknown_projects_are_refused(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, image_id = await image_in(loop)
            wrong = [seen(image_id, box(confidence="high"))]
            assert (await client.post(DETECTIONS, json=wrong)).status_code == 422
            answer = await client.post(routes.detections("zoo", "none"), json=[])
            assert answer.status_code == 404

    asyncio.run(story())


def test_more_than_a_thousand_images_at_once_are_refused(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, image_id = await image_in(loop)
            for count, status in ((1000, 200), (1001, 422)):
                answer = await client.post(DETECTIONS, json=[seen(image_id)] * count)
                assert answer.status_code == status, answer.text

    asyncio.run(story())
