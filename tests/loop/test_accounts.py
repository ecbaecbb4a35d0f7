"""Who may log in, and for how long."""

import asyncio
import re
from datetime import timedelta

import pytest
from sqlalchemy import delete

from edgeloop.errors import Conflict, NotFound, Unprocessable
from edgeloop.loop import LoopSettings
from edgeloop.loop.db.tables import AccountRow
from edgeloop.loop.services import accounts, passwords, sessions
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from loops import PASSWORD, OpenLoop

PROJECTS = f"{V1}/projects"


def test_a_login_sets_one_cookie_that_all_published_clients_can_send(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.stranger()
            form = {"username": "admin", "password": PASSWORD}
            answer = await client.post(routes.LOGIN, data=form)
            (cookie,) = answer.headers.get_list("set-cookie")
            value, *attributes = cookie.split("; ")
            assert re.fullmatch(r"edgeloop_session=[A-Za-z0-9_-]{43}", value)
            assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(attributes)
            assert not any(a.startswith(("Secure", "Domain")) for a in attributes)

    asyncio.run(story())


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.stranger()
            forms = [
                {"username": "admin", "password": "wrong"},
                {"username": "nobody", "password": "wrong"},
                {"username": "admin", "password": ""},
                {"username": "", "password": PASSWORD},
            ]
            answers = [await client.post(routes.LOGIN, data=form) for form in forms]
            assert {answer.status_code for answer in answers} == {401}
            assert len({answer.text for answer in answers}) == 1
            assert not client.cookies

    asyncio.run(story())


def test_a_new_login_leaves_older_sessions_alive(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            first, second = await loop.client(), await loop.client()
            assert (await first.get(PROJECTS)).status_code == 200
            assert (await second.get(PROJECTS)).status_code == 200

    asyncio.run(story())


def test_a_logout_ends_this_session_only(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            first, second = await loop.client(), await loop.client()
            cookie = dict(first.cookies)
            assert (await first.post(routes.LOGOUT)).status_code == 200
            assert not first.cookies
            first.cookies.update(cookie)
            assert (await first.get(PROJECTS)).status_code == 401
            assert (await second.get(PROJECTS)).status_code == 200

    asyncio.run(story())


def test_a_session_that_is_used_lasts_and_one_that_is_not_expires(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            used, unused = await loop.client(), await loop.client()
            for _ in range(3):
                loop.clock.move(timedelta(days=20))
                assert (await used.get(PROJECTS)).status_code == 200
            assert (await unused.get(PROJECTS)).status_code == 401

    asyncio.run(story())


def test_expired_sessions_are_forgotten_at_the_next_login(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            token = dict((await loop.client()).cookies)["edgeloop_session"]
            loop.clock.move(timedelta(days=31))
            await loop.client()
            ever = timedelta(days=1000)
            caller = await sessions.caller_of(loop.workspaces, token, lifetime=ever)
            assert not caller.has_session

    asyncio.run(story())


def test_tokens_are_not_kept_in_the_database(
    open_loop: OpenLoop, loop_settings: LoopSettings
) -> None:
    async def story() -> str:
        async with open_loop() as loop:
            return dict((await loop.client()).cookies)["edgeloop_session"]

    token = asyncio.run(story())
    stored = b"".join(path.read_bytes() for path in loop_settings.data_folder.glob("loop.sqlite*"))
    assert b"argon2id" in stored
    assert token.encode() not in stored
    assert PASSWORD.encode() not in stored


def test_a_reset_password_replaces_the_old_one_and_ends_all_sessions(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            before = await loop.client()
            made_up = await accounts.reset_password(loop.workspaces, "admin")
            assert (await before.get(PROJECTS)).status_code == 401
            after = await loop.client("admin", password=made_up)
            assert (await after.get(PROJECTS)).status_code == 200

    asyncio.run(story())


def test_a_reset_password_can_be_chosen(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await accounts.reset_password(loop.workspaces, "admin", password="chosen")
            await loop.client("admin", password="chosen")

    asyncio.run(story())


def test_the_password_of_nobody_cannot_be_reset(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            with pytest.raises(NotFound, match="no account 'nobody'"):
                await accounts.reset_password(loop.workspaces, "nobody")

    asyncio.run(story())


def test_accounts_can_be_added_but_not_twice_and_not_nameless(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await accounts.add(loop.workspaces, "ann", password="hers")
            await loop.client("ann", password="hers")
            with pytest.raises(Conflict, match="'ann' already"):
                await accounts.add(loop.workspaces, "ann", password="other")
            with pytest.raises(Unprocessable, match="needs a username"):
                await accounts.add(loop.workspaces, "", password="other")

    asyncio.run(story())


def test_two_starts_at_the_same_time_make_one_admin(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            async with loop.workspaces.write() as workspace:
                await workspace.session.execute(delete(AccountRow))
            made_up = await asyncio.gather(
                accounts.ensure_admin(loop.workspaces), accounts.ensure_admin(loop.workspaces)
            )
            assert made_up.count(None) == 1

    asyncio.run(story())


def test_a_session_is_prolonged_at_most_once_a_minute(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            async with loop.workspaces.write():  # whoever writes now would wait for ever
                loop.clock.move(timedelta(seconds=59))
                answer = await asyncio.wait_for(client.get(PROJECTS), 5)
            assert answer.status_code == 200

    asyncio.run(story())


def test_a_stolen_password_hash_is_costly_to_try() -> None:
    assert passwords.HASHER.memory_cost >= 64 * 1024
    assert passwords.HASHER.time_cost >= 3
