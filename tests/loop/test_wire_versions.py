"""What published nodes of each age send, as they send it."""

import asyncio
from typing import Any

import httpx
import pytest

from edgeloop.protocol import events, routes
from edgeloop.protocol.payloads.nodes import acknowledgement
from edgeloop.protocol.routes import V1
from loops import OpenLoop, ServedLoop
from sockets import connected, run
from uploading import IMAGES, Part, image_of, image_part, metadata_part, receipts

NOTHING: dict[str, Any] = {
    "box_detections": [],
    "point_detections": [],
    "segmentation_detections": [],
    "classification_detections": [],
}
BOX = {
    "category_name": "cat",
    "x": 1,
    "y": 2,
    "width": 30,
    "height": 40,
    "model_name": "1.1",
    "confidence": 0.42,
    "category_id": "",
}
METADATA: dict[str, dict[str, Any]] = {
    "0.10.0": {**NOTHING, "tags": [], "date": "2026-01-01_10:00:00.123456"},
    "0.11.1": {
        **NOTHING,
        "box_detections": [BOX],
        "tags": ["uncertain"],
        "created": "2026-01-01_10:00:00.123456",
        "source": "unknown",
    },
    "0.16.0": {**NOTHING, "tags": ["picked_by_system"], "created": "2026-01-01", "source": "robot"},
    "0.17.0": {
        **NOTHING,
        "tags": [],
        "created": None,
        "source": None,
        "box_annotations": [
            {"category_name": "cat", "x": 1, "y": 2, "width": 3, "height": 4, "category_id": None}
        ],
        "point_annotations": [],
        "classification_annotation": None,
    },
    "0.27.0": {
        **NOTHING,
        "segmentation_detections": [
            {
                "category_name": "cat",
                "shape": "1,2,30,2,30,20",
                "model_name": "1.1",
                "confidence": 0.9,
                "category_id": None,
            }
        ],
        "tags": ["unexpected_observations_count"],
        "created": "2026-01-01_10:00:00.123",
        "source": None,
        "box_annotations": [],
        "point_annotations": [],
        "classification_annotation": {"category_name": "cat", "category_id": None},
        "state": "trash",
    },
}
STAMPS = ("2026-11-22_03%3A28%3A05.524336", "2026-11-22_03%3A28%3A05.624336")
ORDERS: dict[str, list[Part]] = {
    "0.10.0": [metadata_part(), image_part()],
    "0.10.8": [
        metadata_part(source="0"),
        metadata_part(source="1"),
        image_part(seed=0),
        image_part(seed=1),
    ],
    "0.13.3": [
        part
        for seed, stamp in enumerate(STAMPS)
        for part in (
            metadata_part(f"image_{stamp}.json", source=str(seed)),
            image_part(f"image_{stamp}.jpg", seed=seed),
        )
    ],
}
TRAINERS: dict[str, dict[str, Any]] = {
    "0.11.1": {
        "id": "t1",
        "name": "gpu",
        "state": "running",
        "errors": {"run_training": "too hot"},
        "uptime": 12.5,
        "progress": 0.25,
        "train_image_count": 8,
        "test_image_count": 2,
        "skipped_image_count": 1,
        "pretrained_models": [{"name": "small", "label": "Small", "description": "a small one"}],
        "hyperparameters": {"resolution": 800, "flipRl": False, "flipUd": False},
        "architecture": "mocked",
        "context": {"organization": "zoo", "project": "cats"},
    },
    "0.27.0": {
        "id": "t1",
        "name": "gpu",
        "state": "running",
        "errors": {"run_training": "too hot"},
        "uptime": 12.5,
        "progress": 0.25,
        "pretrained_models": [{"name": "small", "label": "Small", "description": "a small one"}],
        "architecture": "mocked",
        "context": {"organization": "zoo", "project": "cats"},
    },
}
PROGRESS: dict[str, dict[str, Any]] = {
    "0.11.1": {
        "confusion_matrix": {},
        "train_image_count": 8,
        "test_image_count": 2,
        "trainer_id": "t1",
        "hyperparameters": {"resolution": 800, "flipRl": False, "flipUd": False},
    },
    "0.27.0": {
        "trainer_id": "t1",
        "trainer_name": "gpu",
        "confusion_matrix": {},
        "train_image_count": 8,
        "test_image_count": 2,
        "hyperparameters": {"resolution": 800, "epochs": 3},
        "best_epoch": None,
    },
}
DETECTORS: dict[str, dict[str, Any]] = {
    "0.16.0": {
        "uuid": "d1",
        "name": "press",
        "state": "online",
        "uptime": 17,
        "model_format": "mocked",
        "current_model": None,
        "target_model": "1.1",
        "errors": {"update_model": "Could not update model: no space"},
        "operation_mode": "idle",
    },
}
DETECTORS["0.27.0"] = {**DETECTORS["0.16.0"], "node_version": None, "operation_mode": "startup"}


