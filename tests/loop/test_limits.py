"""How much may be sent."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from edgeloop.loop import LoopSettings
from edgeloop.loop.api.forms import MAX_METADATA_BYTES
from edgeloop.loop.api.limits import MAX_BODY_BYTES, MAX_LARGE_BODY_BYTES
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from loops import ServedLoop, loop_in_process
from uploading import IMAGES, pair, post

DETECTIONS = routes.detections("zoo", "cats")
SCORES = f"{IMAGES}/novelty_scores"


@pytest.fixture
def small_settings(loop_settings: LoopSettings) -> LoopSettings:
    """Room for 30 kB at once, of which an image may have 20 kB."""
    room = {"max_upload_bytes": 30_000, "max_image_bytes": 20_000}
    return loop_settings.model_copy(update=room)


def test_one_image_that_is_too_large_is_refused_for_good(small_settings: LoopSettings) -> None:
    async def story() -> None:
        async with loop_in_process(small_settings) as loop:
            await loop.project()
            answer = await post(await loop.client(), pair(data=bytes(20_001)))
            assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable")
            assert "image_0.jpg has more than 20000 bytes" in answer.json()["detail"]

    asyncio.run(story())


def test_metadata_that_is_far_too_large_is_refused_for_good(loop_settings: LoopSettings) -> None:
    async def story() -> None:
        async with loop_in_process(loop_settings) as loop:
            await loop.project()
            answer = await post(await loop.client(), pair(source="x" * MAX_METADATA_BYTES))
            assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable")
            assert "image_0.json has" in answer.json()["detail"]

    asyncio.run(story())


@pytest.mark.parametrize("size", [40_000, 400_000])
def test_a_request_that_is_too_large_is_refused_so_that_clients_send_halves(
    small_settings: LoopSettings, size: int
) -> None:
    async def story() -> None:
        async with loop_in_process(small_settings) as loop:
            await loop.project()
            answer = await post(await loop.client(), pair(data=bytes(size)))
            assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable")
            assert "send fewer images" in answer.json()["detail"]

    asyncio.run(story())


def test_a_broken_form_is_refused_in_a_sentence(small_settings: LoopSettings) -> None:
    async def story() -> None:
        async with loop_in_process(small_settings) as loop:
            await loop.project()
            client = await loop.client()
            answer = await client.post(
                IMAGES, content=b"x", headers={"content-type": "multipart/form-data"}
            )
            assert (answer.status_code, answer.json()["code"]) == (400, "input")

    asyncio.run(story())


def test_large_images_go_over_the_wire(served_loop: ServedLoop) -> None:
    with httpx.Client(base_url=served_loop.url) as client:
        form = {"username": served_loop.username, "password": served_loop.password}
        assert client.post(routes.LOGIN, data=form).status_code == 200
        body = {"organization": "zoo", "name": "cats"}
        assert client.post(f"{V1}/projects", json=body).status_code == 200
        data = b"\xff\xd8" + bytes(4_000_000)
        answer = client.post(IMAGES, files=pair(data=data))
        assert (answer.status_code, answer.json()["code"]) == (422, "image")


def test_a_body_that_says_it_is_too_large_is_refused_unread(loop_settings: LoopSettings) -> None:
    async def story() -> None:
        async with loop_in_process(loop_settings) as loop:
            client = await loop.stranger()
            headers = {"content-length": str(MAX_BODY_BYTES + 1)}
            answer = await client.post(f"{V1}/projects", content=b"{}", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    asyncio.run(story())


def test_a_body_that_turns_out_too_large_is_refused(loop_settings: LoopSettings) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY_BYTES // (1 << 20) + 1):
            yield bytes(1 << 20)

    async def story() -> None:
        async with loop_in_process(loop_settings) as loop:
            client = await loop.stranger()
            answer = await client.post(f"{V1}/projects", content=chunks())
            assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    asyncio.run(story())


@pytest.mark.parametrize("name", ["images", "file", "detections", "annotations"])
def test_no_name_in_a_path_lets_more_in(loop_settings: LoopSettings, name: str) -> None:
    async def story() -> None:
        async with loop_in_process(loop_settings) as loop:
            client = await loop.stranger()
            headers = {"content-length": str(MAX_BODY_BYTES + 1)}
            for path in (f"{V1}/users/{name}", f"{V1}/projects/{name}"):
                answer = await client.patch(path, content=b"{}", headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    asyncio.run(story())


LARGE = [("POST", DETECTIONS), ("PUT", SCORES), ("PUT", f"{V1}/images/1/annotations")]


@pytest.mark.parametrize(("method", "path"), LARGE)
def test_who_is_not_let_in_is_told_so_before_a_large_body_is_parsed(
    loop_settings: LoopSettings, method: str, path: str
) -> None:
    async def story() -> None:
        async with loop_in_process(loop_settings) as loop:
            await loop.project()
            for client, expected in ((await loop.stranger(), 401), (await loop.person("ann"), 404)):
                answer = await client.request(method, path, content=b"{" + bytes(MAX_BODY_BYTES))
                assert answer.status_code == expected, answer.text

    asyncio.run(story())


@pytest.mark.parametrize(("method", "path"), LARGE)
def test_even_large_bodies_have_a_bound(
    loop_settings: LoopSettings, method: str, path: str
) -> None:
    async def story() -> None:
        async with loop_in_process(loop_settings) as loop:
            client = await loop.client()
            headers = {"content-length": str(MAX_LARGE_BODY_BYTES + 1)}
            answer = await client.request(method, path, content=b"{}", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    asyncio.run(story())


def test_a_trainer_may_send_megabytes_of_detections_and_a_person_of_outlines(
    loop_settings: LoopSettings,
) -> None:
    async def story() -> None:
        async with loop_in_process(loop_settings) as loop:
            await loop.project()
            client = await loop.client()
            (receipt,) = (await post(client, pair())).json()["items"]
            padding = "x" * MAX_BODY_BYTES
            sighting = {"image_id": receipt["id"], "model_name": "1.0", "ignored": padding}
            answer = await client.post(DETECTIONS, json=[sighting])
            assert (answer.status_code, answer.json()) == (200, {"images": 1})
            scores = {receipt["id"]: 1, padding: 2}
            answer = await client.put(SCORES, json=scores)
            assert (answer.status_code, answer.json()) == (200, {"images": 1})
            path = f"{V1}/images/{receipt['id']}/annotations"
            answer = await client.put(path, json={"state": "review", "ignored": padding})
            assert (answer.status_code, answer.json()["state"]) == (200, "review")

    asyncio.run(story())
