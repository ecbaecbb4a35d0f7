"""LoopSession against a real Socket.IO server."""

import asyncio
import contextlib
import socket as sockets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import socketio
import uvicorn
from fastapi import FastAPI, Response

from edgeloop.client import Backoff, ClientSettings, LoopSession
from edgeloop.errors import (
    InputError,
    LoopRejected,
    LoopUnreachable,
    NotFound,
    Unauthenticated,
)
from edgeloop.protocol.payloads.nodes import acknowledgement


@dataclass
class Server:
    """A Socket.IO server with a login, and what it saw."""

    url: str = ""
    logins: int = 0
    refuse_logins: int = 0
    refuse_sockets: int = 0
    password_is_wrong: bool = False
    handshakes: list[dict[str, str]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    during_handshakes: Callable[[], None] = lambda: None
    sio: Any = field(
        default_factory=lambda: socketio.AsyncServer(async_mode="asgi", always_connect=False)
    )

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/api/login")
        async def log_in(response: Response) -> None:
            self.logins += 1
            if self.password_is_wrong:
                response.status_code = 401
                return
            if self.logins <= self.refuse_logins:
                response.status_code = 503
                return
            response.set_cookie("session", f"token-{self.logins}", httponly=True)

        self.sio.on("connect", self._connect)
        self.sio.on("disconnect", self._disconnect)
        app.mount("/ws", socketio.ASGIApp(self.sio, socketio_path="/ws/socket.io"))
        return app

    async def _connect(self, sid: str, environ: dict[str, Any]) -> bool:
        names = ("HTTP_ORGANIZATION", "HTTP_PROJECT", "HTTP_NODETYPE", "HTTP_COOKIE")
        self.handshakes.append({name[5:].lower(): environ.get(name, "") for name in names})
        if len(self.handshakes) <= self.refuse_sockets:
            return False
        self.ids.append(sid)
        self.during_handshakes()
        self.arrived.set()
        return True

    async def _disconnect(self, sid: str, reason: str = "") -> None:
        self.gone.set()


@contextlib.asynccontextmanager
async def running(server: Server) -> AsyncIterator[None]:
    listener = sockets.create_server(("127.0.0.1", 0))
    server.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        server.app(), log_config=None, lifespan="off", ws="websockets-sansio", access_log=False
    )
    host = uvicorn.Server(config)
    host.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    async with asyncio.TaskGroup() as group:
        task = group.create_task(host.serve(sockets=[listener]))
        try:
            yield
        finally:
            await server.sio.shutdown()
            host.should_exit = True
            host.force_exit = True
            await task
    listener.close()


Story = Callable[[Server, LoopSession], Awaitable[None]]


async def no_pause(_seconds: float) -> None:
    await asyncio.sleep(0)


def tell(
    story: Story,
    server: Server | None = None,
    sleep: Callable[[float], Awaitable[None]] = no_pause,
) -> None:
    async def whole() -> None:
        told = server or Server()
        async with running(told):
            settings = ClientSettings(
                host=told.url, username="ada", organization="acme", project="cups"
            )
            session = LoopSession(settings, sleep=sleep)
            async with asyncio.TaskGroup() as group:
                run = group.create_task(session.run())
                try:
                    async with asyncio.timeout(20):
                        await session.connected.wait()
                        await story(told, session)
                finally:
                    run.cancel()

    asyncio.run(whole())


def test_the_handshake_carries_login_project_and_node_type() -> None:
    async def story(server: Server, session: LoopSession) -> None:
        assert server.handshakes == [
            {
                "organization": "acme",
                "project": "cups",
                "nodetype": "trainer",
                "cookie": "session=token-1",
            }
        ]

    tell(story)


def test_the_connection_is_upgraded_to_a_websocket() -> None:
    async def story(server: Server, session: LoopSession) -> None:
        await server.arrived.wait()
        server.sio.on("ping_me", lambda sid: acknowledgement())
        await session.call("ping_me")
        assert server.sio.transport(server.ids[0]) == "websocket"

    tell(story)


def test_a_command_reaches_the_node_and_its_answer_the_loop() -> None:
    async def story(server: Server, session: LoopSession) -> None:
        async def answer_one() -> None:
            async for command in session.commands():
                assert (command.name, command.arguments) == ("begin", ("acme", {"n": 1}))
                await command.answer(acknowledgement(payload="refused"))
                await command.answer(acknowledgement())
                return

        async with asyncio.TaskGroup() as group:
            group.create_task(answer_one())
            answer = await server.sio.call("begin", ("acme", {"n": 1}), to=server.ids[0])
        assert answer == {"success": True, "error_msg": None, "payload": "refused"}

    tell(story)


def test_a_call_returns_the_loops_acknowledgement() -> None:
    async def story(server: Server, session: LoopSession) -> None:
        async def echo(sid: str, *arguments: Any) -> dict[str, Any]:
            return acknowledgement(success=False, error="no", payload=list(arguments))

        server.sio.on("echo", echo)
        answer = await session.call("echo", "acme", {"n": 1})
        assert (answer.success, answer.error_msg) == (False, "no")
        assert answer.payload == ["acme", {"n": 1}]

    tell(story)


