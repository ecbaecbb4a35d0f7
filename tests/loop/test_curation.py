"""What people make of models: found, commented, promoted, retired, compared."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from edgeloop.errors import Conflict, NotFound, Unprocessable
from edgeloop.loop.services import curation, deployments, models, projects, trainings
from edgeloop.loop.services.curation import ModelChange
from edgeloop.loop.services.models import Model, ModelFilter
from edgeloop.loop.services.projects import NewProject
from edgeloop.loop.services.trainings import PROMOTED
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from fleets import PERSON, LoopInHand, loop_in_hand
from loops import LoopInProcess, OpenLoop

Story = Callable[[LoopInHand], Awaitable[None]]


def run(folder: Path, story: Story) -> None:
    async def whole() -> None:
        async with loop_in_hand(folder) as loop:
            await story(loop)

    asyncio.run(whole())


async def published(loop: LoopInHand, model_format: str = "onnx", **fields: Any) -> str:
    """The id of a model with files, of a training of its own."""
    training = await loop.training(await loop.begin(**fields))
    return await loop.upload(training.number, model_format)


async def change(loop: LoopInHand, model_id: str, **wishes: Any) -> Model:
    """Change a model as a person does."""
    async with loop.workspaces.write(PERSON) as workspace:
        return await curation.change(workspace, model_id, ModelChange(**wishes))


async def deploy(loop: LoopInHand, model_id: str) -> None:
    async with loop.workspaces.write(PERSON) as workspace:
        await deployments.deploy(workspace, loop.project, model_id=model_id)


async def promoted(loop: LoopInHand) -> list[str]:
    """The ids of the models that are promoted."""
    async with loop.workspaces.read() as workspace:
        found = await models.in_project(workspace, loop.project.id)
        return [model.row.id for model in found if model.promoted]


def test_a_project_has_one_promoted_model_at_most(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        first, second = await published(loop), await published(loop)
        assert (await change(loop, first, promoted=True)).promoted
        assert (await change(loop, second, promoted=True)).promoted
        assert await promoted(loop) == [second]
        await change(loop, first, promoted=False)
        assert await promoted(loop) == [second]
        await change(loop, second, promoted=False)
        assert await promoted(loop) == []

    run(tmp_path, story)


def test_new_trainings_start_from_the_promoted_model_where_nothing_else_is_said(
    tmp_path: Path,
) -> None:
    async def story(loop: LoopInHand) -> None:
        bare = await loop.training(await loop.begin(base_model_id=PROMOTED))
        assert bare.base_model_id is None
        model_id = await published(loop)
        await change(loop, model_id, promoted=True)
        follower = await loop.training(await loop.begin(base_model_id=PROMOTED))
        assert follower.base_model_id == model_id
        assert (await loop.training(await loop.begin())).base_model_id is None

    run(tmp_path, story)


def test_a_model_without_files_cannot_be_promoted(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training = await loop.training(await loop.begin())
        async with loop.workspaces.write() as workspace:
            model = await models.add(workspace, training)
        with pytest.raises(Conflict, match="no files"):
            await change(loop, model.id, promoted=True)

    run(tmp_path, story)


def test_a_retired_model_is_not_offered_any_more(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        model_id = await published(loop)
        assert (await change(loop, model_id, retired=True)).row.retired == loop.clock.now
        with pytest.raises(Conflict, match="is retired"):
            await deploy(loop, model_id)
        with pytest.raises(Conflict, match="is retired"):
            await change(loop, model_id, promoted=True)
        with pytest.raises(Unprocessable, match="is retired"):
            await loop.begin(base_model_id=model_id)
        assert (await change(loop, model_id, retired=False)).row.retired is None
        await deploy(loop, model_id)

    run(tmp_path, story)


def test_what_is_deployed_or_promoted_is_not_retired(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        model_id = await published(loop)
        await deploy(loop, model_id)
        with pytest.raises(Conflict, match="is deployed"):
            await change(loop, model_id, retired=True)
        await change(loop, model_id, promoted=True)
        with pytest.raises(Conflict, match="is promoted"):
            await change(loop, model_id, retired=True)
        await deploy(loop, await published(loop))
        assert (await change(loop, model_id, promoted=False, retired=True)).row.retired

    run(tmp_path, story)


def test_models_are_found_by_format_training_and_whether_they_are_retired(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        onnx, torch = await published(loop), await published(loop, "torch")
        await change(loop, onnx, retired=True)

        async def found(**which: Any) -> list[str]:
            async with loop.workspaces.read() as workspace:
                filter_ = ModelFilter(**which)
                listed = await models.with_files(workspace, loop.project.id, which=filter_)
                return [model.row.id for model in listed]

        assert await found() == [torch, onnx]
        assert await found(model_format="onnx") == [onnx]
        assert await found(training_number=2) == [torch]
        assert await found(retired=False) == [torch]
        assert await found(retired=True, model_format="torch") == []

    run(tmp_path, story)


def test_a_model_knows_where_it_comes_from_and_what_came_of_it(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        first = await published(loop)
        second = await published(loop, base_model_id=first)
        thirds = [await published(loop, base_model_id=second) for _ in range(2)]
        async with loop.workspaces.read(PERSON) as workspace:
            found = await curation.lineage(workspace, second)
            last = await curation.lineage(workspace, thirds[0])
        assert [model.row.id for model in found.ancestors] == [first]
        assert {model.row.id for model in found.children} == {*thirds}
        assert found.training is not None
        assert (found.training.row.number, found.training.model_id) == (2, second)
        assert [model.row.id for model in last.ancestors] == [second, first]
        assert last.children == []

    run(tmp_path, story)


def test_an_unknown_model_has_no_lineage(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        async with loop.workspaces.read(PERSON) as workspace:
            with pytest.raises(NotFound):
                await curation.lineage(workspace, "none")

    run(tmp_path, story)


async def with_model(loop: LoopInProcess) -> tuple[httpx.AsyncClient, str, str]:
    """A logged-in client, the id of zoo/cats, and that of its model 1.0."""
    project_id = (await loop.project())["id"]
    client = await loop.client()
    await client.post(f"{V1}/projects/{project_id}/trainings", json={})
    path = routes.training_model_file("zoo", "cats", 1, "onnx")
    answer = await client.put(path, files={"files": ("model.onnx", b"weights")})
    return client, project_id, answer.json()["id"]


def test_people_curate_models(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, project_id, model_id = await with_model(loop)
            one = f"{V1}/models/{model_id}"
            body = {"comment": "for the night shift", "promoted": True}
            changed = (await client.patch(one, json=body)).json()
            assert (changed["comment"], changed["promoted"]) == ("for the night shift", True)
            assert changed["retired"] is None
            project = (await client.get(f"{V1}/projects/{project_id}")).json()
            assert project["promoted_model_id"] == model_id
            refused = await client.patch(one, json={"retired": True})
            assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
            await client.patch(one, json={"promoted": False, "retired": True})
            path = f"{V1}/projects/{project_id}/models"
            listed = (await client.get(f"{path}?retired=true&format=onnx&training=1")).json()
            assert [model["id"] for model in listed["items"]] == [model_id]
            assert (await client.get(f"{path}?retired=false")).json()["items"] == []
            assert (await client.get(routes.models("zoo", "cats"))).json() == {"models": []}
            lineage = (await client.get(f"{one}/lineage")).json()
            assert (lineage["ancestors"], lineage["children"]) == ([], [])
            assert lineage["training"]["number"] == 1

    asyncio.run(story())


def test_a_training_says_from_which_model_it_starts(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, project_id, model_id = await with_model(loop)
            await client.patch(f"{V1}/models/{model_id}", json={"promoted": True})
            path = f"{V1}/projects/{project_id}/trainings"
            bases = [
                (await client.post(path, json=body)).json()["base_model_id"]
                for body in ({}, {"base_model_id": None}, {"base_model_id": model_id})
            ]
            assert bases == [model_id, None, model_id]

    asyncio.run(story())


def test_models_of_other_projects_are_none_of_the_lineage(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        model_id = await published(loop)
        async with loop.workspaces.write() as workspace:
            other = await projects.create(workspace, NewProject("zoo", "dogs"))
            row = await models.row_of(workspace, model_id)
            row.base_model_id = "gone"
            request = trainings.TrainingRequest()
            training = (await trainings.begin(workspace, other.id, request)).row
            (await models.add(workspace, training)).base_model_id = model_id
        async with loop.workspaces.read(PERSON) as workspace:
            found = await curation.lineage(workspace, model_id)
        assert (found.ancestors, found.children) == ([], [])

    run(tmp_path, story)
