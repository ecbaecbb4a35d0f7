"""An open socket lends no more than the login behind it."""

import asyncio
from datetime import timedelta

import httpx

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
