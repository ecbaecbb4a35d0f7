"""A LoopSession ends when it is told to, whatever the library beneath does meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import socketio
import uvicorn
from fastapi import FastAPI, Response

from edgeloop.client import ClientSettings, LoopSession


@contextlib.asynccontextmanager
async def loop_that_lets_in() -> AsyncIterator[str]:
    """The address of a server on which everybody can log in."""
    app = FastAPI()

    @app.post("/api/login")
    async def log_in(response: Response) -> None:
        response.set_cookie("session", "token")

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    listener = server.config.bind_socket()
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True


def test_a_cancellation_that_the_library_swallows_while_it_connects_still_ends_the_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connecting = asyncio.Event()

    async def connect(*_arguments: Any, **_options: Any) -> None:
        connecting.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    monkeypatch.setattr(socketio.AsyncClient, "connect", connect)

    async def story() -> bool:
        async with loop_that_lets_in() as address:
            run = asyncio.ensure_future(LoopSession(ClientSettings(host=address)).run())
            await connecting.wait()
            run.cancel()
            await asyncio.wait([run], timeout=30)
            return run.cancelled()

    assert asyncio.run(story())


def test_a_connection_that_cannot_be_closed_is_built_up_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = 0
    again = asyncio.Event()

    async def connect(*_arguments: Any, **_options: Any) -> None:
        nonlocal tries
        tries += 1
        if tries == 2:
            again.set()
        raise socketio.exceptions.ConnectionError("half-way")

    async def disconnect(*_arguments: Any) -> None:
        raise TypeError("object NoneType can't be used in 'await' expression")

    monkeypatch.setattr(socketio.AsyncClient, "connect", connect)
    monkeypatch.setattr(socketio.AsyncClient, "disconnect", disconnect)

    async def story() -> None:
        async with loop_that_lets_in() as address:
            session = LoopSession(ClientSettings(host=address), sleep=lambda _s: asyncio.sleep(0))
            run = asyncio.ensure_future(session.run())
            done, _ = await asyncio.wait(
                [run, waiting := asyncio.ensure_future(again.wait())],
                timeout=30,
                return_when=asyncio.FIRST_COMPLETED,
            )
            run.cancel()
            assert waiting in done

    asyncio.run(story())
