"""Accounts are listed, added, changed and deleted by admins of the loop; each knows itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from loops import PASSWORD, LoopInProcess, OpenLoop
from uploading import pair, receipts

USERS = f"{V1}/users"
NEW = "battery staple"
Story = Callable[[LoopInProcess, httpx.AsyncClient], Awaitable[None]]
Run = Callable[[Story], None]


@pytest.fixture
def run(open_loop: OpenLoop) -> Run:
    """Run a story with a loop and its admin's client."""

    def run(story: Story) -> None:
        async def whole() -> None:
            async with open_loop() as loop:
                await story(loop, await loop.client())

        asyncio.run(whole())

    return run


async def add(root: httpx.AsyncClient, username: str, **fields: Any) -> dict[str, Any]:
    """A new account."""
    body = {"username": username, "password": PASSWORD, **fields}
    answer = await root.post(USERS, json=body)
    assert answer.status_code == 200, answer.text
    user: dict[str, Any] = answer.json()
    return user


async def names(root: httpx.AsyncClient, query: str = "") -> list[str]:
    """The usernames on a page."""
    return [user["username"] for user in (await root.get(f"{USERS}{query}")).json()["items"]]


async def may_log_in(loop: LoopInProcess, username: str, password: str) -> bool:
    """Whether these credentials are right."""
    form = {"username": username, "password": password}
    return (await (await loop.stranger()).post(routes.LOGIN, data=form)).is_success


