"""Projects and their categories."""

import asyncio
from typing import Any

import pytest

from edgeloop.protocol.routes import V1
from loops import OpenLoop

PROJECTS = f"{V1}/projects"
BODY = {
    "organization": "zoo",
    "name": "cats",
    "categories": [
        {"name": "cat"},
        {"name": "tail", "type": "point", "color": "#112233", "point_size": 9},
    ],
}


def test_a_new_project_is_answered_whole(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            project = (await client.post(PROJECTS, json=BODY)).json()
            first, second = project["categories"]
            assert project == {
                "id": project["id"],
                "organization": "zoo",
                "name": "cats",
                "categories": [first, second],
                "open_to_devices": False,
                "has_val_split": False,
                "promoted_model_id": None,
                "wanted_formats": [],
                "created": "2026-01-02T03:04:05+00:00",
                "image_counts": {"inbox": 0, "annotate": 0, "review": 0, "complete": 0, "trash": 0},
            }
            assert (first["name"], first["type"]) == ("cat", "box")
            assert second == {
                "id": second["id"],
                "name": "tail",
                "description": "",
                "hotkey": "",
                "color": "#112233",
                "point_size": 9,
                "type": "point",
            }
            assert (await client.get(f"{PROJECTS}/{project['id']}")).json() == project

    asyncio.run(story())


def test_categories_without_a_colour_get_different_ones(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            names = [{"name": name} for name in "abcde"]
            project = await loop.project(categories=names)
            assert len({category["color"] for category in project["categories"]}) == 5

    asyncio.run(story())


def test_a_project_cannot_be_made_twice_but_its_name_used_elsewhere(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            assert (await client.post(PROJECTS, json=BODY)).status_code == 200
            assert (await client.post(PROJECTS, json=BODY)).status_code == 409
            other = {**BODY, "organization": "ark"}
            assert (await client.post(PROJECTS, json=other)).status_code == 200

    asyncio.run(story())


@pytest.mark.parametrize(
    "wrong",
    [
        {"organization": "v1"},
        {"organization": "projects"},
        {"organization": "Zoo"},
        {"name": ""},
        {"name": "a/b"},
        {"name": "-a"},
        {"name": "a" * 65},
        {"name": "cats\n"},
        {"categories": [{"name": ""}]},
        {"categories": [{"name": "cat"}, {"name": "dog"}, {"name": "cat"}]},
        {"categories": [{"name": "cat", "type": "sphere"}]},
        {"categories": "cat"},
    ],
)
def test_impossible_projects_are_refused_with_a_sentence(
    open_loop: OpenLoop, wrong: dict[str, Any]
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            answer = await client.post(PROJECTS, json={**BODY, **wrong})
            assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable")
            assert answer.json()["detail"].endswith(".")
            assert (await client.get(PROJECTS)).json()["items"] == []

    asyncio.run(story())


def test_projects_are_found_by_their_names(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            for organization, name in (("zoo", "cats"), ("zoo", "apes"), ("ark", "cats")):
                await loop.project(organization=organization, name=name)

            async def found(query: str) -> list[str]:
                items = (await client.get(f"{PROJECTS}{query}")).json()["items"]
                return [f"{item['organization']}/{item['name']}" for item in items]

            assert await found("") == ["ark/cats", "zoo/apes", "zoo/cats"]
            assert await found("?organization=zoo") == ["zoo/apes", "zoo/cats"]
            assert await found("?organization=zoo&name=cats") == ["zoo/cats"]

    asyncio.run(story())


def test_a_project_can_be_opened_and_closed_and_get_another_split(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            path = f"{PROJECTS}/{(await loop.project())['id']}"
            opened = (await client.patch(path, json={"open_to_devices": True})).json()
            assert (opened["open_to_devices"], opened["has_val_split"]) == (True, False)
            other = (await client.patch(path, json={"has_val_split": True})).json()
            assert (other["open_to_devices"], other["has_val_split"]) == (True, True)
            closed = (await client.patch(path, json={"open_to_devices": False})).json()
            assert (closed["open_to_devices"], closed["has_val_split"]) == (False, True)

    asyncio.run(story())


def test_categories_are_changed_by_id_or_name_and_added_at_the_end(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            project = await loop.project(categories=[{"name": "cat"}, {"name": "dog"}])
            cat, dog = (category["id"] for category in project["categories"])
            change = [
                {"id": cat, "name": "lion"},
                {"name": "dog", "color": "#000000"},
                {"name": "ape"},
            ]
            path = f"{PROJECTS}/{project['id']}"
            changed = (await client.patch(path, json={"categories": change})).json()
            names = {category["id"]: category["name"] for category in changed["categories"]}
            assert list(names.values()) == ["lion", "dog", "ape"]
            assert list(names)[:2] == [cat, dog]
            assert changed["categories"][0]["color"] == project["categories"][0]["color"]
            assert changed["categories"][1]["color"] == "#000000"

    asyncio.run(story())


def test_categories_can_swap_their_names(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            project = await loop.project(categories=[{"name": "cat"}, {"name": "dog"}])
            cat, dog = (category["id"] for category in project["categories"])
            change = [{"id": cat, "name": "dog"}, {"id": dog, "name": "cat"}]
            path = f"{PROJECTS}/{project['id']}"
            answer = await client.patch(path, json={"categories": change})
            assert answer.status_code == 200, answer.text
            names = {category["id"]: category["name"] for category in answer.json()["categories"]}
            assert names == {cat: "dog", dog: "cat"}

    asyncio.run(story())


def test_a_category_cannot_be_renamed_to_another_one(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            project = await loop.project(categories=[{"name": "cat"}, {"name": "dog"}])
            change = [{"id": project["categories"][0]["id"], "name": "dog"}]
            path = f"{PROJECTS}/{project['id']}"
            answer = await client.patch(path, json={"categories": change})
            assert answer.status_code == 422
            assert (await client.get(path)).json() == project

    asyncio.run(story())


def test_the_id_of_another_projects_category_is_not_taken_over(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            theirs = (await loop.project())["categories"][0]
            mine = await loop.project(name="dogs", categories=[{"id": theirs["id"], "name": "dog"}])
            assert mine["categories"][0]["id"] != theirs["id"]
            cats = (await client.get(f"{PROJECTS}?name=cats")).json()["items"][0]
            assert cats["categories"] == [theirs]

    asyncio.run(story())


def test_an_unknown_project_is_not_found(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            for path in (f"{PROJECTS}/none", "/api/zoo/projects/none"):
                answer = await client.get(path)
                assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
            assert (await client.patch(f"{PROJECTS}/none", json={})).status_code == 404

    asyncio.run(story())


def test_published_clients_find_projects_with_their_resource(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            project = await loop.project()
            (listed,) = (await client.get("/api/projects")).json()["projects"]
            assert listed["resource"] == "/zoo/projects/cats"
            assert (listed["organization_id"], listed["project_id"]) == ("zoo", "cats")
            answer = await client.get(f"/api{listed['resource']}")
            assert answer.json()["categories"] == project["categories"]

    asyncio.run(story())


def test_what_is_left_out_of_a_change_of_a_category_stays_as_it_is(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            whole = {"name": "paw", "type": "point", "description": "d", "hotkey": "p"}
            point = {**whole, "color": "#112233", "point_size": 7}
            project = await loop.project(categories=[point])
            path = f"{PROJECTS}/{project['id']}"
            (before,) = project["categories"]
            for change in ({"name": "paw"}, {"id": before["id"]}):
                changed = (await client.patch(path, json={"categories": [change]})).json()
                assert changed["categories"] == [before]
            change = {"id": before["id"], "name": "foot", "hotkey": ""}
            changed = (await client.patch(path, json={"categories": [change]})).json()
            assert changed["categories"] == [{**before, "name": "foot", "hotkey": ""}]

    asyncio.run(story())


def test_a_category_that_is_added_needs_a_name(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            path = f"{PROJECTS}/{(await loop.project())['id']}"
            for wrong in ({}, {"id": "unknown"}):
                answer = await client.patch(path, json={"categories": [wrong]})
                assert (answer.status_code, "has no name" in answer.text) == (422, True)

    asyncio.run(story())
