"""A project that is deleted leaves nothing behind, and takes nothing with it that others need."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from edgeloop.errors import NotFound, Unprocessable
from edgeloop.loop.db.columns import Base
from edgeloop.loop.db.tables import DismissalRow, OrganizationRow
from edgeloop.loop.dispatch import Dispatcher
from edgeloop.loop.services import projects, removal
from edgeloop.loop.services.projects import NewProject
from edgeloop.protocol import events, routes
from edgeloop.protocol.routes import V1
from fleets import PERSON, LoopInHand, loop_in_hand
from loops import LoopInProcess, OpenLoop
from uploading import pair, receipts

CATS, DOGS = routes.project("zoo", "cats"), routes.project("zoo", "dogs")
LEFT = {"accounts", "sessions", "organizations", "alembic_version", "nodes"}
Story = Callable[[LoopInHand, Dispatcher], Awaitable[None]]


def run(folder: Path, story: Story) -> None:
    async def whole() -> None:
        async with loop_in_hand(folder) as loop:
            await story(loop, Dispatcher(loop.workspaces))

    asyncio.run(whole())


def stored(loop: LoopInProcess) -> list[Path]:
    """The files in the storage."""
    return [path for path in (loop.folder / "files").rglob("*") if path.is_file()]


async def filled(loop: LoopInProcess) -> httpx.AsyncClient:
    """A project with an image, annotations, detections, a model and its deployment, a detector."""
    project = await loop.project()
    client = await loop.client()
    seen = [{"category_name": "cat", "model_name": "1.0", "confidence": 0.5}]
    (receipt,) = await receipts(client, pair(tags=["night"], classification_detections=seen))
    category = project["categories"][0]["id"]
    box = {"category_id": category, "x": 1, "y": 2, "width": 3, "height": 4}
    path = f"{V1}/images/{receipt['id']}"
    await client.put(f"{path}/annotations", json={"box_annotations": [box]})
    assert (await client.get(f"{path}/thumbnail")).status_code == 200
    await client.post(f"{V1}/projects/{project['id']}/trainings", json={})
    upload = routes.training_model_file("zoo", "cats", 1, "mocked")
    model_id = (await client.put(upload, files={"files": ("m.onnx", b"w")})).json()["id"]
    body = {"model_id": model_id}
    assert (await client.put(f"{V1}/projects/{project['id']}/deployment", json=body)).is_success
    status = {"uuid": "d1", "name": "press", "operation_mode": "idle"}
    assert (await client.post(routes.detectors("zoo", "cats"), json=status)).is_success
    return client


async def rows(loop: LoopInProcess) -> dict[str, int]:
    """How many rows the tables have that are not empty."""
    async with loop.workspaces.read() as workspace:
        counts = {
            name: await workspace.session.scalar(select(func.count()).select_from(table))
            for name, table in Base.metadata.tables.items()
        }
    return {name: count for name, count in counts.items() if count}


@pytest.mark.parametrize("path", [CATS, f"{CATS}?keep_images=true", f"{V1}/projects/{{id}}"])
def test_nothing_of_a_deleted_project_is_left(open_loop: OpenLoop, path: str) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await filled(loop)
            assert len(stored(loop)) == 3
            (project,) = (await client.get(f"{V1}/projects")).json()["items"]
            answer = await client.delete(path.format(id=project["id"]))
            assert (answer.status_code, answer.json()) == (200, {})
            assert stored(loop) == []
            assert set(await rows(loop)) <= LEFT
            assert (await client.get(CATS)).status_code == 404
            assert (await client.get("/api/projects")).json() == {"projects": []}

    asyncio.run(story())


def test_bytes_that_another_project_has_too_are_kept(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await filled(loop)
            await loop.project(name="dogs")
            sent = await client.post(f"{DOGS}/images", files=pair())
            image = sent.json()["items"][0]["id"]
            await client.delete(CATS)
            answer = await client.get(f"{DOGS}/images/{image}/main")
            assert answer.content == pair()[1][1][1]
            assert len(stored(loop)) == 2

    asyncio.run(story())


def test_its_nodes_are_remembered_without_a_project(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await filled(loop)
            await client.delete(CATS)
            (node,) = (await client.get(f"{V1}/nodes")).json()["items"]
            assert (node["id"], node["organization"], node["project"]) == ("d1", None, None)

    asyncio.run(story())


def test_a_project_of_the_same_name_can_be_made_again(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await filled(loop)
            await client.delete(CATS)
            await loop.project()
            assert (await client.get(f"{CATS}/data")).json()["image_ids"] == []
            assert len(await receipts(client, pair())) == 1

    asyncio.run(story())


def test_what_is_not_there_cannot_be_deleted(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            assert (await client.delete(f"{CATS}?keep_images=true")).status_code == 404

    asyncio.run(story())


def test_a_stranger_deletes_nothing(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project(open_to_devices=True)
            assert (await (await loop.stranger()).delete(CATS)).status_code == 401
            assert (await (await loop.device()).delete(CATS)).status_code == 403
            assert (await (await loop.client()).get(CATS)).status_code == 200

    asyncio.run(story())


async def deleted_while_running(loop: LoopInHand, dispatcher: Dispatcher) -> None:
    """The project is deleted while trainer t1 works for it."""
    await loop.begin()
    await loop.hear("idle")
    await dispatcher.look()
    await loop.hear("running")
    await removal.delete_project(loop.workspaces, PERSON, "zoo", name="cats")


def test_a_trainer_at_work_is_told_to_abort(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        await deleted_while_running(loop, dispatcher)
        await dispatcher.look()
        assert loop.fleet.commands()[1:] == [("t1", events.ABORT_TRAINING)]

    run(tmp_path, story)


def test_a_trainer_that_knows_no_abort_is_stopped_until_it_is_idle(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        loop.fleet.answers[events.ABORT_TRAINING] = Unprocessable("unknown")
        await deleted_while_running(loop, dispatcher)
        for state in ("running", "training_finished", "idle", "idle"):
            await loop.hear(state)
            await dispatcher.look()
            loop.clock.move(timedelta(seconds=31))
        assert (
            loop.fleet.commands()[1:]
            == [
                ("t1", events.ABORT_TRAINING),
                ("t1", events.STOP_TRAINING),
            ]
            * 2
        )

    run(tmp_path, story)


def test_a_trainer_that_was_away_is_told_when_it_is_back(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        await loop.begin()
        await loop.hear("idle")
        await dispatcher.look()
        await loop.hear("running")
        loop.fleet.connected.clear()
        await removal.delete_project(loop.workspaces, PERSON, "zoo", name="cats")
        await dispatcher.look()
        assert events.ABORT_TRAINING not in dict(loop.fleet.commands()).values()
        loop.clock.move(timedelta(hours=1))
        await loop.hear("detecting")
        await dispatcher.look()
        assert loop.fleet.commands()[-1] == ("t1", events.ABORT_TRAINING)

    run(tmp_path, story)


@pytest.mark.parametrize(("state", "fields"), [("idle", {}), ("running", {"project": "birds"})])
def test_a_trainer_that_is_done_with_it_is_told_no_more(
    tmp_path: Path, state: str, fields: dict[str, str]
) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        await deleted_while_running(loop, dispatcher)
        loop.clock.move(timedelta(seconds=16))
        await loop.hear(state, **fields)
        await dispatcher.look()
        assert len(loop.fleet.sent) == 1
        async with loop.workspaces.read() as workspace:
            assert await workspace.session.scalar(select(func.count(DismissalRow.trainer_id))) == 0

    run(tmp_path, story)


def test_a_training_of_a_new_project_with_its_name_goes_on(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        await deleted_while_running(loop, dispatcher)
        async with loop.workspaces.write() as workspace:
            loop.project = await projects.create(workspace, NewProject("zoo", "cats"))
        await loop.hear("idle")
        await loop.begin()
        await dispatcher.look()
        await loop.hear("running")
        await dispatcher.look()
        assert [command for _, command in loop.fleet.commands()] == [events.BEGIN_TRAINING] * 2

    run(tmp_path, story)


def test_an_organization_outlives_its_projects(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, _: Dispatcher) -> None:
        await removal.delete_project(loop.workspaces, PERSON, "zoo", name="cats")
        async with loop.workspaces.read() as workspace:
            assert await workspace.session.get(OrganizationRow, "zoo")
        with pytest.raises(NotFound):
            await removal.delete_project(loop.workspaces, PERSON, "zoo", name="cats")

    run(tmp_path, story)
