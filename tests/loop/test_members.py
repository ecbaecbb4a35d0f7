"""Roles are given and taken place by place; each lends what it says, there and below."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from edgeloop.protocol.routes import V1
from loops import LoopInProcess, OpenLoop

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


async def path_of(root: httpx.AsyncClient, name: str) -> str:
    """Where a project is."""
    (project,) = (await root.get(f"{V1}/projects?name={name}")).json()["items"]
    return f"{V1}/projects/{project['id']}"


async def seen(client: httpx.AsyncClient) -> list[str]:
    """The names of the projects that somebody sees."""
    return [project["name"] for project in (await client.get(f"{V1}/projects")).json()["items"]]


async def members(client: httpx.AsyncClient, path: str) -> dict[tuple[str, str], str]:
    """Who has which role where, page by page."""
    found: dict[tuple[str, str], str] = {}
    after: str | None = ""
    while after is not None:
        query = f"?limit=1&after={after}" if after else "?limit=1"
        page: dict[str, Any] = (await client.get(f"{path}/members{query}")).json()
        found |= {(item["username"], item["place"]): item["role"] for item in page["items"]}
        after = page["next"]
    return found


def test_a_role_in_a_project_shows_that_project_alone(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        ann, cats = await loop.person("ann"), await path_of(root, "cats")
        given = await root.put(f"{cats}/members/ann", json={"role": "viewer"})
        assert given.json()["place"] == "zoo/cats"
        assert await seen(ann) == ["cats"]
        assert (await ann.get(await path_of(root, "dogs"))).status_code == 404
        listed = (await ann.get(f"{V1}/organizations")).json()["items"]
        assert [(item["name"], item["projects"]) for item in listed] == [("zoo", 1)]

    run(story)


def test_a_role_in_an_organization_counts_in_all_its_projects(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        await loop.project(organization="ark", name="pairs")
        ann = await loop.person("ann")
        await root.put(f"{V1}/organizations/zoo/members/ann", json={"role": "manager"})
        assert await seen(ann) == ["cats", "dogs"]
        body = {"has_val_split": True}
        assert (await ann.patch(await path_of(root, "dogs"), json=body)).status_code == 200

    run(story)


def test_of_two_roles_the_higher_counts(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        roles: dict[str, Any] = {"zoo": "manager", "zoo/cats": "viewer"}
        ann = await loop.person("ann", roles)
        body = {"has_val_split": True}
        assert (await ann.patch(await path_of(root, "cats"), json=body)).status_code == 200

    run(story)


def test_a_role_replaces_the_one_at_the_same_place_and_can_be_taken_away(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        ann, cats = await loop.person("ann"), await path_of(root, "cats")
        for role in ("viewer", "annotator"):
            await root.put(f"{cats}/members/ann", json={"role": role})
        await root.put(f"{V1}/organizations/zoo/members/ann", json={"role": "viewer"})
        everywhere = {("ann", "zoo/cats"): "annotator", ("ann", "zoo"): "viewer"}
        assert await members(root, cats) == everywhere
        assert await members(ann, f"{V1}/organizations/zoo") == {("ann", "zoo"): "viewer"}
        assert (await root.delete(f"{cats}/members/ann")).status_code == 200
        assert await members(root, cats) == {("ann", "zoo"): "viewer"}
        assert (await root.delete(f"{cats}/members/ann")).status_code == 404
        await root.delete(f"{V1}/organizations/zoo/members/ann")
        assert await seen(ann) == []

    run(story)


def test_an_admin_of_a_project_gives_roles_there_and_nowhere_else(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        await loop.person("bob")
        ann = await loop.person("ann", {"zoo/cats": "admin"})
        cats, dogs = await path_of(root, "cats"), await path_of(root, "dogs")
        body = {"role": "admin"}
        assert (await ann.put(f"{cats}/members/bob", json=body)).status_code == 200
        assert (await ann.put(f"{dogs}/members/bob", json=body)).status_code == 404
        organization = f"{V1}/organizations/zoo/members/bob"
        assert (await ann.put(organization, json=body)).status_code == 403
        assert (await ann.put(f"{cats}/members/nobody", json=body)).status_code == 404

    run(story)


def test_roles_of_an_account_are_listed_and_given_by_its_id(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        ann = await loop.person("ann")
        path = f"{V1}/users/{(await ann.get(f'{V1}/me')).json()['id']}"
        for place in ("zoo", "zoo/cats"):
            body = {"place": place, "role": "annotator"}
            assert (await root.put(f"{path}/roles", json=body)).json()["place"] == place
        found = (await ann.get(f"{path}/roles")).json()["items"]
        assert {item["place"]: item["role"] for item in found} == {
            "zoo": "annotator",
            "zoo/cats": "annotator",
        }
        user = (await root.get(path)).json()
        assert {item["place"] for item in user["roles"]} == {"zoo", "zoo/cats"}
        for place in ("ark", "zoo/birds"):
            body = {"place": place, "role": "annotator"}
            assert (await root.put(f"{path}/roles", json=body)).status_code == 404

    run(story)


def test_a_role_that_there_is_not_is_refused(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        await loop.person("ann")
        path = f"{await path_of(root, 'cats')}/members/ann"
        assert (await root.put(path, json={"role": "king"})).status_code == 422

    run(story)


def test_organizations_are_made_by_admins_of_the_loop_before_their_first_project(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        ann = await loop.person("ann")
        path = f"{V1}/organizations"
        assert (await root.post(path, json={"name": "ark"})).json()["projects"] == 0
        assert (await root.post(path, json={"name": "ark"})).status_code == 409
        for name in ("A", "v1", ""):
            assert (await root.post(path, json={"name": name})).status_code == 422
        await root.put(f"{path}/ark/members/ann", json={"role": "manager"})
        listed = (await ann.get(path)).json()["items"]
        assert [(item["name"], item["projects"]) for item in listed] == [("ark", 0)]
        body = {"organization": "ark", "name": "pairs"}
        assert (await ann.post(f"{V1}/projects", json=body)).status_code == 200
        first = (await root.get(f"{path}?limit=1")).json()
        assert (first["next"], first["items"][0]["projects"]) == ("ark", 1)
        rest = (await root.get(f"{path}?after=ark")).json()["items"]
        assert [(item["name"], item["projects"]) for item in rest] == [("zoo", 2)]

    run(story)


@pytest.mark.parametrize("organization", ["zoo", "ark"])
def test_who_may_not_create_a_project_learns_nothing_of_organizations(
    run: Run, organization: str
) -> None:
    async def story(loop: LoopInProcess, _root: httpx.AsyncClient) -> None:
        ann = await loop.person("ann")
        body = {"organization": organization, "name": "birds"}
        answer = await ann.post(f"{V1}/projects", json=body)
        assert answer.status_code == 403
        detail = answer.json()["detail"].replace(organization, "...")
        assert detail.startswith("A project in ... can be made by a manager")

    run(story)


@pytest.mark.parametrize("role", ["manager", "admin"])
def test_opening_a_project_to_devices_takes_an_admin(run: Run, role: str) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        roles: Any = {"zoo": role}
        ann, expected = await loop.person("ann", roles), 200 if role == "admin" else 403
        cats = await path_of(root, "cats")
        answer = await ann.patch(cats, json={"open_to_devices": True})
        assert answer.status_code == expected
        body = {"organization": "zoo", "name": "birds", "open_to_devices": True}
        assert (await ann.post(f"{V1}/projects", json=body)).status_code == expected
        answer = await ann.patch(cats, json={"open_to_devices": role == "admin"})
        assert answer.status_code == 200, "it stays as it is"

    run(story)


def test_a_new_role_counts_from_the_next_request_on(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        ann, cats = await loop.person("ann"), await path_of(root, "cats")
        for role, status in (("manager", 200), ("viewer", 403), ("manager", 200)):
            await root.put(f"{cats}/members/ann", json={"role": role})
            assert (await ann.patch(cats, json={"has_val_split": True})).status_code == status

    run(story)
