"""A detector node and the real loop."""

import asyncio
import contextlib
import itertools
import json
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from detecting import FORMAT, in_service, running_node, until_told
from edgeloop.client import ClientSettings, LoopClient
from edgeloop.client.calls.images import image_file, image_ids, image_records
from edgeloop.client.calls.nodes import nodes
from edgeloop.client.calls.projects import create_project
from edgeloop.client.settings import child_environment
from edgeloop.demo.processes import wait_until
from edgeloop.imaging import encode_jpeg
from edgeloop.loop import LoopSettings
from edgeloop.loop.db.tables import ModelRow
from loops import PASSWORD, USERNAME, ServedLoop, loop_served

UNSURE = encode_jpeg(np.full((32, 32, 3), 50, dtype=np.uint8))


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[ServedLoop]:
    """A loop with the project zoo/cats."""
    settings = LoopSettings(data_folder=tmp_path / "loop", admin_password=SecretStr(PASSWORD))
    with loop_served(settings) as served:
        with LoopClient(admin(served)) as client:
            client.send(create_project("zoo", "cats", [{"name": "cup"}], open_to_devices=True))
        yield served


def admin(loop: ServedLoop) -> ClientSettings:
    """A person at the loop."""
    return ClientSettings(
        host=loop.url,
        username=USERNAME,
        password=SecretStr(PASSWORD),
        organization="zoo",
        project="cats",
    )


def device(loop: ServedLoop) -> ClientSettings:
    """A node without credentials."""
    return ClientSettings(
        host=loop.url, username="", password=SecretStr(""), organization="zoo", project="cats"
    )


def frames_in(loop: ServedLoop) -> list[str]:
    """The ids of the frames in the loop's inbox, sorted."""
    with LoopClient(admin(loop)) as client:
        ids = client.send(image_ids("zoo", "cats", state="inbox"))
        found = []
        for start in range(0, len(ids), 100):
            found += client.send(image_records("zoo", "cats", ids[start : start + 100]))
        return sorted(record.frame_id for record in found)


def deploy(loop: ServedLoop, folder: Path, version: str) -> None:
    """Give zoo/cats a model in the detector's format and make it the target."""
    database = create_engine(f"sqlite:///{folder / 'loop' / 'loop.sqlite'}")
    with httpx.Client(base_url=loop.url, timeout=30) as person:
        person.post("/api/login", data={"username": USERNAME, "password": PASSWORD})
        (project,) = person.get("/api/v1/projects?organization=zoo&name=cats").json()["items"]
        model_id = str(uuid.uuid4())
        row = ModelRow(
            id=model_id,
            project_id=project["id"],
            version=version,
            categories=[],
            created=datetime.now(UTC),
        )
        with Session(database) as session, session.begin():
            session.add(row)
        files = [("files", ("model.json", b"{}")), ("files", ("weights.bin", b"weights"))]
        base = "/api/zoo/projects/cats"
        stored = person.put(f"{base}/models/{model_id}/{FORMAT}/file", files=files)
        assert stored.status_code == 200, stored.text
        body = {"model_id": model_id}
        target = person.put(f"/api/v1/projects/{project['id']}/deployment", json=body)
        assert target.status_code == 200, target.text
    database.dispose()


def test_a_frame_goes_from_detect_to_the_inbox_as_it_was_received(
    tmp_path: Path, loop: ServedLoop
) -> None:
    async def story() -> None:
        async with running_node(tmp_path / "node", device(loop)) as client:
            answer = await client.post("/upload", files=[("files", ("a.jpg", UNSURE))])
            assert answer.status_code == 200
            told = await until_told(client, lambda told: told["outbox"]["waiting"] == 0)
            assert told["outbox"]["refused"] == 0

    asyncio.run(story())
    with LoopClient(admin(loop)) as client:
        (image_id,) = client.send(image_ids("zoo", "cats", state="inbox"))
        assert client.send(image_file("zoo", "cats", image_id)) == UNSURE
        (record,) = client.send(image_records("zoo", "cats", [image_id]))
        assert record.tags == ("picked_by_system",)


def test_a_frame_that_is_sent_twice_is_in_the_loop_once(tmp_path: Path, loop: ServedLoop) -> None:
    async def story() -> None:
        document = json.dumps({"frame_id": "the same"})
        async with running_node(tmp_path / "node", device(loop)) as client:
            for _ in range(2):
                await client.post(
                    "/upload", files=[("files", ("a.jpg", UNSURE))], data={"detections": document}
                )
                await until_told(client, lambda told: told["outbox"]["waiting"] == 0)

    asyncio.run(story())
    assert frames_in(loop) == ["the same"]


def test_a_deployment_reaches_a_node_without_credentials_while_requests_run(
    tmp_path: Path, loop: ServedLoop
) -> None:
    async def story() -> None:
        async with running_node(tmp_path / "node", device(loop)) as client:
            await asyncio.to_thread(deploy, loop, tmp_path, "1.0")
            await in_service(client, "1.0")
            seen: list[str] = []

            async def ask() -> None:
                while "2.0" not in seen:
                    answer = await client.post("/detect", files={"file": UNSURE})
                    assert answer.status_code == 200, answer.text
                    seen.append(answer.json()["box_detections"][0]["model_name"])

            async with asyncio.timeout(60), asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(ask())
                await asyncio.to_thread(deploy, loop, tmp_path, "2.0")
            assert "1.0" in seen
            await until_told(client, lambda told: told["outbox"]["waiting"] == 0)

    asyncio.run(story())
    assert len(frames_in(loop)) == 1  # the scene stayed the same