def test_a_new_account_may_log_in_and_sees_nothing(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        await loop.project()
        user = await add(root, "ann")
        ann = await loop.client("ann")
        assert (await ann.get(f"{V1}/me")).json() == {
            "id": user["id"],
            "username": "ann",
            "is_admin": False,
            "roles": [],
            "token_id": None,
        }
        assert (await ann.get(f"{V1}/projects")).json()["items"] == []
        assert (await ann.get(f"{V1}/nodes")).json()["items"] == []
        assert (await ann.get(f"{V1}/organizations")).json()["items"] == []
        assert (await ann.get(f"{USERS}/{user['id']}")).json() == user

    run(story)


def test_accounts_are_listed_by_name_page_by_page(run: Run) -> None:
    async def story(_loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        for name in ("eve", "bob", "cat"):
            await add(root, name)
        first = (await root.get(f"{USERS}?limit=2")).json()
        assert [user["username"] for user in first["items"]] == ["admin", "bob"]
        assert await names(root, f"?after={first['next']}") == ["cat", "eve"]
        assert await names(root, "?username=cat") == ["cat"]
        assert await names(root, "?username=nobody") == []

    run(story)


@pytest.mark.parametrize(
    "body",
    [
        {"username": "", "password": NEW},
        {"username": "x" * 101, "password": NEW},
        {"username": "a/b", "password": NEW},
        {"username": " ann", "password": NEW},
        {"username": "a\nb", "password": NEW},
        {"username": "ann", "password": "short"},
        {"username": "ann", "password": "x" * 1001},
    ],
)
def test_names_and_passwords_that_cannot_be_are_refused(run: Run, body: dict[str, str]) -> None:
    async def story(_loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        answer = await root.post(USERS, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable")
        assert body["password"] not in answer.text
        assert await names(root) == ["admin"]

    run(story)


def test_it_is_said_how_long_a_password_is(run: Run) -> None:
    async def story(_loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        answer = await root.post(USERS, json={"username": "ann", "password": "x"})
        said = "body.password is wrong (a password has 8 to 1000 characters)."
        assert answer.json()["detail"] == said
        schema = (await root.get(f"{V1}/openapi.json")).json()["components"]["schemas"]
        password = schema["PasswordBody"]["properties"]["password"]
        assert (password["minLength"], password["maxLength"]) == (8, 1000)

    run(story)


def test_a_taken_name_is_refused_at_once_and_for_renaming(run: Run) -> None:
    async def story(_loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        ann = await add(root, "ann")
        body = {"username": "ann", "password": PASSWORD}
        assert (await root.post(USERS, json=body)).status_code == 409
        path = f"{USERS}/{ann['id']}"
        assert (await root.patch(path, json={"username": "admin"})).status_code == 409
        assert (await root.patch(path, json={"username": "ann"})).status_code == 200

    run(story)


def test_a_renamed_account_keeps_its_session_and_its_password(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        user = await add(root, "ann")
        ann = await loop.client("ann")
        answer = await root.patch(f"{USERS}/{user['id']}", json={"username": "anna"})
        assert answer.json() == {**user, "username": "anna"}
        assert (await ann.get(f"{V1}/me")).json()["username"] == "anna"
        assert await may_log_in(loop, "anna", PASSWORD)
        assert not await may_log_in(loop, "ann", PASSWORD)

    run(story)


def test_an_account_can_become_an_admin_and_be_one_no_more(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        user = await add(root, "ann")
        ann, path = await loop.client("ann"), f"{USERS}/{user['id']}"
        assert (await ann.get(USERS)).status_code == 403
        await root.patch(path, json={"is_admin": True})
        assert (await ann.get(USERS)).status_code == 200
        await ann.patch(path, json={"is_admin": False})
        assert (await ann.get(USERS)).status_code == 403

    run(story)


@pytest.mark.parametrize("how", ["demote", "disable", "delete"])
def test_the_last_admin_stays(run: Run, how: str) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        disabled = await add(root, "ann", is_admin=True)
        await root.patch(f"{USERS}/{disabled['id']}", json={"is_disabled": True})
        me = (await root.get(f"{V1}/me")).json()
        path = f"{USERS}/{me['id']}"
        answer = await {
            "demote": lambda: root.patch(path, json={"is_admin": False}),
            "disable": lambda: root.patch(path, json={"is_disabled": True}),
            "delete": lambda: root.delete(path),
        }[how]()
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert "last admin" in answer.json()["detail"]
        assert await may_log_in(loop, "admin", PASSWORD)

    run(story)


def test_a_deleted_account_is_out_at_once_and_what_it_made_stays(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        await loop.project()
        ann = await loop.person("ann", {"zoo": "manager"})
        token = (await ann.post(f"{V1}/tokens", json={"name": "t", "scopes": ["viewer"]})).json()
        (receipt,) = await receipts(ann, pair(1))
        me = (await ann.get(f"{V1}/me")).json()
        assert (await root.delete(f"{USERS}/{me['id']}")).status_code == 200
        assert (await ann.get(f"{V1}/me")).status_code == 401
        bearer = {"Authorization": f"Bearer {token['secret']}"}
        assert (await (await loop.stranger()).get(f"{V1}/me", headers=bearer)).status_code == 401
        assert (await root.get(f"{V1}/images/{receipt['id']}")).status_code == 200
        assert (await root.get(f"{USERS}/{me['id']}")).status_code == 404
        assert (await root.delete(f"{USERS}/{me['id']}")).status_code == 404

    run(story)


def test_a_password_that_an_admin_gives_ends_all_sessions(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        user = await add(root, "ann")
        ann = await loop.client("ann")
        path = f"{USERS}/{user['id']}/password"
        assert (await root.put(path, json={"password": NEW})).status_code == 200
        assert (await ann.get(f"{V1}/me")).status_code == 401
        assert await may_log_in(loop, "ann", NEW)

    run(story)


def test_ones_own_new_password_ends_all_other_sessions(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        await add(root, "ann")
        here, elsewhere = await loop.client("ann"), await loop.client("ann")
        body = {"current": PASSWORD, "password": NEW}
        assert (await here.put(f"{V1}/me/password", json=body)).status_code == 200
        assert (await here.get(f"{V1}/me")).status_code == 200
        assert (await elsewhere.get(f"{V1}/me")).status_code == 401
        assert await may_log_in(loop, "ann", NEW)

    run(story)


def test_ones_password_cannot_be_replaced_or_guessed_in_an_open_session(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        user = await add(root, "ann")
        ann = await loop.client("ann")
        body = {"current": "wrong", "password": NEW}
        answers = [await ann.put(f"{V1}/me/password", json=body) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429]
        path = f"{USERS}/{user['id']}/password"
        assert (await ann.put(path, json={"password": NEW})).status_code == 403
        elsewhere = await loop.stranger(address="203.0.113.77")
        form = {"username": "ann", "password": PASSWORD}
        assert (await elsewhere.post(routes.LOGIN, data=form)).status_code == 200

    run(story)


def test_ones_sessions_can_be_seen_and_ended_one_by_one(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        await add(root, "ann")
        here = await loop.client("ann")
        other = await loop.stranger(address="203.0.113.55")
        form = {"username": "ann", "password": PASSWORD}
        await other.post(routes.LOGIN, data=form, headers={"User-Agent": "a browser"})
        path = f"{V1}/me/sessions"
        sessions = {s["address"]: s for s in (await here.get(path)).json()["items"]}
        assert sorted(sessions) == ["203.0.113.55", "203.0.113.9"]
        assert sessions["203.0.113.9"]["is_present"]
        assert not sessions["203.0.113.55"]["is_present"]
        assert sessions["203.0.113.55"]["agent"] == "a browser"
        ended = f"{path}/{sessions['203.0.113.55']['id']}"
        assert (await root.delete(ended)).status_code == 404
        assert (await here.delete(ended)).status_code == 200
        assert (await other.get(path)).status_code == 401
        assert (await here.delete(ended)).status_code == 404
        assert len((await here.get(path)).json()["items"]) == 1

    run(story)
