"""API tokens lend what they say, where they say, until they end; their secrets are kept nowhere."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from edgeloop.loop import LoopSettings
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from edgeloop.types import ROLES, Role
from loops import LoopInProcess, OpenLoop
from rights import REPORT
from uploading import image_of, pair, receipts

TOKENS = f"{V1}/tokens"
Story = Callable[[LoopInProcess, httpx.AsyncClient], Awaitable[None]]
Run = Callable[[Story], None]


@pytest.fixture
def run(open_loop: OpenLoop) -> Run:
    """Run a story with a loop, which has zoo/cats and zoo/dogs, and its admin's client."""

    def run(story: Story) -> None:
        async def whole() -> None:
            async with open_loop() as loop:
                for name in ("cats", "dogs"):
                    await loop.project(name=name)
                await story(loop, await loop.client())

        asyncio.run(whole())

    return run


async def made(client: httpx.AsyncClient, *scopes: str, **fields: Any) -> dict[str, Any]:
    """A new token of the client's account."""
    answer = await client.post(TOKENS, json={"name": "t", "scopes": scopes, **fields})
    assert answer.status_code == 200, answer.text
    token: dict[str, Any] = answer.json()
    return token


async def bearer(loop: LoopInProcess, token: dict[str, Any]) -> httpx.AsyncClient:
    """A client that shows a token instead of logging in."""
    client = await loop.stranger()
    client.headers["Authorization"] = f"Bearer {token['secret']}"
    return client


async def project_path(root: httpx.AsyncClient, name: str = "cats") -> str:
    """Where a project is."""
    (project,) = (await root.get(f"{V1}/projects?name={name}")).json()["items"]
    return f"{V1}/projects/{project['id']}"


@pytest.mark.parametrize("scope", ROLES)
def test_a_token_lends_at_most_the_role_that_it_names(run: Run, scope: Role) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        cats = await project_path(root)
        client = await bearer(loop, await made(root, scope))
        (receipt,) = await receipts(root, pair(1))
        image = f"{V1}/images/{receipt['id']}"
        answers = {
            "viewer": await client.get(image),
            "annotator": await client.put(f"{image}/annotations", json={"state": "review"}),
            "manager": await client.patch(cats, json={"has_val_split": True}),
            "admin": await client.patch(cats, json={"open_to_devices": True}),
        }
        allowed = ROLES[: ROLES.index(scope) + 1]
        assert {role: answer.status_code for role, answer in answers.items()} == {
            role: 200 if role in allowed else 403 for role in ROLES
        }

    run(story)