def test_the_report_reaches_the_loop(tmp_path: Path, loop: ServedLoop) -> None:
    def reported() -> bool:
        with LoopClient(admin(loop)) as client:
            return any(node.name == "left arm" for node in client.send(nodes()).items)

    async def story() -> None:
        async with running_node(tmp_path / "node", device(loop), name="left arm"):
            await asyncio.to_thread(wait_until, reported, what="it is heard", timeout_s=30)

    asyncio.run(story())


class CutBeforeTheAnswer:
    """The loop's app; when armed, it calls ``cut`` between storing images and answering."""

    def __init__(self, app: ASGIApp, cut: Callable[[], None]) -> None:
        self.cut = cut
        self.is_armed = False
        self.cuts = 0
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the app does, but not when armed."""

        async def cutting(message: Message) -> None:
            is_stored = message["type"] == "http.response.start" and message["status"] == 200
            if self.is_armed and is_stored and scope["path"].endswith("/images"):
                self.is_armed = False
                self.cut()
                self.cuts += 1
            await send(message)

        await self._app(scope, receive, cutting)


class NodeProcess:
    """The node in a process of its own, with the port that it took."""

    def __init__(self, folder: Path, loop: ServedLoop) -> None:
        self._environment = child_environment(
            device(loop),
            DATA_FOLDER=str(folder),
            NODE_PORT="0",
            PYTHONPATH=str(Path(__file__).parents[2]),
        )
        self.process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> None:
        """Start it and wait until it listens."""
        script = Path(__file__).parent / "cup_node.py"
        self.process = subprocess.Popen(
            [sys.executable, str(script)],
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment,
        )
        assert self.process.stdout
        self.url = f"http://127.0.0.1:{self.process.stdout.readline().strip()}"

    def end(self, number: signal.Signals) -> int:
        """Send the signal and wait; answers the exit code."""
        process = self.process
        assert process
        assert process.stdout
        process.send_signal(number)
        code = process.wait(30)
        process.stdout.close()
        return code


@pytest.fixture
def node(tmp_path: Path, loop: ServedLoop) -> Iterator[NodeProcess]:
    """A node that runs, with a model."""
    deploy(loop, tmp_path, "1.0")
    node = NodeProcess(tmp_path / "node", loop)
    node.start()
    try:
        yield node
    finally:
        if node.process and node.process.poll() is None:
            node.end(signal.SIGKILL)


def about(node: NodeProcess) -> dict[str, Any]:
    """What it tells about itself."""
    told: dict[str, Any] = httpx.get(f"{node.url}/about").json()
    return told


def show(node: NodeProcess, frame_ids: Sequence[str]) -> None:
    """Let the node see frames and keep all of them."""
    for frame_id in frame_ids:
        answer = httpx.post(
            f"{node.url}/detect",
            files={"file": UNSURE},
            headers={"frame-id": frame_id, "autoupload": "all"},
        )
        assert answer.status_code == 200, answer.text


@pytest.mark.slow
def test_a_node_killed_after_the_loop_stored_and_before_it_answered_stores_nothing_twice(
    loop: ServedLoop, node: NodeProcess
) -> None:
    def kill() -> None:
        node.end(signal.SIGKILL)

    assert loop.app.middleware_stack
    cutting = CutBeforeTheAnswer(loop.app.middleware_stack, kill)
    loop.app.middleware_stack = cutting
    shown: list[str] = []
    for kills in range(1, 6):
        wait_until(lambda: about(node)["model_info"], what="a model works", timeout_s=30)
        httpx.put(f"{node.url}/outbox_mode", content="stopped")
        frame_ids = [f"frame {kills:02}-{number:02}" for number in range(20)]
        show(node, frame_ids)
        shown += frame_ids
        cutting.is_armed = True
        with contextlib.suppress(httpx.TransportError):  # it may be killed before it answers
            httpx.put(f"{node.url}/outbox_mode", content="continuous_upload")
        wait_until(lambda n=kills: cutting.cuts == n, what="it is killed", timeout_s=30)  # type: ignore[misc]
        node.start()
    wait_until(lambda: about(node)["outbox"]["waiting"] == 0, what="all is sent", timeout_s=60)
    assert frames_in(loop) == shown
    assert about(node)["outbox"]["refused"] == 0


@pytest.mark.slow
def test_a_node_killed_while_frames_arrive_loses_none_that_it_answered(
    loop: ServedLoop, node: NodeProcess
) -> None:
    answered: list[str] = []
    for kills in range(5):
        wait_until(lambda: about(node)["model_info"], what="a model works", timeout_s=30)
        timer = threading.Timer(0.05 * kills, node.end, [signal.SIGKILL])
        with contextlib.suppress(httpx.TransportError):
            for number in itertools.count():
                show(node, [f"frame {kills:02}-{number:05}"])
                answered.append(f"frame {kills:02}-{number:05}")
                if number == 5:
                    timer.start()
        timer.join()
        node.start()
    wait_until(lambda: about(node)["outbox"]["waiting"] == 0, what="all is sent", timeout_s=60)
    stored = frames_in(loop)
    assert len(answered) >= 5 * 6
    assert set(answered) <= set(stored)
    assert len(stored) == len(set(stored))
    assert about(node)["outbox"]["refused"] == 0


@pytest.mark.slow
def test_a_node_that_is_asked_to_stop_ends_well(node: NodeProcess) -> None:
    assert node.end(signal.SIGTERM) == 0
