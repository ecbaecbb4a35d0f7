"""The project generator and the permanent project, for the test suites of published clients."""

import asyncio
import contextlib
import io
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from PIL import Image

from edgeloop.loop import LoopSettings
from edgeloop.loop.services import deployments, permanent
from edgeloop.loop.services.generator import FIRST_IDS
from edgeloop.protocol import routes
from edgeloop.protocol.payloads.models import read_model_information
from loops import LoopInProcess, loop_in_process

GENERATOR = "/api/zauberzeug/projects/generator"
ASKED: dict[str, Any] = {
    "project_name": "pytest_nodelib_general",
    "inbox": 1,
    "annotate": 2,
    "review": 3,
    "complete": 4,
    "image_style": "plain",
    "box_categories": 2,
    "point_categories": 2,
    "segmentation_categories": 2,
    "thumbs": False,
    "tags": 0,
    "trainings": 1,
    "box_detections": 3,
}
FILES = {"file_1.txt": b"content of file one", "file_2.txt": b"content of file two"}


@pytest.fixture
def test_settings(loop_settings: LoopSettings) -> LoopSettings:
    """A loop with test routes."""
    return loop_settings.model_copy(update={"test_routes": True})


@contextlib.asynccontextmanager
async def generating(settings: LoopSettings) -> AsyncIterator[tuple[LoopInProcess, Any]]:
    """A loop, and a client that logged in with any password."""
    async with loop_in_process(settings) as loop:
        yield loop, await loop.client(password="anything")


async def generated(client: httpx.AsyncClient, **fields: Any) -> str:
    """The path of a project that was generated."""
    answer = await client.post(GENERATOR, json={**ASKED, **fields})
    assert answer.status_code == 200, answer.text
    return routes.project("zauberzeug", fields.get("project_name", ASKED["project_name"]))


async def described(client: httpx.AsyncClient, path: str, query: str = "") -> list[dict[str, Any]]:
    """All images of a project."""
    ids = (await client.get(f"{path}/data?{query}")).json()["image_ids"]
    answer = await client.get(f"{path}/images?ids={','.join(ids)}&model_version=1.0")
    images: list[dict[str, Any]] = answer.json()["images"]
    return images


async def content(client: httpx.AsyncClient, path: str, model_id: str) -> dict[str, bytes]:
    """The files of a model in the format of the test suites."""
    answer = await client.get(f"{path}/models/{model_id}/mocked/file")
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_generated_project_has_the_images_that_were_asked_for(
    test_settings: LoopSettings,
) -> None:
    async def story() -> None:
        async with generating(test_settings) as (_, client):
            path = await generated(client)
            for state in ("inbox", "annotate", "review", "complete"):
                images = await described(client, path, f"state={state}")
                assert len(images) == ASKED[state]
                assert {image["state"] for image in images} == {state}
            assert len(await described(client, path)) == 10

    asyncio.run(story())


@pytest.mark.parametrize(("style", "size"), [("beautiful", (1600, 1200)), ("plain", (800, 600))])
def test_generated_images_are_jpegs_that_can_be_downloaded(
    test_settings: LoopSettings, style: str, size: tuple[int, int]
) -> None:
    async def story() -> None:
        async with generating(test_settings) as (_, client):
            path = await generated(client, image_style=style, inbox=0, annotate=0, review=0)
            images = await described(client, path)
            bodies = [
                (await client.get(f"{path}/images/{image['id']}/main")).content for image in images
            ]
            assert len(set(bodies)) == 4
            for image, body in zip(images, bodies, strict=True):
                with Image.open(io.BytesIO(body)) as opened:
                    opened.load()
                    assert (opened.format, opened.size) == ("JPEG", size)
                assert (image["width"], image["height"]) == size

    asyncio.run(story())


def test_generated_images_train_test_and_train(test_settings: LoopSettings) -> None:
    async def story() -> None:
        async with generating(test_settings) as (_, client):
            path = await generated(client, inbox=0, annotate=0, review=0, complete=3)
            sets = [image["set"] for image in await described(client, path)]
            assert sets == ["train", "test", "train"]

    asyncio.run(story())


