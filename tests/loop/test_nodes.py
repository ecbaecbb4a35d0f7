"""Nodes that were heard from."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edgeloop.errors import Conflict, NotFound
from edgeloop.loop.services import hearing, nodes, queue
from edgeloop.loop.services.nodes import KnownNode, NodeFilter
from edgeloop.loop.services.queue import Match
from edgeloop.protocol import routes
from edgeloop.protocol.payloads.nodes import detector_status_to_json
from edgeloop.protocol.routes import V1
from edgeloop.types import DetectorStatus, OperationMode
from fleets import PERSON, LoopInHand, loop_in_hand
from loops import LOCAL, OpenLoop
from zoo import RunStory, Zoo

Story = Callable[[LoopInHand], Awaitable[None]]
DETECTOR = DetectorStatus("d1", "press", "onnx", OperationMode.IDLE, uptime_s=7.0)


def run(folder: Path, story: Story) -> None:
    async def whole() -> None:
        async with loop_in_hand(folder) as loop:
            await story(loop)

    asyncio.run(whole())


async def known(loop: LoopInHand) -> dict[str, KnownNode]:
    """All nodes by id."""
    async with loop.workspaces.read() as workspace:
        return {node.row.id: node for node in await nodes.list_by_id(workspace, limit=100)}


async def hear_detector(loop: LoopInHand, status: DetectorStatus = DETECTOR) -> None:
    """A detector of zoo/cats reports."""
    await hearing.hear_detector(loop.workspaces, PERSON, loop.project, status)


def test_a_node_keeps_its_last_report(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.hear("idle")
        loop.clock.move(timedelta(seconds=5))
        await loop.hear("running", progress=0.5)
        node = (await known(loop))["t1"]
        assert (node.row.kind, node.row.name) == ("trainer", "T1")
        assert (node.row.status["state"], node.row.status["progress"]) == ("running", 0.5)
        assert node.row.last_seen - node.row.first_seen == timedelta(seconds=5)
        assert (node.organization, node.project) == ("zoo", "cats")

    run(tmp_path, story)


def test_an_idle_trainer_works_for_no_project(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.hear("running")
        await loop.hear("idle")
        node = (await known(loop))["t1"]
        assert (node.organization, node.project) == (None, None)

    run(tmp_path, story)


@pytest.mark.parametrize(("seconds", "online"), [(29, True), (31, False)])
def test_a_trainer_is_online_for_half_a_minute(tmp_path: Path, seconds: int, online: bool) -> None:  # noqa: FBT001 - a table
    async def story(loop: LoopInHand) -> None:
        await loop.hear("idle")
        loop.fleet.connected.clear()
        loop.clock.move(timedelta(seconds=seconds))
        assert (await known(loop))["t1"].is_online == online

    run(tmp_path, story)


def test_a_connected_trainer_is_online(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.hear("idle")
        loop.clock.move(timedelta(hours=1))
        assert (await known(loop))["t1"].is_online

    run(tmp_path, story)


@pytest.mark.parametrize(("seconds", "online"), [(74, True), (76, False)])
def test_a_detector_may_miss_a_report(tmp_path: Path, seconds: int, online: bool) -> None:  # noqa: FBT001 - a table
    async def story(loop: LoopInHand) -> None:
        await hear_detector(loop)
        loop.clock.move(timedelta(seconds=seconds))
        assert (await known(loop))["d1"].is_online == online

    run(tmp_path, story)


def test_a_detector_cannot_take_the_place_of_a_trainer(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.hear("idle", "d1")
        with pytest.raises(Conflict, match="needs its own"):
            await hear_detector(loop)
        assert (await known(loop))["d1"].row.kind == "trainer"

    run(tmp_path, story)


def test_nodes_come_in_pages(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            for name in "cab":
                body = {"uuid": name, "name": name, "operation_mode": "idle"}
                await client.post(routes.detectors("zoo", "cats"), json=body)
            page = (await client.get(f"{V1}/nodes?limit=2")).json()
            rest = (await client.get(f"{V1}/nodes?limit=2&after={page['next']}")).json()
            assert [node["id"] for node in page["items"] + rest["items"]] == ["a", "b", "c"]
            assert rest["next"] is None

    asyncio.run(story())


def test_people_see_what_a_detector_says(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            device, client = await loop.stranger(address=LOCAL), await loop.client()
            report = detector_status_to_json(DETECTOR)
            assert (await device.post(routes.detectors("zoo", "cats"), json=report)).is_success
            (node,) = (await client.get(f"{V1}/nodes")).json()["items"]
            assert (node["id"], node["kind"], node["name"]) == ("d1", "detector", "press")
            assert (node["organization"], node["project"]) == ("zoo", "cats")
            assert (node["online"], node["status"]) == (True, report)

    asyncio.run(story())


def test_a_stranger_neither_reports_nor_sees_nodes(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            stranger = await loop.stranger()
            report = detector_status_to_json(DETECTOR)
            answer = await stranger.post(routes.detectors("zoo", "cats"), json=report)
            assert answer.status_code == 401
            assert "edgeloop project open zoo/cats" in answer.json()["detail"]
            assert (await stranger.get(f"{V1}/nodes")).status_code == 401

    asyncio.run(story())


def test_a_report_with_half_a_character_can_be_read_again(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            device = await loop.stranger(address=LOCAL)
            body = b'{"uuid": "d1", "errors": {"update_model": "caf\\u00e9 \\ud800"}}'
            answer = await device.post(
                routes.detectors("zoo", "cats"),
                content=body,
                headers={"content-type": "application/json"},
            )
            assert answer.status_code == 200, answer.text
            (node,) = (await (await loop.client()).get(f"{V1}/nodes")).json()["items"]
            assert node["status"]["errors"] == {"update_model": "café ?"}

    asyncio.run(story())


async def forget(loop: LoopInHand, node_id: str) -> None:
    """Forget a node as a person does."""
    async with loop.workspaces.write(PERSON) as workspace:
        await nodes.forget(workspace, node_id)


def test_a_node_that_is_away_can_be_forgotten(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await hear_detector(loop)
        with pytest.raises(Conflict, match="is online"):
            await forget(loop, "d1")
        loop.clock.move(timedelta(minutes=2))
        await forget(loop, "d1")
        assert await known(loop) == {}
        await hear_detector(loop)
        assert list(await known(loop)) == ["d1"]

    run(tmp_path, story)


def test_a_trainer_that_still_has_a_training_is_not_forgotten(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await loop.begin()
        await loop.hear("idle")
        async with loop.workspaces.write() as workspace:
            await queue.claim(workspace, Match(training_id, "t1"))
        loop.fleet.connected.clear()
        loop.clock.move(timedelta(minutes=2))
        with pytest.raises(Conflict, match="still has training 1"):
            await forget(loop, "t1")
        await loop.abort(training_id)
        await forget(loop, "t1")
        with pytest.raises(NotFound):
            await forget(loop, "t1")

    run(tmp_path, story)


def test_nodes_are_found_by_kind_project_and_whether_they_are_there(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await hear_detector(loop)
        loop.clock.move(timedelta(minutes=2))
        await loop.hear("idle")

        async def found(**which: Any) -> list[str]:
            async with loop.workspaces.read() as workspace:
                listed = await nodes.list_by_id(workspace, limit=9, which=NodeFilter(**which))
                return [node.row.id for node in listed]

        assert await found() == ["d1", "t1"]
        assert await found(kind="detector") == ["d1"]
        assert await found(project_id=loop.project.id) == ["d1"]
        assert await found(is_online=True) == ["t1"]
        assert await found(is_online=False, kind="trainer") == []

    run(tmp_path, story)


def test_people_see_how_a_node_is(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            device, client = await loop.stranger(address=LOCAL), await loop.client()
            status = replace(
                DETECTOR,
                node_version="edgeloop 1",
                current_model="1.0",
                target_model="1.1",
                outbox_depth=17,
                errors={"upload": "no answer"},
            )
            report = detector_status_to_json(status)
            await device.post(routes.detectors("zoo", "cats"), json=report)
            node = (await client.get(f"{V1}/nodes/d1")).json()
            assert (node["version"], node["model"], node["target"]) == ("edgeloop 1", "1.0", "1.1")
            assert (node["outbox_depth"], node["errors"]) == (17, {"upload": "no answer"})
            assert (node["organization"], node["project"], node["online"]) == ("zoo", "cats", True)
            listed = (await client.get(f"{V1}/nodes?kind=trainer")).json()
            assert listed == {"items": [], "next": None}
            assert (await client.delete(f"{V1}/nodes/d1")).status_code == 409
            assert (await client.get(f"{V1}/nodes/none")).status_code == 404

    asyncio.run(story())


def test_a_report_that_says_nothing_sensible_is_shown_as_nothing(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            device, client = await loop.stranger(address=LOCAL), await loop.client()
            await device.post(routes.detectors("zoo", "cats"), json={"uuid": "d1"})
            node = (await client.get(f"{V1}/nodes/d1")).json()
            assert (node["version"], node["model"], node["errors"]) == (None, None, {})

    asyncio.run(story())


def test_a_kind_that_no_node_is_of_is_refused(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        assert (await zoo.person.get(f"{V1}/nodes?kind=detector")).json()["items"] == []
        assert (await zoo.person.get(f"{V1}/nodes?kind=fridge")).status_code == 422

    run_in_zoo(story)
