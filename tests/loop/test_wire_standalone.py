"""Models that no training made: uploaded as people and old tools do it."""

import asyncio
import io
import json
import zipfile
from typing import Any

import httpx
import pytest

from edgeloop.loop.api.limits import MAX_BODY_BYTES
from edgeloop.loop.services import publishing
from edgeloop.protocol import routes
from loops import LOCAL, LoopInProcess, OpenLoop

PROJECT = routes.project("zoo", "cats")
MODELS = routes.models("zoo", "cats")


def zip_of(**files: bytes) -> bytes:
    """A zip; ``model_pt`` is ``model.pt``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


def one_zip(name: str = "my_model.zip", **files: bytes) -> list[Any]:
    """What ``curl -F 'files=@my_model.zip'`` sends."""
    return [("files", (name, zip_of(**(files or {"model_pt": b"weights"}))))]


async def person(loop: LoopInProcess) -> httpx.AsyncClient:
    """A client of the project zoo/cats."""
    await loop.project()
    return await loop.client()


async def listed(client: httpx.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    """The models of the project."""
    found: list[dict[str, Any]] = (await client.get(f"{MODELS}{query}")).json()["models"]
    return found


async def content(client: httpx.AsyncClient, model_id: str, model_format: str) -> dict[str, bytes]:
    """The files of a model as detectors get them."""
    answer = await client.get(routes.model_file("zoo", "cats", model_id, model_format))
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_zip_becomes_a_model_of_its_format_alone(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await person(loop)
            answer = await client.post(f"{PROJECT}/format_a", files=one_zip())
            assert answer.status_code == 200
            assert await listed(client, "?format=format_a") == [
                {
                    "id": answer.json()["id"],
                    "version": "0.0",
                    "formats": ["format_a"],
                    "created": "2026-01-02T03:04:05+00:00",
                    "comment": "uploaded at 2026-01-02 03:04:05.000000",
                }
            ]
            assert await listed(client, "?format=format_b") == []

    asyncio.run(story())


def test_a_converter_adds_its_format_to_it(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await person(loop)
            model_id = (await client.post(f"{PROJECT}/format_a", files=one_zip())).json()["id"]
            path = routes.model_file("zoo", "cats", model_id, "format_b")
            answer = await client.put(path, files=[("files", ("model.b", b"converted"))])
            assert (answer.status_code, answer.json()) == (200, {"id": model_id})
            (model,) = await listed(client, "?format=format_b")
            assert (model["version"], model["formats"]) == ("0.0", ["format_a", "format_b"])

    asyncio.run(story())


@pytest.mark.parametrize("path", [f"{PROJECT}/format_a", f"{MODELS}/format_a"])
@pytest.mark.parametrize(
    "sent",
    [
        one_zip(model_pt=b"weights", hyp_yaml=b"lr"),
        [("files", ("model.pt", b"weights")), ("files", ("hyp.yaml", b"lr"))],
    ],
)
def test_a_zip_and_its_files_alone_make_the_same_model(
    open_loop: OpenLoop, path: str, sent: list[Any]
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await person(loop)
            model_id = (await client.post(path, files=sent)).json()["id"]
            files = await content(client, model_id, "format_a")
            assert (files["model.pt"], files["hyp.yaml"]) == (b"weights", b"lr")
            assert sorted(files) == ["hyp.yaml", "model.json", "model.pt"]

    asyncio.run(story())


def test_the_model_json_is_made_where_there_is_none(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await person(loop)
            model_id = (await client.post(f"{PROJECT}/format_a", files=one_zip())).json()["id"]
            said = json.loads((await content(client, model_id, "format_a"))["model.json"])
            (category,) = said.pop("categories")
            assert (category["name"], category["type"]) == ("cat", "box")
            assert said == {
                "host": "http://loop",
                "organization": "zoo",
                "project": "cats",
                "version": "0.0",
                "id": model_id,
                "format": "format_a",
            }

    asyncio.run(story())


def test_the_model_json_is_corrected_and_keeps_what_others_need(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await person(loop)
            brought = {
                "host": "elsewhere",
                "version": "4.0",
                "id": "x",
                "format": "x",
                "resolution": 800,
                "categories": [{"id": "2", "name": "b"}, {"id": "1", "name": "a"}],
                "more": {"anchors": [1, 2]},
            }
            sent = one_zip(model_pt=b"w", model_json=json.dumps(brought).encode())
            model_id = (await client.post(f"{PROJECT}/format_a", files=sent)).json()["id"]
            said = json.loads((await content(client, model_id, "format_a"))["model.json"])
            assert {key: said[key] for key in ("resolution", "categories", "more")} == {
                key: brought[key] for key in ("resolution", "categories", "more")
            }
            assert (said["host"], said["version"], said["id"], said["format"]) == (
                "http://loop",
                "0.0",
                model_id,
                "format_a",
            )

    asyncio.run(story())


def test_each_model_that_is_brought_gets_a_version_of_its_own(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await person(loop)
            uploads = [client.post(f"{PROJECT}/format_a", files=one_zip()) for _ in range(4)]
            answers = await asyncio.gather(*uploads)
            assert {answer.status_code for answer in answers} == {200}
            versions = sorted(answer.json()["version"] for answer in answers)
            assert versions == ["0.0", "0.1", "0.2", "0.3"]
            assert len(await listed(client)) == 4

    asyncio.run(story())


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ([("files", ("my_model.zip", b"no zip"))], "no zip"),
        (one_zip(model_json=b"{}"), "no model file"),
        (one_zip(model_pt=b"w", model_json=b"[]"), "not a JSON object"),
        ([("files", ("my_model.zip", zip_of(**{"../model": b"w"})))], "without folders"),
        ([("files", ("my_model.zip", zip_of(**{".hidden": b"w"})))], "no name for a file"),
        ([("files", ("model.pt", b"w")), ("files", ("model.pt", b"v"))], "two files"),
        ([("comment", (None, b"no file"))], "no model file"),
    ],
)
def test_what_makes_no_model_leaves_nothing(
    open_loop: OpenLoop, sent: list[Any], reason: str
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await person(loop)
            answer = await client.post(f"{PROJECT}/format_a", files=sent)
            assert answer.status_code == 422
            assert reason in answer.json()["detail"]
            assert await listed(client) == []
            assert [path for path in (loop.folder / "files").rglob("*") if path.is_file()] == []

    asyncio.run(story())


@pytest.mark.parametrize(
    "name", [*sorted(routes.RESOURCES - {"images", "detections", "detectors"})]
)
def test_resources_are_no_formats(open_loop: OpenLoop, name: str) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await person(loop)
            answer = await client.post(f"{PROJECT}/{name}", files=one_zip())
            assert answer.status_code == 422
            assert "no name for a model format" in answer.json()["detail"]

    asyncio.run(story())


@pytest.mark.parametrize("path", [f"{PROJECT}/format_a", f"{MODELS}/format_a"])
@pytest.mark.parametrize("address", [LOCAL, "203.0.113.9"])
def test_bringing_a_model_takes_an_account(open_loop: OpenLoop, path: str, address: str) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await person(loop)
            stranger = await loop.stranger(address=address)
            answer = await stranger.post(path, files=one_zip())
            assert answer.status_code == 401
            assert await listed(client) == []

    asyncio.run(story())


@pytest.mark.parametrize("path", [f"{PROJECT}/format_a", f"{MODELS}/format_a"])
def test_a_model_may_be_larger_than_other_requests(open_loop: OpenLoop, path: str) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await person(loop)
            weights = [("files", ("model.pt", bytes(MAX_BODY_BYTES + 1)))]
            assert (await client.post(path, files=weights)).status_code == 200

    asyncio.run(story())


def test_a_model_that_loses_every_race_for_a_version_is_asked_to_wait(
    open_loop: OpenLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def always_the_same(*_: object) -> str:
        return "0.0"

    async def story() -> None:
        async with open_loop() as loop:
            client = await person(loop)
            await client.post(f"{PROJECT}/format_a", files=one_zip())
            monkeypatch.setattr(publishing, "next_version", always_the_same)
            answer = await client.post(f"{PROJECT}/format_a", files=one_zip())
            assert answer.status_code == 503
            assert len(await listed(client)) == 1

    asyncio.run(story())