def test_complete_images_have_annotations_and_all_have_detections(
    test_settings: LoopSettings,
) -> None:
    async def story() -> None:
        async with generating(test_settings) as (_, client):
            path = await generated(client)
            for image in await described(client, path):
                annotated = 3 if image["state"] in ("review", "complete") else 0
                for kind in ("box", "point", "segmentation"):
                    assert len(image[f"{kind}_annotations"]) == annotated
                    assert len(image[f"{kind}_detections"]) == 3
                for box in image["box_annotations"]:
                    assert (box["width"], box["height"]) == (80, 69)
                    assert 0 <= box["x"] <= 720
                    assert 0 <= box["y"] <= 531

    asyncio.run(story())


def test_annotations_can_be_left_out(test_settings: LoopSettings) -> None:
    async def story() -> None:
        async with generating(test_settings) as (_, client):
            path = await generated(client, box_annotations=0, box_detections=0)
            for image in await described(client, path):
                assert image["box_annotations"] == image["box_detections"] == []

    asyncio.run(story())


def test_categories_are_named_by_colour_and_type(test_settings: LoopSettings) -> None:
    async def story() -> None:
        async with generating(test_settings) as (_, client):
            path = await generated(client, classification_categories=1, box_categories=9)
            categories = (await client.get(f"{path}/data")).json()["categories"]
            names = [category["name"] for category in categories]
            assert names[:2] == ["purple box", "green box"]
            assert names[8:] == [
                "purple box 2",
                "purple point",
                "green point",
                "purple segmentation",
                "green segmentation",
                "purple classification",
            ]
            kinds = [category["type"] for category in categories[9:]]
            assert kinds == ["point"] * 2 + ["segmentation"] * 2 + ["classification"]

    asyncio.run(story())


def test_a_generated_training_has_a_model_that_the_suites_know(
    test_settings: LoopSettings,
) -> None:
    async def story() -> None:
        async with generating(test_settings) as (_, client):
            path = await generated(client)
            (chart,) = (await client.get(f"{path}/trainings")).json()["charts"]
            files = await content(client, path, chart["data"][0]["model_id"])
            described = files.pop("model.json")
            assert files == FILES
            assert b'"format": "mocked"' in described
            info = read_model_information(json.loads(described))
            assert [category.type for category in info.categories] == [
                *("box", "box"),
                *("point", "point"),
                *("segmentation", "segmentation"),
            ]

    asyncio.run(story())


@pytest.mark.parametrize("name", FIRST_IDS)
def test_the_first_images_have_the_ids_that_the_suites_name(
    test_settings: LoopSettings, name: str
) -> None:
    async def story() -> None:
        async with generating(test_settings) as (_, client):
            path = await generated(client, project_name=name, inbox=0, trainings=0)
            ids = (await client.get(f"{path}/data")).json()["image_ids"]
            assert tuple(ids[: len(FIRST_IDS[name])]) == FIRST_IDS[name]
            answer = await client.get(f"{path}/images/{FIRST_IDS[name][0]}/main")
            assert answer.status_code == 200

    asyncio.run(story())


def test_an_id_that_is_in_use_is_not_given_again(test_settings: LoopSettings) -> None:
    async def story() -> None:
        async with generating(test_settings) as (_, client):
            body = {**ASKED, "project_name": "pytest_nodelib_annotator", "trainings": 0}
            await client.post(GENERATOR, json=body)
            path = "/api/ark/projects"
            assert (await client.post(f"{path}/generator", json=body)).status_code == 200
            data = (await client.get(f"{path}/pytest_nodelib_annotator/data")).json()
            assert len(data["image_ids"]) == 10
            assert FIRST_IDS["pytest_nodelib_annotator"][0] not in data["image_ids"]

    asyncio.run(story())


def test_a_project_can_be_deleted_and_generated_again(test_settings: LoopSettings) -> None:
    async def story() -> None:
        async with generating(test_settings) as (_, client):
            name = "pytest_nodelib_annotator"
            path = routes.project("zauberzeug", name)
            query = "?keep_images=true"
            assert (await client.delete(f"{path}{query}")).status_code == 404
            for _ in range(2):
                await generated(client, project_name=name, image_style="plain")
                answer = await client.post(GENERATOR, json={**ASKED, "project_name": name})
                assert answer.status_code == 409
                assert (await client.delete(f"{path}{query}")).status_code == 200

    asyncio.run(story())


def test_tags_are_given_in_turn(test_settings: LoopSettings) -> None:
    async def story() -> None:
        async with generating(test_settings) as (_, client):
            path = await generated(client, tags=2, inbox=3, annotate=0, review=0, complete=0)
            tags = [image["tags"] for image in await described(client, path)]
            assert tags == [["tag 1"], ["tag 2"], ["tag 1"]]

    asyncio.run(story())


