"""The web pages as HTTP sees them: who may look, and that the data is in them."""

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from edgeloop.loop import LoopSettings, create_app
from edgeloop.loop.services import overview, queue
from edgeloop.loop.ui import images as images_module
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from fakes import jpeg
from fleets import LoopInHand, loop_in_hand
from loops import PASSWORD, LoopInProcess, OpenLoop
from pages import PARTS, Tell, link, page, seen, texts
from seeded import HOSTILE

EMPTY = "/projects/workshop/empty"
PAGES = ("/", PARTS, f"{PARTS}/trainings", f"{PARTS}/models", "/nodes")


@pytest.mark.parametrize("path", [*PAGES, f"{PARTS}?state=review", f"{PARTS}/images/none"])
def test_a_stranger_is_sent_to_the_login_and_back_afterwards(tell: Tell, path: str) -> None:
    async def story(loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        stranger = await loop.stranger()
        answer = await stranger.get(path)
        assert answer.status_code == 303
        login = answer.headers["location"]
        assert login.startswith("/login")
        assert (await stranger.get(login)).status_code == 200
        assert (await person.get(login)).headers["location"] == path

    tell(story)


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil", "evil"]
)
def test_the_login_sends_nobody_elsewhere(tell: Tell, elsewhere: str) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        answer = await person.get("/login", params={"next": elsewhere})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")

    tell(story)


def test_a_session_of_the_login_opens_the_pages_and_their_images(tell: Tell) -> None:
    async def story(loop: LoopInProcess, _person: httpx.AsyncClient) -> None:
        stranger = await loop.stranger()
        await stranger.post(routes.LOGIN, data={"username": "admin", "password": PASSWORD})
        image_id = seen(await page(stranger, PARTS))[0]
        answer = await stranger.get(f"{V1}/images/{image_id}/thumbnail")
        assert answer.headers["content-type"] == "image/jpeg"
        await stranger.post(routes.LOGOUT)
        assert (await stranger.get(PARTS)).status_code == 303

    tell(story)


def test_a_device_is_no_person_that_looks_at_pages(tell: Tell) -> None:
    async def story(loop: LoopInProcess, _person: httpx.AsyncClient) -> None:
        assert (await (await loop.device()).get("/")).status_code == 303

    tell(story)


def test_the_projects_are_shown_with_their_figures(tell: Tell) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        text = await page(person, "/")
        for words in ("parts", "empty", "2 models", "1.0 deployed", "training", "Open to devices"):
            assert words in text
        assert "edgeloop project open workshop/parts" in text
        assert "edgeloop project open workshop/empty" not in text
        assert link(text, "2 models") == f"{PARTS}/models"

    tell(story)


def test_a_project_is_shown_with_some_of_its_newest_images(tell: Tell) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        text = await page(person, "/")
        assert text.count("/thumbnail") == 4
        assert "no images" in text

    tell(story)


def test_models_that_are_not_deployed_are_said_to_be_so(
    loop_settings: LoopSettings, open_loop: OpenLoop
) -> None:
    async def story() -> None:
        loop_settings.data_folder.mkdir()
        async with loop_in_hand(loop_settings.data_folder) as made:
            await made.begin()
            await made.hear("idle")
            (match,) = await waiting(made)
            async with made.workspaces.write() as workspace:
                await queue.claim(workspace, match)
            await made.improve()
            await made.upload()
        async with open_loop() as loop:
            client = await loop.client()
            assert "none deployed" in await page(client, "/")
            assert "No model was deployed yet" in await page(client, "/projects/zoo/cats/models")
            assert "begins" in await page(client, "/projects/zoo/cats/trainings")

    asyncio.run(story())


async def waiting(loop: LoopInHand) -> Sequence[queue.Match]:
    """Which training may go to which trainer."""
    async with loop.workspaces.read() as workspace:
        return await queue.matches(workspace)


