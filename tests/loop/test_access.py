"""Who may come in without an account."""

import asyncio
import itertools

import pytest
from fastapi import FastAPI
from starlette.requests import HTTPConnection

from edgeloop.errors import EdgeloopError, Forbidden, Unauthenticated
from edgeloop.loop import LoopSettings
from edgeloop.loop.api.context import is_local
from edgeloop.loop.services import access
from edgeloop.loop.services.access import DEVICE_RIGHTS, Right
from edgeloop.loop.services.workspace import Caller
from edgeloop.protocol.routes import V1
from loops import LOCAL, REMOTE, OpenLoop, loop_in_process
from uploading import pair, post

ANYBODY = Caller()
DEVICE = Caller(has_session=True)
LOCAL_DEVICE = Caller(is_local=True)
PERSON = Caller(account_id="1", username="ann", grants={"zoo": "admin"}, has_session=True)
THE_LOOP = Caller(username="edgeloop", grants={"": "admin"})


@pytest.mark.parametrize(
    ("caller", "right"), [*itertools.product((PERSON, THE_LOOP), sorted(Right))]
)
def test_admins_and_the_loop_itself_may_do_everything(caller: Caller, right: Right) -> None:
    access.check(caller, right, address="zoo/cats")


@pytest.mark.parametrize("right", sorted(DEVICE_RIGHTS))
@pytest.mark.parametrize(
    ("caller", "is_open"), [(ANYBODY, True), (DEVICE, True), (LOCAL_DEVICE, False)]
)
def test_devices_may_do_their_work_in_open_projects_and_on_the_same_host(
    *, caller: Caller, is_open: bool, right: Right
) -> None:
    access.check(caller, right, address="zoo/cats", is_open=is_open)


@pytest.mark.parametrize("right", sorted(DEVICE_RIGHTS))
@pytest.mark.parametrize(("caller", "error"), [(ANYBODY, Unauthenticated), (DEVICE, Forbidden)])
def test_a_closed_project_refuses_devices_with_the_command_that_opens_it(
    caller: Caller,
    right: Right,
    error: type[EdgeloopError],
) -> None:
    with pytest.raises(error, match="edgeloop project open zoo/cats"):
        access.check(caller, right, address="zoo/cats")


@pytest.mark.parametrize(
    ("caller", "error"),
    [(ANYBODY, Unauthenticated), (LOCAL_DEVICE, Unauthenticated), (DEVICE, Forbidden)],
)
def test_all_else_takes_an_account_even_in_open_projects(
    caller: Caller, error: type[EdgeloopError]
) -> None:
    with pytest.raises(error, match="takes an account"):
        access.check(caller, Right.READ, address="zoo/cats", is_open=True)


@pytest.mark.parametrize(
    ("address", "headers", "expected"),
    [
        ("127.0.0.1", [], True),
        ("127.8.9.10", [], True),
        ("::1", [], True),
        ("::ffff:127.0.0.1", [], True),
        ("192.168.1.2", [], False),
        ("::ffff:192.168.1.2", [], False),
        ("testclient", [], False),
        (None, [], False),
        ("127.0.0.1", ["x-forwarded-for"], False),
        ("127.0.0.1", ["forwarded"], False),
        ("127.0.0.1", ["x-real-ip"], False),
        ("127.0.0.1", ["via"], False),
        ("127.0.0.1", ["origin"], False),
        ("127.0.0.1", ["sec-fetch-site"], False),
        ("127.0.0.1", ["accept-language"], False),
    ],
)
def test_only_a_loopback_peer_that_speaks_for_itself_is_local(
    *, address: str | None, headers: list[str], expected: bool
) -> None:
    scope = {
        "type": "http",
        "app": FastAPI(),
        "client": (address, 1) if address else None,
        "headers": [(name.encode(), b"x") for name in headers],
    }
    assert is_local(HTTPConnection(scope)) is expected


def test_programs_of_the_same_host_are_strangers_where_they_are_not_trusted(
    loop_settings: LoopSettings,
) -> None:
    settings = loop_settings.model_copy(update={"local_devices": False})

    async def story() -> None:
        async with loop_in_process(settings) as loop:
            await loop.project()
            local = await loop.stranger(address=LOCAL)
            assert (await post(local, pair(1))).status_code == 401
            assert (await local.get("/metrics")).status_code == 401

    asyncio.run(story())


@pytest.mark.parametrize("address", [LOCAL, REMOTE])
def test_without_an_account_the_projects_cannot_be_seen(open_loop: OpenLoop, address: str) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            anybody, device = await loop.stranger(address=address), await loop.device()
            answer = await anybody.get(f"{V1}/projects")
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
            answer = await device.get(f"{V1}/projects")
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")

    asyncio.run(story())


def test_strangers_cannot_find_out_which_projects_exist(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.stranger()
            paths = ("/api/zoo/projects/cats", "/api/zoo/projects/dogs", "/api/ark/projects/cats")
            assert {(await client.get(path)).status_code for path in paths} == {401}

    asyncio.run(story())
