"""Loops for tests: in this process for stories, or served over HTTP in a thread."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import argon2
import httpx
from fastapi import FastAPI

from edgeloop import host
from edgeloop.loop import LoopSettings, create_app
from edgeloop.loop.api.context import Parts
from edgeloop.loop.app import utc_now
from edgeloop.loop.services import accounts, members, passwords
from edgeloop.loop.services.workspace import Workspaces
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from edgeloop.types import Role

USERNAME = "admin"
PASSWORD = "correct horse"
LOCAL = "127.0.0.1"
REMOTE = "203.0.113.9"
CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""What a password costs is tested once: not at every login of every test."""


@dataclass
class MovedClock:
    """A clock that only moves when it is told to."""

    now: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time that was set last."""
        return self.now

    def move(self, by: timedelta) -> None:
        """Let time pass."""
        self.now += by


@dataclass
class LoopInProcess:
    """The real app on a database and a folder of its own; closes its clients itself."""

    app: FastAPI
    folder: Path
    clock: MovedClock
    stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    @property
    def workspaces(self) -> Workspaces:
        """Where services work."""
        parts: Parts = self.app.state.parts
        return parts.workspaces

    async def stranger(self, *, address: str = REMOTE) -> httpx.AsyncClient:
        """A client that did not log in, from another host unless told otherwise."""
        transport = httpx.ASGITransport(
            self.app, client=(address, 50000), raise_app_exceptions=False
        )
        client = httpx.AsyncClient(transport=transport, base_url="http://loop")
        return await self.stack.enter_async_context(client)

    async def client(
        self, username: str = USERNAME, *, password: str = PASSWORD, address: str = REMOTE
    ) -> httpx.AsyncClient:
        """A client that logged in as admin, unless told otherwise."""
        client = await self.stranger(address=address)
        form = {"username": username, "password": password}
        answer = await client.post(routes.LOGIN, data=form)
        assert answer.status_code == 200, answer.text
        return client

    async def device(self, *, address: str = REMOTE) -> httpx.AsyncClient:
        """A client that logged in without credentials."""
        return await self.client("", password="", address=address)

    async def person(
        self, username: str, roles: Mapping[str, Role] | None = None
    ) -> httpx.AsyncClient:
        """A client of a new account with these roles: ``{"zoo/cats": "viewer"}``."""
        await accounts.add(self.workspaces, username, password=PASSWORD)
        async with self.workspaces.read() as workspace:
            itself = workspace.caller
        for place, role in (roles or {}).items():
            await members.grant(self.workspaces, itself, place, username=username, role=role)
        return await self.client(username)

    async def project(self, **fields: Any) -> dict[str, Any]:
        """A new project ``zoo/cats`` with a box category ``cat``, unless told otherwise."""
        body = {"organization": "zoo", "name": "cats", "categories": [{"name": "cat"}], **fields}
        answer = await (await self.client()).post(f"{V1}/projects", json=body)
        assert answer.status_code == 200, answer.text
        project: dict[str, Any] = answer.json()
        return project


OpenLoop = Callable[[], AbstractAsyncContextManager[LoopInProcess]]


@contextlib.asynccontextmanager
async def loop_in_process(settings: LoopSettings) -> AsyncIterator[LoopInProcess]:
    """Start the app here, with a clock that stands still, and end it."""
    clock = MovedClock()
    app = create_app(settings, clock=clock)
    loop = LoopInProcess(app, settings.data_folder, clock)
    with patch.object(passwords, "HASHER", CHEAP):
        async with app.router.lifespan_context(app), loop.stack:
            yield loop


@dataclass(frozen=True)
class ServedLoop:
    """A loop that answers over HTTP and Socket.IO."""

    url: str
    app: FastAPI
    username: str = USERNAME
    password: str = PASSWORD

    @property
    def host(self) -> str:
        """HOST:PORT, as ``LOOP_HOST`` wants it."""
        return self.url.removeprefix("http://")


@contextlib.contextmanager
def loop_served(
    settings: LoopSettings, *, clock: Callable[[], datetime] = utc_now
) -> Iterator[ServedLoop]:
    """Serve the app under uvicorn in a thread, on a free port, and end it."""
    serving = _Serving(create_app(settings, clock=clock))
    thread = threading.Thread(target=serving.run, name="loop")
    with patch.object(passwords, "HASHER", CHEAP):
        thread.start()
        try:
            assert serving.ready.wait(30), "the loop did not start"
            assert serving.port, "the loop failed at its start"
            yield ServedLoop(f"http://127.0.0.1:{serving.port}", serving.app)
        finally:
            serving.stop()
            thread.join()


class _Serving:
    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.ready = threading.Event()
        self.port = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._done = asyncio.Event()

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self.ready.set()

    def stop(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._done.set)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await host.serve(
            self.app, host=LOCAL, port=0, tasks=[self._until_done], on_started=self._started
        )

    async def _until_done(self) -> None:
        await self._done.wait()

    def _started(self, port: int) -> None:
        self.port = port
        self.ready.set()