def test_without_a_project_the_page_says_how_to_make_one(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            text = await page(await loop.client(), "/")
            assert "edgeloop project create" in text
            assert "edgeloop import voc" in text
            assert "No node was heard from" in await page(await loop.client(), "/nodes")

    asyncio.run(story())


def test_an_empty_project_says_what_to_do(tell: Tell) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        assert "edgeloop import voc FOLDER --project workshop/empty" in await page(person, EMPTY)
        assert "/trainings" in await page(person, f"{EMPTY}/trainings")
        assert "Nothing was trained yet" in await page(person, f"{EMPTY}/trainings")
        assert "There is no model yet" in await page(person, f"{EMPTY}/models")

    tell(story)


def test_the_inbox_shows_detections_dashed_with_their_confidence(tell: Tell) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        text = await page(person, f"{PARTS}?state=inbox")
        assert len(seen(text)) == 12
        assert "stroke-dasharray" in text
        assert re.search(r">0\.\d\d</text>", text)
        assert await page(person, PARTS) != ""

    tell(story)


def test_complete_images_show_annotations_solid(tell: Tell) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        text = await page(person, f"{PARTS}?state=complete")
        assert len(seen(text)) == 14
        assert "<rect" in text
        assert "stroke-dasharray" not in text

    tell(story)


@pytest.mark.parametrize("query", ["state=trash", "state=trash&tag=night"])
def test_a_state_without_images_is_said_to_be_empty(tell: Tell, query: str) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        assert "No image " in await page(person, f"{PARTS}?{query}")

    tell(story)


def test_a_state_that_does_not_exist_counts_as_none(tell: Tell) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        assert len(seen(await page(person, f"{PARTS}?state=nonsense"))) == 12

    tell(story)


def test_images_can_be_looked_at_by_tag(tell: Tell) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        night = await page(person, f"{PARTS}?state=inbox&tag=night")
        assert len(seen(night)) == 12
        assert "tag: night" in night
        assert "No image in inbox has the tag import" in await page(
            person, f"{PARTS}?state=inbox&tag=import"
        )

    tell(story)


def test_paging_shows_each_image_once_and_leads_back(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images_module, "PER_PAGE", 5)

    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        first = await page(person, f"{PARTS}?state=inbox")
        second = await page(person, link(first, "Next →"))
        third = await page(person, link(second, "Next →"))
        shown = [seen(text) for text in (first, second, third)]
        assert [len(ids) for ids in shown] == [5, 5, 2]
        assert len({id_ for ids in shown for id_ in ids}) == 12
        assert "Next →" not in texts(third)
        assert seen(await page(person, link(third, "← Previous"))) == shown[1]
        assert seen(await page(person, link(second, "← Previous"))) == shown[0]
        assert seen(await page(person, link(third, "First"))) == shown[0]

    tell(story)


def test_a_cursor_that_is_no_image_is_said_in_a_sentence(tell: Tell) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        text = await page(person, f"{PARTS}?after=none", status=422)
        assert "'none' is no cursor" in text

    tell(story)


def test_an_image_is_shown_with_all_that_is_known_of_it(tell: Tell) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        ids = seen(await page(person, f"{PARTS}?state=inbox"))
        text = await page(person, f"{PARTS}/images/{ids[1]}")
        for words in ("belt 3", "overhead", "field_0001-90", "320 x 240", "night", "model 1.0"):
            assert words in text
        assert "Nobody has annotated this image" in text
        assert "stroke-dasharray" in text
        assert f"{V1}/images/{ids[1]}/file" in text
        assert ids[0] in link(text, "← Previous")
        assert ids[2] in link(text, "Next →")

    tell(story)


def test_an_annotated_image_shows_detections_on_demand(tell: Tell) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        image_id = seen(await page(person, f"{PARTS}?state=complete"))[0]
        path = f"{PARTS}/images/{image_id}"
        assert "stroke-dasharray" not in await page(person, path)
        text = await page(person, f"{path}?model=1.0&tag=import")
        assert "stroke-dasharray" in text
        assert "tag=import" in link(text, "Next →")
        assert "← Previous" not in texts(text)

    tell(story)


def test_points_polygons_and_classes_of_images_are_shown(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            kinds = ("point", "segmentation", "classification")
            project = await loop.project(categories=[{"name": k, "type": k} for k in kinds])
            point, polygon, whole = (category["id"] for category in project["categories"])
            client = await loop.client()
            shapes = [{"x": 1, "y": 1}, {"x": 9, "y": 1}, {"x": 9, "y": 9}]
            image_id = await upload(
                client,
                state="complete",
                point_annotations=[{"category_id": point, "x": 5, "y": 6}],
                segmentation_annotations=[{"category_id": polygon, "shape": {"points": shapes}}],
                classification_annotation={"category_id": whole},
                point_detections=[seen_as("point", x=7, y=8)],
                segmentation_detections=[
                    seen_as("segmentation", shape={"points": shapes}),
                ],
                classification_detections=[seen_as("classification")],
            )
            text = await page(client, f"/projects/zoo/cats/images/{image_id}?model=1.0")
            assert text.count("<circle") == 2
            assert text.count("<polygon") == 2
            assert text.count("stroke-dasharray") == 2
            for kind in kinds:
                assert texts(text).count(kind) >= 2

    asyncio.run(story())


async def upload(client: httpx.AsyncClient, **metadata: Any) -> str:
    """An image with this metadata; returns its id."""
    files = [
        ("files", ("image.json", json.dumps(metadata).encode(), "application/json")),
        ("files", ("image.jpg", jpeg(), "image/jpeg")),
    ]
    answer = await client.post(routes.images("zoo", "cats"), files=files)
    assert answer.status_code == 200, answer.text
    image_id: str = answer.json()["items"][0]["id"]
    return image_id


def seen_as(category: str, **fields: Any) -> dict[str, Any]:
    """A detection by the model 1.0."""
    return {
        "category_name": category,
        "confidence": 0.9,
        "model_name": "1.0",
        **fields,
    }


def test_a_colour_that_is_none_is_not_passed_on(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            color = 'red" onload="window.hostile=1'
            project = await loop.project(categories=[{"name": "cat", "color": color}])
            client = await loop.client()
            box = {"x": 1, "y": 1, "width": 9, "height": 9}
            category_id = project["categories"][0]["id"]
            await upload(
                client,
                state="review",
                box_annotations=[
                    {"category_id": category_id, **box},
                ],
            )
            text = await page(client, "/projects/zoo/cats")
            assert "<rect" in text
            assert "onload" not in text

    asyncio.run(story())


def test_an_image_that_no_model_has_seen_is_said_to_be_so(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            image_id = await upload(client)
            text = await page(client, f"/projects/zoo/cats/images/{image_id}")
            assert "No model has looked at this image" in text
            assert "no images" not in await page(client, "/")

    asyncio.run(story())


@pytest.mark.parametrize("path", [f"{PARTS}?state=complete", *PAGES])
def test_names_that_users_choose_are_never_html(tell: Tell, path: str) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        raw = (await person.get(path)).text
        assert "hostile" in raw
        assert HOSTILE not in raw
        assert "<img src" not in raw

    tell(story)


@pytest.mark.parametrize("below", ["", "/trainings", "/models", "/images/none"])
def test_a_project_that_does_not_exist_is_said_in_a_sentence(tell: Tell, below: str) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        text = await page(person, f"/projects/workshop/none{below}", status=404)
        assert "There is no project workshop/none." in text

    tell(story)


def test_an_image_that_does_not_exist_is_said_in_a_sentence(tell: Tell) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        text = await page(person, f"{PARTS}/images/none", status=404)
        assert "There is no image with the id none" in text

    tell(story)


def test_a_page_that_does_not_exist_is_said_in_a_sentence(tell: Tell) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        assert "There is no page /nowhere." in await page(person, "/nowhere", status=404)

    tell(story)


@pytest.mark.parametrize("path", ["/api", "/api/none", f"{V1}/none", "/ws/none"])
def test_the_api_answers_what_it_does_not_know_itself(tell: Tell, path: str) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        answer = await person.get(path)
        assert answer.status_code == 404
        assert not answer.headers["content-type"].startswith("text/html")

    tell(story)


def test_a_method_that_the_api_does_not_know_stays_its_own_matter(tell: Tell) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        assert (await person.delete(routes.STATUS)).status_code == 405

    tell(story)


def test_a_bug_in_a_page_is_one_sentence_and_a_line_in_the_log(
    tell: Tell, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a secret of the house")

    monkeypatch.setattr(overview, "summaries", broken)

    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        with caplog.at_level(logging.ERROR):
            text = await page(person, "/", status=500)
        assert "Something went wrong in this page" in text
        assert "secret" not in text
        assert "The page / met a bug" in caplog.text

    tell(story)


def test_the_style_sheet_is_served_by_the_loop(tell: Tell) -> None:
    async def story(loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        found = re.search(r'href="(/style-\w+\.css)"', await page(person, "/"))
        assert found
        answer = await (await loop.stranger()).get(found[1])
        assert answer.headers["content-type"].startswith("text/css")

    tell(story)


def test_pages_name_no_other_host(tell: Tell) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        for path in PAGES:
            hosts = set(re.findall(r"(?:https?:)?//([\w.-]+\.\w+)", await page(person, path)))
            assert hosts <= {"www.w3.org"}

    tell(story)


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Another loop in this process, and a stranger who asks it."""
    settings = LoopSettings(data_folder=folder, admin_password=SecretStr(PASSWORD))
    app = create_app(settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://loop") as client,
    ):
        yield client


def test_of_two_loops_in_one_process_the_first_has_the_pages(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path / "a") as first, running(tmp_path / "b") as second:
            assert (await first.get("/login")).status_code == 200
            assert (await second.get("/login")).status_code == 503
            assert (await second.get(routes.STATUS)).status_code == 200
        async with running(tmp_path / "b") as second:
            assert (await second.get("/login")).status_code == 200

    asyncio.run(story())


def test_a_loop_that_does_not_run_has_no_pages(loop_settings: LoopSettings) -> None:
    async def story() -> None:
        transport = httpx.ASGITransport(create_app(loop_settings))
        async with httpx.AsyncClient(transport=transport, base_url="http://loop") as client:
            assert (await client.get("/login")).status_code == 503

    asyncio.run(story())
