"""Pages show what the visitor may see, and say of nothing else that it exists."""

import asyncio
from collections.abc import Iterator

import nicegui
import pytest

from edgeloop.protocol.routes import V1
from loops import LoopInProcess, OpenLoop
from uploading import pair, receipts

PROJECT = "/projects/{organization}/{name}"
OF_PROJECTS = {
    PROJECT: "viewer",
    f"{PROJECT}/images/{{image_id}}": "viewer",
    f"{PROJECT}/trainings": "viewer",
    f"{PROJECT}/models": "viewer",
}
"""The pages of a project, and the lowest role that sees each."""
OF_ALL = ("/", "/nodes")
"""Pages that show everybody what is theirs."""
OF_NOBODY = ("/login",)


def paths() -> Iterator[str]:
    """Where there are pages."""
    for route in nicegui.app.routes:
        path = str(getattr(route, "path", ""))
        if not path.startswith(("/_nicegui", "/style-", "/favicon")):
            yield path


async def filled(loop: LoopInProcess, path: str, name: str = "cats") -> str:
    """The path of a page of zoo/cats, or of another project."""
    (receipt,) = await receipts(await loop.client(), pair(1))
    return path.format(organization="zoo", name=name, image_id=receipt["id"])


def test_every_page_is_in_the_table(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop():
            assert {*paths()} - {""} == {*OF_PROJECTS, *OF_ALL, *OF_NOBODY}

    asyncio.run(story())


@pytest.mark.parametrize("path", OF_PROJECTS)
def test_the_page_of_a_project_is_for_those_with_a_role_in_it(
    open_loop: OpenLoop, path: str
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            visitor = await loop.person("ann", {"zoo/cats": "viewer"})
            stranger = await loop.person("eve")
            here = await filled(loop, path)
            assert (await visitor.get(here)).status_code == 200
            there, nowhere = await stranger.get(here), await filled(loop, path, "dogs")
            assert there.status_code == 404
            assert "There is no project zoo/cats." in there.text
            assert "There is no project zoo/dogs." in (await stranger.get(nowhere)).text

    asyncio.run(story())


@pytest.mark.parametrize("path", [*OF_PROJECTS, *OF_ALL])
def test_pages_take_a_login(open_loop: OpenLoop, path: str) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            here = await filled(loop, path)
            for client in (await loop.stranger(), await loop.device()):
                answer = await client.get(here)
                assert answer.status_code == 303
                assert answer.headers["location"].startswith("/login")

    asyncio.run(story())


@pytest.mark.parametrize("path", [*OF_PROJECTS, *OF_ALL])
def test_pages_send_who_shows_an_unknown_token_to_the_login(open_loop: OpenLoop, path: str) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            here = await filled(loop, path)
            client = await loop.stranger()
            client.headers["Authorization"] = "Bearer el_unknown"
            answer = await client.get(here)
            assert answer.status_code == 303
            assert (await client.get(answer.headers["location"])).status_code == 200

    asyncio.run(story())


def test_the_page_of_all_projects_shows_ones_own(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            await loop.project(name="dogs")
            ann = await loop.person("ann", {"zoo/dogs": "viewer"})
            text = (await ann.get("/")).text
            assert "/projects/zoo/dogs" in text
            assert "cats" not in text

    asyncio.run(story())


def test_the_images_on_a_page_are_those_of_a_visible_project(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            (receipt,) = await receipts(await loop.client(), pair(1))
            stranger = await loop.person("eve")
            for kind in ("file", "thumbnail"):
                path = f"{V1}/images/{receipt['id']}/{kind}"
                assert (await stranger.get(path)).status_code == 404

    asyncio.run(story())