@pytest.mark.parametrize(
    ("value", "error"), [(None, NotFound), ("yes", LoopRejected), ({"success": 7}, InputError)]
)
def test_an_answer_that_is_no_acknowledgement_is_an_error(
    value: Any, error: type[Exception]
) -> None:
    async def story(server: Server, session: LoopSession) -> None:
        server.sio.on("odd", lambda sid: value)
        with pytest.raises(error):
            await session.call("odd")

    tell(story)


def test_a_call_without_an_answer_ends_at_its_timeout() -> None:
    async def story(server: Server, session: LoopSession) -> None:
        with pytest.raises(LoopUnreachable, match=r"did not answer nobody_listens in 0\.05 s"):
            await session.call("nobody_listens", timeout_s=0.05)

    tell(story)


def test_a_call_fails_at_once_when_the_connection_breaks() -> None:
    async def story(server: Server, session: LoopSession) -> None:
        async def hang_up(sid: str) -> None:
            await server.sio.disconnect(sid)

        server.sio.on("hang_up", hang_up)
        with pytest.raises(LoopUnreachable, match="lost"):
            await session.call("hang_up", timeout_s=60)

    tell(story)


def test_a_call_without_a_connection_says_so() -> None:
    session = LoopSession(ClientSettings(host="localhost:1"))
    with pytest.raises(LoopUnreachable, match="No connection"):
        asyncio.run(session.call("update_trainer"))


def test_a_lost_connection_is_built_up_again_with_a_new_login() -> None:
    async def story(server: Server, session: LoopSession) -> None:
        server.arrived.clear()
        await server.sio.disconnect(server.ids[0])
        await server.arrived.wait()
        await session.connected.wait()
        assert [shake["cookie"] for shake in server.handshakes] == [
            "session=token-1",
            "session=token-2",
        ]

    tell(story)


def test_a_node_can_ask_for_a_new_connection() -> None:
    async def story(server: Server, session: LoopSession) -> None:
        server.arrived.clear()
        session.reconnect()
        await server.gone.wait()
        await server.arrived.wait()
        assert server.logins == 2

    tell(story)


def test_who_asks_for_a_new_connection_while_one_is_made_gets_that_one() -> None:
    async def story(server: Server, session: LoopSession) -> None:
        server.sio.on("ping", lambda sid: acknowledgement())
        server.during_handshakes = session.reconnect
        session.reconnect()
        await server.gone.wait()
        await session.connected.wait()
        assert (await session.call("ping")).success
        assert server.logins == 2

    tell(story)


def test_refused_logins_and_sockets_are_tried_again() -> None:
    async def story(server: Server, session: LoopSession) -> None:
        assert server.logins == 4
        assert len(server.handshakes) == 3

    tell(story, Server(refuse_logins=1, refuse_sockets=2))


def test_commands_of_a_lost_connection_are_left_out() -> None:
    async def story(server: Server, session: LoopSession) -> None:
        server.sio.on("sync", lambda sid: acknowledgement())
        await server.sio.emit("stale", to=server.ids[0])
        await session.call("sync")
        server.arrived.clear()
        session.reconnect()
        await server.arrived.wait()
        await session.connected.wait()
        await server.sio.emit("fresh", to=server.ids[1])
        async for command in session.commands():
            assert command.name == "fresh"
            return

    tell(story)


def test_the_pauses_between_attempts_grow_until_a_connection_stands() -> None:
    pauses: list[float] = []

    async def whole() -> None:
        enough = asyncio.Event()

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                enough.set()
            await asyncio.sleep(0)

        backoff = Backoff(first_s=1.0, max_s=30.0, chance=lambda: 0.0)
        settings = ClientSettings(host="http://127.0.0.1:1")
        session = LoopSession(settings, backoff=backoff, sleep=sleep)
        async with asyncio.TaskGroup() as group:
            run = group.create_task(session.run())
            await enough.wait()
            run.cancel()

    asyncio.run(whole())
    assert pauses[:3] == [1.0, 2.0, 4.0]


def test_a_refused_socket_without_a_login_says_which_variables_log_in(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(_server: Server, _session: LoopSession) -> None:
        assert "Set LOOP_TOKEN, or LOOP_USERNAME and LOOP_PASSWORD." in caplog.text

    tell(story, Server(refuse_sockets=1))


def test_a_first_login_that_is_refused_ends_the_session() -> None:
    async def whole() -> None:
        server = Server(password_is_wrong=True)
        async with running(server):
            settings = ClientSettings(host=server.url, username="ada")
            with pytest.raises(Unauthenticated):
                await LoopSession(settings, sleep=no_pause).run()
            assert server.logins == 1

    asyncio.run(whole())


def test_a_later_login_that_is_refused_is_tried_again_after_five_minutes() -> None:
    server = Server()
    pauses: list[float] = []
    right_again = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        server.password_is_wrong = len(pauses) < 4
        if not server.password_is_wrong:
            right_again.set()
        await asyncio.sleep(0)

    async def story(_server: Server, session: LoopSession) -> None:
        session.reconnect()
        await right_again.wait()
        await session.connected.wait()
        assert pauses[1:] == [300.0] * 3

    tell(story, server, sleep)