@pytest.mark.parametrize(
    "fields",
    [
        {"project_name": "No Name"},
        {"complete": -1},
        {"complete": 900, "inbox": 101},
        {"complete": 2**70},
        {"image_style": "ugly"},
    ],
)
def test_what_cannot_be_generated_is_refused(
    test_settings: LoopSettings, fields: dict[str, Any]
) -> None:
    async def story() -> None:
        async with generating(test_settings) as (_, client):
            answer = await client.post(GENERATOR, json={**ASKED, **fields})
            assert answer.status_code == 422
            projects = (await client.get("/api/projects")).json()["projects"]
            assert [project["project_id"] for project in projects] == ["demo"]

    asyncio.run(story())


def test_keys_of_older_suites_are_ignored(test_settings: LoopSettings) -> None:
    async def story() -> None:
        async with generating(test_settings) as (_, client):
            old = {"categories": 2, "detections": 3, "annotations": 0, "skeleton": False}
            await generated(client, **old)

    asyncio.run(story())


def test_the_permanent_project_is_there_before_any_test(test_settings: LoopSettings) -> None:
    async def story() -> None:
        async with generating(test_settings) as (_, client):
            path = routes.project("zauberzeug", "demo")
            images = await described(client, path)
            assert {image["state"] for image in images} == {
                *("inbox", "annotate", "review", "complete")
            }
            data = (await client.get(f"{path}/data")).json()
            assert "purple point" in [category["name"] for category in data["categories"]]
            target = (await client.get(f"{path}/deployment/target")).json()
            assert target == {"model_uuid": permanent.MODEL_IDS[1], "version": "1.1"}
            (chart,) = (await client.get(f"{path}/trainings")).json()["charts"]
            assert chart["data"][0]["model_id"] == permanent.MODEL_IDS[2]
            for model_id, version in zip(permanent.MODEL_IDS, ("1.0", "1.1", "1.2"), strict=True):
                files = await content(client, path, model_id)
                said = json.loads(files.pop("model.json"))
                assert (files, said["id"], said["version"]) == (FILES, model_id, version)
                assert len(said["categories"]) == len(data["categories"])

    asyncio.run(story())


@pytest.mark.parametrize("model_id", ["0" * 8 + "-0000-0000-0000-" + "0" * 12, "12345678-bobo"])
def test_a_model_that_must_not_exist_does_not(test_settings: LoopSettings, model_id: str) -> None:
    async def story() -> None:
        async with generating(test_settings) as (_, client):
            path = routes.model_file("zauberzeug", "demo", model_id, "mocked")
            assert (await client.get(path)).status_code == 404
            path = routes.training_model_file("zauberzeug", "demo", 0, "mocked")
            answer = await client.put(path, files={"files": ("a.txt", b"a")})
            assert answer.status_code == 404

    asyncio.run(story())


@pytest.mark.parametrize("is_half", [False, True])
def test_the_permanent_project_is_made_once_as_a_whole(
    test_settings: LoopSettings, monkeypatch: pytest.MonkeyPatch, *, is_half: bool
) -> None:
    async def ended(*_: object, **__: object) -> None:
        raise OSError("the end")

    async def begin() -> None:
        async with loop_in_process(test_settings):
            pass

    async def story() -> None:
        if is_half:
            with monkeypatch.context() as patched:
                patched.setattr(deployments, "deploy", ended)
                with pytest.raises(OSError, match="the end"):
                    await begin()
        ids = []
        for _ in range(2):
            async with generating(test_settings) as (_, client):
                path = routes.project("zauberzeug", "demo")
                ids.append((await client.get(f"{path}/data")).json()["image_ids"])
                answer = await client.get(f"{path}/deployment/target")
                assert answer.json()["version"] == "1.1"
        assert ids[0] == ids[1]

    asyncio.run(story())


def test_detectors_without_a_login_may_come_from_afar(test_settings: LoopSettings) -> None:
    async def story() -> None:
        async with generating(test_settings) as (loop, client):
            await generated(client, complete=0, review=0, annotate=0, trainings=0)
            stranger = await loop.stranger()
            for name in ("demo", ASKED["project_name"]):
                path = routes.models("zauberzeug", name)
                assert (await stranger.get(path)).status_code == 200

    asyncio.run(story())
