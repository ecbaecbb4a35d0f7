"""A loop that is to end finishes what is in flight and takes nothing new."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
import socketio
from starlette.types import Message

from edgeloop.loop import drain
from edgeloop.loop.api.draining import Door, Guarded
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from loops import LoopInProcess, OpenLoop, ServedLoop
from uploading import IMAGES, pair


class SlowBody:
    """A request's body, of which the last part comes when it is told to."""

    def __init__(self) -> None:
        self.request = httpx.Request("POST", "http://loop", files=pair(1))
        self.request.read()
        self.is_read = asyncio.Event()
        self.goes_on = asyncio.Event()

    @property
    def headers(self) -> dict[str, str]:
        return {name: self.request.headers[name] for name in ("content-type", "content-length")}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.request.content[:100]
        self.is_read.set()
        await self.goes_on.wait()
        yield self.request.content[100:]


@contextlib.asynccontextmanager
async def ending_during_an_upload(
    loop: LoopInProcess,
) -> AsyncIterator[tuple[SlowBody, "asyncio.Task[httpx.Response]", "asyncio.Task[None]"]]:
    """An upload that is in flight while the loop is told to end."""
    await loop.project()
    client = await loop.client()
    body = SlowBody()
    async with asyncio.TaskGroup() as group:
        upload = group.create_task(client.post(IMAGES, content=body, headers=body.headers))
        await body.is_read.wait()
        ending = group.create_task(drain(loop.app))
        await asyncio.sleep(0)  # its first step closes the door
        yield body, upload, ending


def test_an_upload_in_flight_is_finished_before_the_loop_ends(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop, ending_during_an_upload(loop) as (body, upload, ending):
            assert not ending.done()
            body.goes_on.set()
            assert (await upload).status_code == 200
            await ending

    asyncio.run(story())


@pytest.mark.parametrize("path", [f"{V1}/projects", "/login", "/ws/socket.io/?EIO=4"])
def test_new_requests_are_sent_away_with_a_time_to_come_back(
    open_loop: OpenLoop, path: str
) -> None:
    async def story() -> None:
        async with open_loop() as loop, ending_during_an_upload(loop) as (body, _, _):
            answer = await (await loop.stranger()).get(path)
            assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
            assert int(answer.headers["retry-after"]) > 0
            body.goes_on.set()

    asyncio.run(story())


def test_a_loop_without_work_ends_at_once(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await drain(loop.app)
            await drain(loop.app)  # and may be told twice

    asyncio.run(story())


def test_requests_that_take_too_long_are_counted_when_they_are_cut_off(
    open_loop: OpenLoop, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with open_loop() as loop, ending_during_an_upload(loop) as (body, _, ending):
            ending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ending
            body.goes_on.set()

    asyncio.run(story())
    assert "Cutting off 1 requests" in caplog.text


def test_an_open_socket_holds_up_no_end(served_loop: ServedLoop) -> None:
    async def story() -> None:
        async with httpx.AsyncClient(base_url=served_loop.url) as client:
            form = {"username": served_loop.username, "password": served_loop.password}
            await client.post(routes.LOGIN, data=form)
            cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        node = socketio.AsyncClient(reconnection=False)
        await node.connect(
            served_loop.url,
            headers={"Cookie": cookie, "nodeType": "trainer"},
            socketio_path="/ws/socket.io",
        )
        try:
            door: Door = served_loop.app.state.ending.door
            assert door.inside == 0
        finally:
            await node.disconnect()

    asyncio.run(story())


def test_a_new_socket_is_sent_away() -> None:
    sent: list[Message] = []

    async def story() -> None:
        door = Door()
        door.close()

        async def send(message: Message) -> None:
            sent.append(message)

        async def never(*_: object) -> None:
            raise AssertionError

        guarded = Guarded(never, door)
        await guarded({"type": "websocket", "path": "/ws/socket.io/"}, never, send)  # type: ignore[arg-type]

    asyncio.run(story())
    assert sent == [{"type": "websocket.close", "code": 1012}]
