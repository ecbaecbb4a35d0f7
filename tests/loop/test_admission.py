"""An open socket lends no more than the login behind it."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from socketio.exceptions import ConnectionError as NotConnected

from edgeloop.client import ClientSettings, LoopSession
from edgeloop.loop import LoopSettings
from edgeloop.protocol import events, routes
from edgeloop.protocol.payloads.nodes import acknowledgement
from edgeloop.protocol.routes import V1
from loops import PASSWORD, MovedClock, ServedLoop, loop_served
from sockets import Node, connected, run

IDLE = {"id": "t1", "name": "gpu", "state": "idle"}


async def hung_up(node: Node) -> None:
    """Wait until the loop has closed the node's socket."""
    async with asyncio.timeout(30):
        await node.socket.wait()
    assert not node.socket.connected


def test_a_logout_closes_the_socket_of_its_session_only(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client) as node, httpx.AsyncClient(base_url=client.base_url) as other:
            form = {"username": "admin", "password": PASSWORD}
            assert (await other.post(routes.LOGIN, data=form)).is_success
            async with connected(other) as second:
                await other.post(routes.LOGOUT)
                await hung_up(second)
            assert await node.call(events.UPDATE_TRAINER, IDLE) == acknowledgement()

    run(served_loop, story)


def test_a_session_that_expires_while_its_socket_is_silent_is_no_longer_heard(
    loop_settings: LoopSettings,
) -> None:
    clock = MovedClock()

    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client) as node:
            clock.move(timedelta(days=31))
            await node.socket.emit(events.UPDATE_TRAINER, IDLE)
            await hung_up(node)
        form = {"username": "admin", "password": PASSWORD}
        assert (await client.post(routes.LOGIN, data=form)).is_success
        assert (await client.get(f"{V1}/nodes")).json()["items"] == []

    with loop_served(loop_settings, clock=clock) as loop:
        run(loop, story)


def test_a_socket_that_is_used_keeps_its_session_alive(loop_settings: LoopSettings) -> None:
    clock = MovedClock()

    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client) as node:
            for _ in range(3):
                clock.move(timedelta(days=20))
                assert await node.call(events.UPDATE_TRAINER, IDLE) == acknowledgement()
        assert (await client.get(f"{V1}/projects")).status_code == 200

    with loop_served(loop_settings, clock=clock) as loop:
        run(loop, story)


def test_a_new_password_closes_the_sockets_of_the_old_one(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        me = (await client.get(f"{V1}/me")).json()
        async with connected(client) as node, connected(client, kind="annotation_node") as other:
            assert await node.call(events.UPDATE_TRAINER, IDLE) == acknowledgement()
            path, body = f"{V1}/users/{me['id']}/password", {"password": "battery staple"}
            assert (await client.put(path, json=body)).is_success
            await asyncio.gather(hung_up(node), hung_up(other))

    run(served_loop, story)


def test_a_detector_without_a_login_stays_when_others_have_to_go(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client, kind="detector", cookie="") as node:
            await client.post(routes.LOGOUT)
            assert await node.call("update_weather", "rain") is None
            assert node.socket.connected

    run(served_loop, story)


def test_a_trainer_may_show_a_token_until_it_is_revoked(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        body = {"name": "gpu", "scopes": ["manager"]}
        token = (await client.post(f"{V1}/tokens", json=body)).json()
        async with connected(client, cookie="", token=token["secret"]) as node:
            assert await node.call(events.UPDATE_TRAINER, IDLE) == acknowledgement()
            await client.delete(f"{V1}/tokens/{token['id']}")
            await hung_up(node)

    run(served_loop, story)


@pytest.mark.parametrize(("kind", "is_let_in"), [("detector", True), ("trainer", False)])
def test_a_device_token_lets_a_detector_in_and_nobody_else(
    served_loop: ServedLoop, kind: str, *, is_let_in: bool
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        body = {"name": "belt", "scopes": ["device"], "project": "zoo/cats"}
        token = (await client.post(f"{V1}/tokens", json=body)).json()["secret"]
        options: Any = {"project": "zoo/cats", "is_local": False, "cookie": "", "token": token}
        expected = contextlib.nullcontext() if is_let_in else pytest.raises(NotConnected)
        with expected:
            async with connected(client, kind=kind, **options) as node:
                assert await node.call("update_weather", "rain") is None

    run(served_loop, story)


def test_a_trainer_of_ours_with_a_token_reports_without_a_login(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        body = {"name": "gpu", "scopes": ["manager"]}
        secret = (await client.post(f"{V1}/tokens", json=body)).json()["secret"]
        settings = ClientSettings(host=served_loop.host, loop_token=SecretStr(secret))
        session = LoopSession(settings)
        running = asyncio.ensure_future(session.run())
        try:
            async with asyncio.timeout(60):
                await session.connected.wait()
                answer = await session.call(events.UPDATE_TRAINER, IDLE)
            assert answer.success
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        sessions = (await client.get(f"{V1}/me/sessions")).json()["items"]
        assert [item["is_present"] for item in sessions] == [True]

    run(served_loop, story)
