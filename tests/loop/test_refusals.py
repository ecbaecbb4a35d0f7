"""A device that is not let in is told why; people are told how to let it in."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from edgeloop.errors import RateLimited
from edgeloop.loop import LoopSettings
from edgeloop.loop.services import workspace
from edgeloop.loop.services.refusals import MAX_PEERS, MAX_PROJECTS, Refusals
from edgeloop.loop.services.throttles import MAX_KEYS, Rate
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from loops import LOCAL, LoopInProcess, OpenLoop, loop_in_process
from uploading import pair, post, receipts

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OPEN = "edgeloop project open zoo/cats"
Story = Callable[[LoopInProcess, httpx.AsyncClient], Awaitable[None]]
Run = Callable[[Story], None]


@pytest.fixture
def run(open_loop: OpenLoop) -> Run:
    """Run a story with a loop, which has zoo/cats, and its admin's client."""

    def run(story: Story) -> None:
        async def whole() -> None:
            async with open_loop() as loop:
                await loop.project()
                await story(loop, await loop.client())

        asyncio.run(whole())

    return run


@pytest.mark.parametrize("path", ["/projects/zoo/cats", "/nodes"])
def test_the_pages_name_who_was_refused_and_the_commands_that_help(run: Run, path: str) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        assert OPEN not in (await root.get(path)).text
        device = await loop.stranger(address="203.0.113.77")
        for _ in range(3):
            answer = await post(device, pair(1))
            assert (answer.status_code, OPEN in answer.json()["detail"]) == (401, True)
        shown = (await root.get(path)).text
        assert OPEN in shown
        assert "edgeloop token create NAME --scope device --project zoo/cats" in shown
        assert "203.0.113.77 wanted to upload images (3 times, just now)" in shown

    run(story)


def test_a_project_that_was_opened_forgets_whom_it_refused(run: Run) -> None:
    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        device = await loop.stranger()
        await post(device, pair(1))
        (project,) = (await root.get(f"{V1}/projects")).json()["items"]
        path = f"{V1}/projects/{project['id']}"
        await root.patch(path, json={"open_to_devices": True})
        assert (await post(device, pair(1))).status_code == 200
        await root.patch(path, json={"open_to_devices": False})
        assert OPEN not in (await root.get("/nodes")).text

    run(story)


def test_who_does_not_see_a_project_does_not_see_its_refusals(run: Run) -> None:
    async def story(loop: LoopInProcess, _root: httpx.AsyncClient) -> None:
        await post(await loop.stranger(), pair(1))
        ann = await loop.person("ann")
        assert "zoo/cats" not in (await ann.get("/nodes")).text

    run(story)


