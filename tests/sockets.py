"""Nodes' sockets at a served loop, for tests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import socketio

from edgeloop.loop.events import PlainPacket
from edgeloop.protocol import routes
from edgeloop.protocol.payloads.nodes import acknowledgement
from edgeloop.protocol.routes import V1
from loops import ServedLoop

Story = Callable[[httpx.AsyncClient], Awaitable[None]]


def run(loop: ServedLoop, story: Story) -> None:
    """A story of a logged-in client and the project zoo/cats."""

    async def whole() -> None:
        async with httpx.AsyncClient(base_url=loop.url, timeout=60) as client:
            form = {"username": loop.username, "password": loop.password}
            assert (await client.post(routes.LOGIN, data=form)).is_success
            body = {"organization": "zoo", "name": "cats", "categories": [{"name": "cat"}]}
            assert (await client.post(f"{V1}/projects", json=body)).is_success
            await story(client)

    asyncio.run(whole())


class Node:
    """A node's socket; keeps what it was sent and answers with ``answer``."""

    def __init__(self) -> None:
        self.socket = socketio.AsyncClient(reconnection=False, serializer=PlainPacket)
        self.commands: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        self.answer: Any = acknowledgement()
        self.socket.on("*", self._hear)

    async def call(self, event: str, *arguments: Any) -> Any:
        """The loop's answer to an event."""
        return await self.socket.call(event, arguments, timeout=30)

    async def _hear(self, event: str, *arguments: Any) -> Any:
        self.commands.put_nowait((event, *arguments))
        return self.answer


@contextlib.asynccontextmanager
async def connected(
    client: httpx.AsyncClient,
    *,
    kind: str = "trainer",
    project: str = "",
    cookie: str | None = None,
    token: str = "",
    is_local: bool = True,
    transports: tuple[str, ...] = ("polling", "websocket"),
) -> AsyncIterator[Node]:
    """A node with the client's session, another cookie or a token; ``project`` is ORG/PROJECT.

    One that is not local comes through a proxy.
    """
    if cookie is None:
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    node = Node()
    organization, _, name = project.partition("/")
    headers = {"organization": organization, "project": name, "nodeType": kind}
    headers |= {"Cookie": cookie} if cookie else {}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    headers |= {} if is_local else {"X-Forwarded-For": "203.0.113.9"}
    try:
        await node.socket.connect(
            str(client.base_url),
            headers=headers,
            socketio_path=routes.SOCKET,
            transports=list(transports),
            wait_timeout=10,
        )
        yield node
    finally:
        await node.socket.disconnect()
        await node.socket.eio.disconnect()