@pytest.mark.parametrize("version", METADATA)
def test_what_detectors_say_of_an_image_is_kept(open_loop: OpenLoop, version: str) -> None:
    said = METADATA[version]

    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            parts = [metadata_part(**said), image_part()]
            image = await image_of(client, (await receipts(client, parts))[0])
            created = said.get("created") or said.get("date")
            assert image["created"] == (created or loop.clock.now.isoformat())
            assert image["source"] == said.get("source")
            assert image["tags"] == said["tags"]
            assert image["state"] == said.get("state", "inbox")
            assert len(image["box_annotations"]) == len(said.get("box_annotations", []))
            assert bool(image["classification_annotation"]) == bool(
                said.get("classification_annotation")
            )
            found = await client.get(f"{V1}/images/{image['id']}/detections")
            assert len(found.json()["items"]) == sum(len(said[kind]) for kind in NOTHING)

    asyncio.run(story())


@pytest.mark.parametrize("version", ORDERS)
def test_pairs_are_put_together_in_the_order_of_each_version(
    open_loop: OpenLoop, version: str
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project(open_to_devices=True)
            stored = await receipts(await loop.stranger(), ORDERS[version])
            client = await loop.client()
            for seed, receipt in enumerate(stored):
                image = await image_of(client, receipt)
                assert image["source"] in (str(seed), None)
                answer = await client.get(f"{IMAGES}/{image['id']}/main")
                assert answer.content == image_part(seed=seed)[1][1]

    asyncio.run(story())


def test_names_and_types_of_fields_do_not_matter(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            metadata, image = metadata_part()[1], image_part()[1]
            parts = [
                ("json", (metadata[0], metadata[1], "application/octet-stream")),
                ("jpeg", (image[0], image[1], "text/html")),
            ]
            assert len(await receipts(client, parts)) == 1

    asyncio.run(story())


@pytest.mark.parametrize("version", TRAINERS)
def test_a_trainer_of_each_version_is_understood(served_loop: ServedLoop, version: str) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        (project,) = (await client.get(f"{V1}/projects")).json()["items"]
        path = f"{V1}/projects/{project['id']}/trainings"
        training_id = (await client.post(path, json={})).json()["id"]
        idle = {**TRAINERS[version], "state": "idle", "context": None, "errors": {}}
        async with connected(client) as node:
            assert await node.call(events.UPDATE_TRAINER, idle) == acknowledgement()
            await node.commands.get()
            assert await node.call(events.UPDATE_TRAINER, TRAINERS[version]) == acknowledgement()
            training = (await client.get(f"{V1}/trainings/{training_id}")).json()
            assert (training["trainer_state"], training["progress"]) == ("running", 0.25)
            assert training["errors"] == {"run_training": "too hot"}
            answer = await node.call(events.UPDATE_TRAINING, "zoo", "cats", PROGRESS[version])
            assert (answer["success"], answer["error_msg"]) == (True, None)
            models = (await client.get(routes.models("zoo", "cats"))).json()["models"]
            assert models[0]["id"] == answer["payload"]["model_uuid"]
            assert (models[0]["version"], models[0]["formats"]) == (None, [])

    run(served_loop, story)


@pytest.mark.parametrize("version", DETECTORS)
def test_a_detector_of_each_version_is_understood(open_loop: OpenLoop, version: str) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project(open_to_devices=True)
            device = await loop.device()
            path = routes.detectors("zoo", "cats")
            assert (await device.post(path, json=DETECTORS[version])).status_code == 200
            (node,) = (await (await loop.client()).get(f"{V1}/nodes")).json()["items"]
            assert node["status"]["errors"] == DETECTORS[version]["errors"]

    asyncio.run(story())


def test_an_old_detector_s_second_socket_with_a_cookie_of_the_past_is_let_in(
    served_loop: ServedLoop,
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with connected(
            client, kind="detector", cookie="edgeloop_session=unknown", project="zoo/cats"
        ) as node:
            status = {**DETECTORS["0.16.0"], "id": "d1"}
            answer = await node.call(events.UPDATE_DETECTOR, "zoo", "cats", status)
            assert answer == acknowledgement()

    run(served_loop, story)


@pytest.mark.parametrize("query", ["", "?", "?mode=boxes", "?state=inbox&mode=boxes"])
def test_data_ignores_what_it_does_not_know(open_loop: OpenLoop, query: str) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            (receipt,) = await receipts(client, [metadata_part(), image_part()])
            answer = await client.get(f"{routes.data('zoo', 'cats')}{query}")
            assert (answer.status_code, answer.json()["image_ids"]) == (200, [receipt["id"]])

    asyncio.run(story())


def test_images_that_are_gone_are_left_out_of_a_chunk(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            (receipt,) = await receipts(client, [metadata_part(), image_part()])
            ids = [f"{number:08}-0000-0000-0000-000000000000" for number in range(99)]
            path = f"{IMAGES}?ids={','.join([*ids, receipt['id']])}"
            answer = await client.get(path)
            assert answer.status_code == 200
            assert [image["id"] for image in answer.json()["images"]] == [receipt["id"]]

    asyncio.run(story())


def test_a_described_image_has_every_key_that_any_version_reads(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            (receipt,) = await receipts(client, [metadata_part(), image_part()])
            (image,) = (await client.get(f"{IMAGES}?ids={receipt['id']}")).json()["images"]
            assert set(image) >= {
                *("id", "created", "state", "set", "resource", "thumbnail", "width", "height"),
                *("source", "tags", "classification_annotation", *NOTHING),
                *("box_annotations", "point_annotations", "segmentation_annotations"),
            }
            for key in ("resource", "thumbnail"):
                assert (await client.get(f"/api{image[key]}")).status_code == 200

    asyncio.run(story())


def test_published_clients_are_answered_with_exactly_200(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            paths = loop.app.openapi()["paths"]
            said = {
                code
                for path, operations in paths.items()
                if path.startswith("/api/") and not path.startswith(V1)
                for operation in operations.values()
                for code in operation["responses"]
                if code < "400"
            }
            assert said == {"200"}

    asyncio.run(story())


@pytest.mark.parametrize("path", ["/api/status/", "/api/zoo/projects/cats/data/", "/api/projects/"])
def test_nobody_is_sent_elsewhere(open_loop: OpenLoop, path: str) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            answer = await (await loop.client()).get(path)
            assert answer.status_code == 404

    asyncio.run(story())


@pytest.mark.parametrize("state", ["blocked", "waiting_for_slot", "preparing", "a state to come"])
def test_a_trainer_in_any_other_state_than_idle_gets_no_training(
    served_loop: ServedLoop, state: str
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        (project,) = (await client.get(f"{V1}/projects")).json()["items"]
        async with connected(client) as node:
            status = {**TRAINERS["0.27.0"], "state": state, "context": None}
            assert (await node.call(events.UPDATE_TRAINER, status))["success"] is True
            path = f"{V1}/projects/{project['id']}/trainings"
            training_id = (await client.post(path, json={})).json()["id"]
            await node.call(events.UPDATE_TRAINER, status)
            training = (await client.get(f"{V1}/trainings/{training_id}")).json()
            assert training["state"] == "queued"
            assert node.commands.empty()

    run(served_loop, story)
