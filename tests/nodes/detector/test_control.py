"""What operators ask and set, over REST."""

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from detecting import FORMAT, OddLoop, in_service, local_model, running_node, until_told
from edgeloop.imaging import encode_jpeg
from edgeloop.nodes.model_store import ModelStore

Story = Callable[[httpx.AsyncClient, OddLoop], Awaitable[None]]
UNSURE = encode_jpeg(np.full((32, 32, 3), 50, dtype=np.uint8))


def tell(folder: Path, story: Story, **options: Any) -> None:
    """A node with model 1.0, whose loop takes everything."""

    async def told() -> None:
        ModelStore(folder / "models").set_current(local_model(folder / "models", "1.0"))
        async with (
            OddLoop().serve() as loop,
            running_node(folder, loop.settings, **options) as client,
        ):
            await until_told(client, lambda told: told["operation_mode"] == "idle")
            await story(client, loop)

    asyncio.run(told())


async def detect(client: httpx.AsyncClient) -> None:
    answer = await client.post("/detect", files={"file": UNSURE})
    assert answer.status_code == 200, answer.text


def test_about_tells_what_the_node_is_and_does(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, _loop: OddLoop) -> None:
        about = (await client.get("/about")).json()
        assert about["operation_mode"] == "idle"
        assert about["state"] == "online"
        assert about["model_info"]["version"] == "1.0"
        assert about["target_model"] is None
        assert about["version_control"] == "follow_loop"
        assert about["name"] == "left arm"
        assert about["errors"] == {}
        assert about["outbox"] == {
            "mode": "continuous_upload",
            "waiting": 0,
            "dropped": 0,
            "refused": 0,
        }

    tell(tmp_path, story, name="left arm")


def test_the_model_version_can_be_set_and_asked(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, loop: OddLoop) -> None:
        loop.deploy("2.0")
        loop.versions = [{"id": "model-2.0", "version": "2.0", "formats": [FORMAT]}]
        await in_service(client, "2.0")
        answer = await client.put("/model_version", content="1.0")
        assert (answer.status_code, answer.json()) == (200, "OK")
        await in_service(client, "1.0")
        assert (await client.get("/model_version")).json() == {
            "current_version": "1.0",
            "target_version": "1.0",
            "loop_version": "2.0",
            "local_versions": ["2.0", "1.0"],
            "version_control": "specific_version",
        }
        await client.put("/model_version", content="pause")
        assert (await client.get("/model_version")).json()["version_control"] == "pause"
        assert (await client.put("/model_version", content="9.9")).status_code == 400
        assert (await client.put("/model_version", content="newest")).status_code == 400

    tell(tmp_path, story)


def test_the_outbox_mode_can_be_set_and_asked(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, loop: OddLoop) -> None:
        assert (await client.get("/outbox_mode")).text == "continuous_upload"
        assert (await client.put("/outbox_mode", content="stopped")).json() == "OK"
        assert (await client.get("/outbox_mode")).text == "stopped"
        await detect(client)
        assert (await client.get("/about")).json()["outbox"]["waiting"] == 1
        assert (await client.put("/outbox_mode", content="perhaps")).status_code == 422
        await client.put("/outbox_mode", content="continuous_upload")
        await loop.until(lambda: bool(loop.uploads))

    tell(tmp_path, story)


def test_frames_that_somebody_deletes_are_not_reported_as_waiting(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, loop: OddLoop) -> None:
        await client.put("/outbox_mode", content="stopped")
        await detect(client)
        for frame in (tmp_path / "outbox").iterdir():
            shutil.rmtree(frame)
        assert (await client.get("/about")).json()["outbox"]["waiting"] == 0
        await client.put("/operation_mode", content="detecting")
        await loop.until(lambda: loop.reports[-1]["operation_mode"] == "detecting")
        assert loop.reports[-1]["outbox_depth"] == 0

    tell(tmp_path, story)


def test_while_detecting_the_model_is_not_replaced(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, loop: OddLoop) -> None:
        assert (await client.get("/operation_mode")).text == "idle"
        assert (await client.put("/operation_mode", content="detecting")).json() == "OK"
        assert (await client.get("/operation_mode")).text == "detecting"
        loop.deploy("2.0")
        asked = loop.questions
        await loop.until(lambda: loop.questions > asked + 2)
        assert (await client.get("/about")).json()["model_info"]["version"] == "1.0"
        assert (await client.put("/operation_mode", content="check")).status_code == 422
        await client.put("/operation_mode", content="idle")
        await in_service(client, "2.0")

    tell(tmp_path, story)


@pytest.fixture
def quiet() -> Iterator[None]:
    logger = logging.getLogger("edgeloop")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.mark.usefixtures("quiet")
def test_debug_logging_can_be_switched(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, _loop: OddLoop) -> None:
        assert (await client.put("/debug_logging", content="on")).json() == "on"
        assert logging.getLogger("edgeloop").level == logging.DEBUG
        assert (await client.put("/debug_logging", content="off")).json() == "off"
        assert logging.getLogger("edgeloop").level == logging.NOTSET
        assert (await client.put("/debug_logging", content="loud")).status_code == 400

    tell(tmp_path, story)


def test_a_reset_needs_the_backdoor(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, _loop: OddLoop) -> None:
        assert (await client.post("/reset")).status_code == 404

    tell(tmp_path, story)


def test_a_reset_forgets_models_and_frames(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, _loop: OddLoop) -> None:
        await client.put("/outbox_mode", content="stopped")
        await detect(client)
        assert (await client.post("/reset")).json() is True
        about = (await client.get("/about")).json()
        assert about["model_info"] is None
        assert about["outbox"]["waiting"] == 0
        assert (await client.get("/model_version")).json()["local_versions"] == []

    tell(tmp_path, story, use_backdoor_controls=True)
