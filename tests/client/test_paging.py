"""Lists of a loop, page by page."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from cli.shop import Shop, shop_in
from edgeloop.client import AsyncLoopClient, Call, LoopClient
from edgeloop.client.calls import conversions, members, projects, trainings, users
from edgeloop.client.calls.page import Page
from edgeloop.client.paging import async_items, items, pages
from edgeloop.errors import Unprocessable

LISTS = ("projects", "sessions", "queue", "conversions", "trainings", "organizations")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A loop with at least three of each."""
    folder = tmp_path_factory.mktemp("shop")
    with shop_in(folder) as shop:
        project = shop.project.id
        shop.publish(folder, "torch")
        wanted = ["onnx", "engine", "coreml"]
        shop.client.send(projects.update_project(project, wanted_formats=wanted))
        for organization, name in (("o", "z"), ("a", "z"), ("o", "b")):
            shop.client.send(projects.create_project(organization, name, []))
        shop.client.send(members.create_organization("third"))
        for _ in range(3):
            shop.client.send(trainings.begin_training(project, hyperparameters={}))
            with LoopClient(shop.client.settings) as another:
                another.log_in()
        yield shop


def call_for(name: str, shop: Shop, **cursor: Any) -> Call[Page[Any]]:
    """The call for one of the lists."""
    project = shop.project.id
    calls: dict[str, Call[Page[Any]]] = {
        "projects": projects.projects(**cursor),
        "sessions": users.sessions(**cursor),
        "queue": trainings.queue(**cursor),
        "conversions": conversions.conversions(project, **cursor),
        "trainings": trainings.project_trainings(project, **cursor),
        "organizations": members.organizations(**cursor),
    }
    return calls[name]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("limit", [1, 2])
def test_a_list_in_small_pages_is_the_list(shop: Shop, name: str, limit: int) -> None:
    whole = shop.client.send(call_for(name, shop))
    assert whole.next is None
    assert len(whole.items) >= 3
    small = list(pages(shop.client, call_for(name, shop, limit=limit)))
    assert all(len(page.items) == limit for page in small[:-1])
    assert [item for page in small for item in page.items] == list(whole.items)
    assert list(items(shop.client, call_for(name, shop, limit=limit))) == list(whole.items)


def test_projects_come_by_organization_and_name(shop: Shop) -> None:
    found = items(shop.client, projects.projects(limit=1))
    addresses = [f"{project.organization}/{project.name}" for project in found]
    assert addresses == ["a/z", "o/b", "o/p", "o/z"]
    in_one = items(shop.client, projects.projects(organization="o", limit=1))
    assert [project.name for project in in_one] == ["b", "p", "z"]


def test_a_page_is_asked_for_when_it_is_due(shop: Shop) -> None:
    found = items(shop.client, projects.projects(limit=1))
    assert next(found).name == "z"
    shop.client.send(projects.create_project("late", "x", []))
    assert "late" in [project.organization for project in found]


@pytest.mark.parametrize("name", ["sessions", "queue", "conversions"])
def test_a_list_cannot_go_on_behind_what_it_does_not_have(shop: Shop, name: str) -> None:
    with pytest.raises(Unprocessable, match=r"begin anew without it"):
        shop.client.send(call_for(name, shop, after="nonsense"))


def test_programs_with_an_event_loop_read_the_same(shop: Shop) -> None:
    async def read() -> list[Any]:
        async with AsyncLoopClient(shop.client.settings) as client:
            call = call_for("queue", shop, limit=1)
            return [waiting async for waiting in async_items(client, call)]

    assert asyncio.run(read()) == list(shop.client.send(call_for("queue", shop)).items)