def test_a_token_lends_no_more_than_its_account_has_now(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        cats = await project_path(root)
        ann = await loop.person("ann", {"zoo/cats": "manager"})
        client = await bearer(loop, await made(ann, "admin"))
        body = {"has_val_split": True}
        assert (await client.patch(cats, json=body)).status_code == 200
        assert (await client.patch(cats, json={"open_to_devices": True})).status_code == 403
        await root.put(f"{cats}/members/ann", json={"role": "viewer"})
        assert (await client.patch(cats, json=body)).status_code == 403
        await root.delete(f"{cats}/members/ann")
        assert (await client.get(cats)).status_code == 404

    run(story)


def test_a_token_of_a_project_counts_there_alone(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        token = await made(root, "admin", project="zoo/cats")
        assert token["project"] == "zoo/cats"
        client = await bearer(loop, token)
        found = (await client.get(f"{V1}/projects")).json()["items"]
        assert [project["name"] for project in found] == ["cats"]
        assert (await client.get(await project_path(root, "dogs"))).status_code == 404
        assert (await client.get(f"{V1}/users")).status_code == 403
        assert (await client.get(f"{V1}/me")).json()["roles"] == [
            {"place": "zoo/cats", "role": "admin"}
        ]

    run(story)


def test_a_device_token_lets_one_device_do_its_work_in_a_closed_project(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        device = await bearer(loop, await made(root, "device", project="zoo/cats"))
        (receipt,) = await receipts(device, pair(1, state="complete"))
        assert (await image_of(root, receipt))["state"] == "inbox", "as from any device"
        answer = await device.post(routes.detectors("zoo", "cats"), json=REPORT)
        assert answer.status_code == 200
        assert (await device.get(routes.models("zoo", "cats"))).status_code == 200
        assert (await device.get(routes.deployment_target("zoo", "cats"))).status_code == 404
        for path in (f"{V1}/projects", f"{V1}/me", routes.data("zoo", "cats"), TOKENS):
            assert (await device.get(path)).status_code == 403
        assert (await device.get(routes.models("zoo", "dogs"))).status_code == 403

    run(story)


def test_a_device_token_lends_only_what_its_account_may_do(run: Run) -> None:
    async def story(loop: LoopInProcess, _root: httpx.AsyncClient) -> None:
        ann = await loop.person("ann", {"zoo": "viewer"})
        device = await bearer(loop, await made(ann, "device"))
        assert (await device.get(routes.models("zoo", "cats"))).status_code == 200
        assert (await device.get(routes.models("zoo", "dogs"))).status_code == 200
        answer = await device.post(routes.images("zoo", "cats"), files=pair(1))
        assert answer.status_code == 403

    run(story)


def test_a_token_may_lend_both_to_look_and_to_work_as_a_device(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        client = await bearer(loop, await made(root, "viewer", "device", project="zoo/cats"))
        (receipt,) = await receipts(client, pair(1, state="complete"))
        assert (await image_of(client, receipt))["state"] == "inbox"
        path = f"{V1}/images/{receipt['id']}/annotations"
        assert (await client.put(path, json={"state": "review"})).status_code == 403

    run(story)


def test_a_token_ends_when_it_expires(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        expires = (loop.clock() + timedelta(hours=1)).isoformat()
        token = await made(root, "viewer", expires=expires)
        assert token["expires"] == expires
        client = await bearer(loop, token)
        loop.clock.move(timedelta(minutes=59))
        assert (await client.get(f"{V1}/projects")).status_code == 200
        loop.clock.move(timedelta(minutes=1))
        answer = await client.get(f"{V1}/projects")
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert "has expired" in answer.json()["detail"]

    run(story)


def test_a_revoked_token_is_refused_even_where_nobody_needs_one(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        cats = await project_path(root)
        token = await made(root, "device")
        device = await bearer(loop, token)
        await root.patch(cats, json={"open_to_devices": True})
        assert (await root.delete(f"{TOKENS}/{token['id']}")).status_code == 200
        assert (await device.post(routes.images("zoo", "cats"), files=pair(1))).status_code == 401
        assert (await root.delete(f"{TOKENS}/{token['id']}")).status_code == 404

    run(story)


@pytest.mark.parametrize("header", ["Bearer el_unknown", "bearer ", "Bearer", "Bearer x y"])
def test_a_token_that_nobody_made_is_refused(run: Run, header: str) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        root.headers["Authorization"] = header
        assert (await root.get(f"{V1}/projects")).status_code == 401

    run(story)


def test_other_schemes_are_a_proxys_matter(run: Run) -> None:
    async def story(_loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        root.headers["Authorization"] = "Basic cHJveHk6c2VjcmV0"
        assert (await root.get(f"{V1}/projects")).status_code == 200

    run(story)


def test_tokens_of_a_disabled_account_rest(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        ann = await loop.person("ann", {"zoo": "viewer"})
        client = await bearer(loop, await made(ann, "viewer"))
        path = f"{V1}/users/{(await ann.get(f'{V1}/me')).json()['id']}"
        for is_disabled, status in ((True, 401), (False, 200)):
            await root.patch(path, json={"is_disabled": is_disabled})
            assert (await client.get(f"{V1}/projects")).status_code == status

    run(story)


def test_a_token_gets_itself_no_more_than_was_lent_to_it(run: Run) -> None:
    async def story(loop: LoopInProcess, _root: httpx.AsyncClient) -> None:
        ann = await loop.person("ann", {"zoo": "admin"})
        token, other = await made(ann, "admin"), await made(ann, "viewer")
        client = await bearer(loop, token)
        body = {"current": "correct horse", "password": "battery staple"}
        refused = [
            await client.post(TOKENS, json={"name": "more", "scopes": ["admin"]}),
            await client.get(TOKENS),
            await client.delete(f"{TOKENS}/{other['id']}"),
            await client.put(f"{V1}/me/password", json=body),
            await client.get(f"{V1}/me/sessions"),
            await client.delete(f"{V1}/me/sessions/0123456789abcdef"),
        ]
        assert {answer.status_code for answer in refused} == {403}
        assert (await client.get(f"{V1}/me")).json()["token_id"] == token["id"]
        assert (await client.delete(f"{TOKENS}/{token['id']}")).status_code == 200
        assert (await client.get(f"{V1}/me")).status_code == 401

    run(story)


def test_one_sees_and_ends_ones_own_tokens_and_admins_those_of_others(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        ann = await loop.person("ann", {"zoo": "viewer"})
        mine = await made(root, "admin")
        hers = [await made(ann, "viewer", name=name) for name in ("one", "two")]
        me = (await ann.get(f"{V1}/me")).json()
        first = (await ann.get(f"{TOKENS}?limit=1")).json()
        second = (await ann.get(f"{TOKENS}?limit=1&after={first['next']}")).json()
        seen = {item["name"] for item in (*first["items"], *second["items"])}
        assert (seen, second["next"]) == ({"one", "two"}, None)
        assert "secret" not in first["items"][0]
        assert (await ann.delete(f"{TOKENS}/{mine['id']}")).status_code == 404
        root_id = (await root.get(f"{V1}/me")).json()["id"]
        assert (await ann.get(f"{TOKENS}?user_id={root_id}")).status_code == 403
        found = (await root.get(f"{TOKENS}?user_id={me['id']}")).json()["items"]
        assert {item["username"] for item in found} == {"ann"}
        assert (await root.delete(f"{TOKENS}/{hers[0]['id']}")).status_code == 200

    run(story)


def test_the_last_use_of_a_token_is_kept_once_a_minute(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        client = await bearer(loop, await made(root, "viewer"))

        async def last_used() -> str | None:
            (token,) = (await root.get(TOKENS)).json()["items"]
            moment: str | None = token["last_used"]
            return moment

        assert await last_used() is None
        used = loop.clock().isoformat()
        for seconds in (0, 59):
            loop.clock.move(timedelta(seconds=seconds))
            await client.get(f"{V1}/projects")
            assert await last_used() == used
        loop.clock.move(timedelta(seconds=1))
        await client.get(f"{V1}/projects")
        assert await last_used() == loop.clock().isoformat()

    run(story)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"name": ""}, 422),
        ({"name": "x" * 101}, 422),
        ({"scopes": []}, 422),
        ({"scopes": ["king"]}, 422),
        ({"expires": "2026-01-02T03:04:05+00:00"}, 422),
        ({"expires": "2036-01-02T03:04:05"}, 422),
        ({"project": "zoo/birds"}, 404),
        ({"project": "zoo"}, 404),
    ],
)
def test_a_token_that_cannot_be_is_not_made(run: Run, fields: dict[str, Any], status: int) -> None:
    async def story(_loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        body = {"name": "t", "scopes": ["viewer"], **fields}
        assert (await root.post(TOKENS, json=body)).status_code == status
        assert (await root.get(TOKENS)).json()["items"] == []

    run(story)


def test_the_secret_of_a_token_is_kept_nowhere(
    run: Run, loop_settings: LoopSettings, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = []

    async def story(_loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        secrets.append((await made(root, "viewer"))["secret"])

    run(story)
    stored = b"".join(path.read_bytes() for path in loop_settings.data_folder.glob("loop.sqlite*"))
    assert secrets[0].startswith("el_")
    assert secrets[0].encode() not in stored
    assert secrets[0] not in caplog.text
