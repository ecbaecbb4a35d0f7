"""Sessions: many per account, seen and ended by whom they belong to, bounded."""

import asyncio
from datetime import timedelta
from unittest.mock import patch

from sqlalchemy import func, select

from edgeloop.loop import LoopSettings
from edgeloop.loop.db.tables import AccountRow, SessionRow
from edgeloop.loop.services import accounts, sessions
from edgeloop.loop.services.accounts import Change
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from loops import PASSWORD, LoopInProcess, OpenLoop, loop_in_process

PROJECTS = f"{V1}/projects"


async def kept(loop: LoopInProcess) -> int:
    """How many sessions are in the database."""
    async with loop.workspaces.read() as workspace:
        return await workspace.session.scalar(select(func.count()).select_from(SessionRow)) or 0


def test_nothing_is_kept_of_a_device_that_logs_in_without_credentials(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            device = await loop.device()
            for _ in range(3):
                await device.post(routes.LOGIN, data={"username": "", "password": ""})
            assert await kept(loop) == 0
            assert (await device.get(PROJECTS)).status_code == 403
            await device.post(routes.LOGOUT)
            assert (await device.get(PROJECTS)).status_code == 401

    asyncio.run(story())


def test_empty_logins_can_be_forbidden(loop_settings: LoopSettings) -> None:
    async def story() -> None:
        settings = loop_settings.model_copy(update={"device_logins": False})
        async with loop_in_process(settings) as loop:
            answer = await (await loop.stranger()).post(routes.LOGIN, data={})
            assert answer.status_code == 401
            assert "LOOP_TOKEN" in answer.json()["detail"]
            assert not answer.cookies

    asyncio.run(story())


def test_an_account_has_a_bounded_number_of_sessions_and_loses_the_oldest(
    open_loop: OpenLoop,
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            with patch.object(sessions, "MAX_PER_ACCOUNT", 3):
                clients = []
                for _ in range(5):
                    loop.clock.move(timedelta(seconds=1))
                    clients.append(await loop.client())
            answers = [(await client.get(PROJECTS)).status_code for client in clients]
            assert answers == [401, 401, 200, 200, 200]

    asyncio.run(story())


def test_a_disabled_account_is_out_at_once_and_cannot_come_back(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            ann = await loop.person("ann")
            await change(loop, "ann", Change(is_disabled=True))
            assert (await ann.get(PROJECTS)).status_code == 401
            form = {"username": "ann", "password": PASSWORD}
            assert (await ann.post(routes.LOGIN, data=form)).status_code == 401
            await change(loop, "ann", Change(is_disabled=False))
            assert (await ann.post(routes.LOGIN, data=form)).status_code == 200

    asyncio.run(story())


def test_behind_tls_the_cookie_stays_on_tls(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.stranger()
            form = {"username": "admin", "password": PASSWORD}
            answer = await client.post(f"https://loop{routes.LOGIN}", data=form)
            assert "Secure" in answer.headers["set-cookie"].split("; ")

    asyncio.run(story())


async def change(loop: LoopInProcess, username: str, wanted: Change) -> None:
    """Change an account, as the loop itself."""
    async with loop.workspaces.read() as workspace:
        row = await accounts.named(workspace.session, username)
        assert isinstance(row, AccountRow)
        caller = workspace.caller
    await accounts.change(loop.workspaces, caller, row.id, wanted=wanted)