def test_a_device_that_repeats_itself_fills_no_log(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(loop: LoopInProcess, _root: httpx.AsyncClient) -> None:
        device = await loop.stranger()
        for _ in range(20):
            await post(device, pair(1))
            loop.clock.move(timedelta(seconds=45))

    run(story)
    said = [r for r in caplog.records if r.levelno == logging.WARNING and OPEN in r.getMessage()]
    assert len(said) == 2


def test_people_and_projects_that_there_are_not_are_no_refusals(run: Run) -> None:
    async def story(loop: LoopInProcess, _root: httpx.AsyncClient) -> None:
        device, ann = await loop.stranger(), await loop.person("ann", {"zoo": "viewer"})
        assert (await device.post(routes.images("zoo", "dogs"), files=pair(1))).status_code == 401
        assert (await device.get(routes.data("zoo", "cats"))).status_code == 401
        assert (await post(ann, pair(1))).status_code == 403
        assert loop.workspaces.refusals.projects() == []

    run(story)


def test_refusals_are_shown_for_a_day_and_bounded() -> None:
    refusals = Refusals()
    for number in range(MAX_PEERS + 3):
        refusals.note("zoo/cats", peer=f"peer {number}", wanted="upload images", now=NOW)
    found = refusals.of("zoo/cats", now=NOW)
    assert [refusal.peer for refusal in found] == [f"peer {n}" for n in (7, 6, 5, 4, 3)]
    assert refusals.of("zoo/cats", now=NOW + timedelta(days=1)) == []
    for number in range(MAX_PROJECTS + 800):
        refusals.note(f"zoo/{number}", peer="p", wanted="upload images", now=NOW)
    assert len(refusals.projects()) == MAX_PROJECTS
    assert refusals.of("zoo/cats", now=NOW) == []


def test_a_peer_that_goes_on_is_counted_and_comes_first() -> None:
    refusals = Refusals()
    for peer, minutes in (("a", 0), ("b", 1), ("a", 2)):
        now = NOW + timedelta(minutes=minutes)
        refusals.note("zoo/cats", peer=peer, wanted="upload images", now=now)
    first, second = refusals.of("zoo/cats", now=NOW + timedelta(minutes=2))
    assert (first.peer, first.count, first.first) == ("a", 2, NOW)
    assert (second.peer, second.count) == ("b", 1)


def test_devices_without_a_login_upload_no_more_often_than_they_may(
    loop_settings: LoopSettings,
) -> None:
    settings = loop_settings.model_copy(update={"device_uploads_per_minute": 3})

    async def story() -> None:
        async with loop_in_process(settings) as loop:
            await loop.project(open_to_devices=True)
            device = await loop.stranger()
            answers = [await post(device, pair(number)) for number in range(4)]
            assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
            assert answers[3].json()["code"] == "rate_limited"
            assert answers[3].headers["retry-after"] == "20"
            other = await loop.stranger(address="203.0.113.77")
            assert (await post(other, pair(9))).status_code == 200
            loop.clock.move(timedelta(seconds=20))
            assert [(await post(device, pair(3))).status_code for _ in range(2)] == [200, 429]

    asyncio.run(story())


def test_who_is_known_or_local_uploads_as_often_as_it_likes(loop_settings: LoopSettings) -> None:
    settings = loop_settings.model_copy(update={"device_uploads_per_minute": 1})

    async def story() -> None:
        async with loop_in_process(settings) as loop:
            await loop.project(open_to_devices=True)
            root = await loop.client()
            body = {"name": "belt", "scopes": ["device"]}
            device = await loop.stranger()
            secret = (await root.post(f"{V1}/tokens", json=body)).json()["secret"]
            device.headers["Authorization"] = f"Bearer {secret}"
            for client in (root, device, await loop.stranger(address=LOCAL)):
                for number in range(3):
                    await receipts(client, pair(number))

    asyncio.run(story())


def test_devices_without_a_login_say_new_things_no_more_often_than_they_may(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "NEWS_PER_MINUTE", 3)

    async def story(loop: LoopInProcess, root: httpx.AsyncClient) -> None:
        (project,) = (await root.get(f"{V1}/projects")).json()["items"]
        change = {"open_to_devices": True}
        assert (await root.patch(f"{V1}/projects/{project['id']}", json=change)).is_success

        async def report(client: httpx.AsyncClient, number: int) -> int:
            body = {"uuid": f"d{number}", "uptime": 7}
            return (await client.post(routes.detectors("zoo", "cats"), json=body)).status_code

        strangers = (await loop.stranger(), await loop.device(address="203.0.113.77"))
        for first, device in zip((0, 10), strangers, strict=True):
            new = [await report(device, first + n) for n in range(4)]
            assert new == [200, 200, 200, 429]
            assert [await report(device, first) for _ in range(4)] == [200] * 4  # nothing new
        for first, client in ((20, root), (30, await loop.stranger(address=LOCAL))):
            assert [await report(client, first + n) for n in range(4)] == [200] * 4

    run(story)


def test_a_rate_of_zero_is_no_limit() -> None:
    rate = Rate(per_minute=0)
    for _ in range(1000):
        rate.take("203.0.113.9", now=NOW)


def test_a_share_is_filled_again_but_never_saved_up() -> None:
    rate = Rate(per_minute=2)
    for minute in (0, 60):
        for _ in range(2):
            rate.take("203.0.113.9", now=NOW + timedelta(minutes=minute))
        with pytest.raises(RateLimited, match="More than 2 uploads"):
            rate.take("203.0.113.9", now=NOW + timedelta(minutes=minute))


def test_a_rate_remembers_a_bounded_number_of_addresses() -> None:
    rate = Rate(per_minute=1)
    for number in range(MAX_KEYS + 1):
        rate.take(f"peer {number}", now=NOW)
    rate.take("peer 0", now=NOW)
    with pytest.raises(RateLimited):
        rate.take(f"peer {MAX_KEYS}", now=NOW)
