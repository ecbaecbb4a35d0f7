"""A fleet in a process of its own, as it looks from outside: it reports, and hears the answers."""

import asyncio
import itertools
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import socketio
from stream.processes import in_background, obey

from loop.site import ORGANIZATION, PROJECT

PERIOD_S = 5.0
REPORT_EVERY = 6
"""So many periods are between two reports of a detector that polls."""
_AT_ONCE = 10
"""So many connect at the same time."""

Say = Callable[[], Awaitable[None]]


def main() -> None:
    """Connect so many nodes, then let them report until the end."""
    port, cookie, generation, detectors, trainers = sys.argv[1:]
    fleet = Fleet(f"http://127.0.0.1:{port}", cookie)
    loop = asyncio.new_event_loop()
    in_background(loop.run_forever)
    build = {"sockets": fleet.detector, "polls": fleet.polling_detector}[generation]
    wanted = [*[build] * int(detectors), *[fleet.trainer] * int(trainers)]
    asyncio.run_coroutine_threadsafe(fleet.connect(wanted), loop).result()
    obey("ready", {"reports": lambda: fleet.answered})


class Fleet:
    """Nodes at one server; ``answered`` counts what they said and were answered."""

    def __init__(self, url: str, cookie: str) -> None:
        self.answered = 0
        self._url = url
        self._cookie = cookie
        self._began = time.monotonic()
        self._tasks: list[asyncio.Task[None]] = []

    async def connect(self, nodes: list[Callable[[], Awaitable[Say]]]) -> None:
        """Connect all; each reports from then on, spread evenly over the period."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def built(build: Callable[[], Awaitable[Say]]) -> Say:
            async with gate:
                return await build()

        said = await asyncio.gather(*(built(build) for build in nodes))
        began = asyncio.get_running_loop().time()
        for place, say in enumerate(said):
            first = began + PERIOD_S * place / len(said)
            self._tasks.append(asyncio.create_task(self._report(say, first)))

    async def detector(self) -> Say:
        """One that reports over its socket, without a login."""
        socket, status = await self._socket("detector", cookie=""), _detector()

        async def say() -> None:
            report = {**status, "uptime": int(self._uptime_s)}
            await _call(socket, "update_detector", ORGANIZATION, PROJECT, report)

        return say

    async def polling_detector(self) -> Say:
        """One that logged in, asks for its target, and reports now and then."""
        headers = {"Cookie": self._cookie} if self._cookie else {}
        client = httpx.AsyncClient(
            base_url=f"{self._url}/api/{ORGANIZATION}/projects/{PROJECT}",
            headers=headers,
            timeout=60,
            verify=False,  # plain http, and no certificates to be read 200 times
        )
        status, turn = _detector(), itertools.count(hash(uuid.uuid4()) % REPORT_EVERY)

        async def say() -> None:
            (await client.get("/deployment/target")).raise_for_status()
            if next(turn) % REPORT_EVERY == 0:
                report = {**status, "uptime": int(self._uptime_s), "node_version": None}
                (await client.post("/detectors", json=report)).raise_for_status()

        return say

    async def trainer(self) -> Say:
        """One that is idle."""
        socket, status = await self._socket("trainer", cookie=self._cookie), _trainer()

        async def say() -> None:
            await _call(socket, "update_trainer", status)

        return say

    async def _socket(self, kind: str, *, cookie: str) -> socketio.AsyncClient:
        is_detector = kind == "detector"
        headers = {
            "organization": ORGANIZATION if is_detector else "",
            "project": PROJECT if is_detector else "",
            "nodeType": kind,
            **({"Cookie": cookie} if cookie else {}),
        }
        socket = socketio.AsyncClient(reconnection=False)
        await socket.connect(
            self._url, headers=headers, socketio_path="/ws/socket.io", wait_timeout=30
        )
        return socket

    async def _report(self, say: Say, at: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.0, at - loop.time()))
            await say()
            self.answered += 1
            at += PERIOD_S

    @property
    def _uptime_s(self) -> float:
        return time.monotonic() - self._began


async def _call(socket: socketio.AsyncClient, event: str, *arguments: Any) -> None:
    answer = await socket.call(event, arguments, timeout=60)
    if not (isinstance(answer, dict) and answer["success"]):
        raise RuntimeError(f"{event}: {answer}")


def _detector() -> dict[str, Any]:
    node_id = str(uuid.uuid4())
    return {
        "id": node_id,
        "uuid": node_id,
        "name": f"detector-{node_id[:8]}",
        "model_format": "onnx",
        "state": "online",
        "errors": {},
        "uptime": 0,
        "current_model": "1.0",
        "target_model": "1.0",
        "operation_mode": "idle",
    }


def _trainer() -> dict[str, Any]:
    node_id = str(uuid.uuid4())
    pretrained = [
        {"name": name, "label": f"Size {name}", "description": "from scratch"} for name in "sml"
    ]
    return {
        "id": node_id,
        "name": f"trainer-{node_id[:8]}",
        "state": "idle",
        "errors": {},
        "uptime": None,
        "progress": None,
        "pretrained_models": pretrained,
        "architecture": "bench",
        "context": None,
    }


if __name__ == "__main__":
    main()
