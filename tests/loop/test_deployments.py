"""Which model detectors shall run."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from edgeloop.errors import Conflict, NotFound
from edgeloop.loop.services import deployments, models
from edgeloop.loop.services.deployments import Deployment
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from fleets import PERSON, LoopInHand, loop_in_hand
from loops import OpenLoop

Story = Callable[[LoopInHand], Awaitable[None]]


def run(folder: Path, story: Story) -> None:
    async def whole() -> None:
        async with loop_in_hand(folder) as loop:
            await story(loop)

    asyncio.run(whole())


async def deploy(loop: LoopInHand, model_id: str) -> Deployment:
    """Deploy as a person does."""
    async with loop.workspaces.write(PERSON) as workspace:
        return await deployments.deploy(workspace, loop.project, model_id=model_id)


async def published(loop: LoopInHand) -> str:
    """The id of a model with files, of a training of its own."""
    training = await loop.training(await loop.begin())
    return await loop.upload(training.number)


def test_a_deployed_model_is_the_target_and_says_by_whom(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        model_id = await published(loop)
        made = await deploy(loop, model_id)
        assert made == Deployment(model_id, "1.0", loop.clock.now, "ada")
        async with loop.workspaces.read() as workspace:
            assert await deployments.target(workspace, loop.project) == made
            assert (await models.get(workspace, model_id)).deployed

    run(tmp_path, story)


def test_the_newest_deployment_is_the_target_and_older_ones_stay_in_the_history(
    tmp_path: Path,
) -> None:
    async def story(loop: LoopInHand) -> None:
        first, second = await published(loop), await published(loop)
        for model_id in (first, second, first):
            await deploy(loop, model_id)
        async with loop.workspaces.read() as workspace:
            past = await deployments.history(workspace, loop.project, limit=10)
            assert [made.model_id for made in past] == [first, second, first]
            assert not (await models.get(workspace, second)).deployed

    run(tmp_path, story)


def test_deploying_the_target_again_changes_nothing(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        model_id = await published(loop)
        made = await deploy(loop, model_id)
        loop.clock.move(timedelta(days=1))
        assert await deploy(loop, model_id) == made

    run(tmp_path, story)


def test_a_model_without_files_is_not_deployed(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training = await loop.training(await loop.begin())
        async with loop.workspaces.write() as workspace:
            model = await models.add(workspace, training)
        with pytest.raises(Conflict, match="no files"):
            await deploy(loop, model.id)

    run(tmp_path, story)


def test_an_unknown_model_is_not_deployed(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        with pytest.raises(NotFound):
            await deploy(loop, "none")

    run(tmp_path, story)


def test_without_a_deployment_there_is_no_target(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            project = await loop.project()
            client = await loop.client()
            for path in (
                routes.deployment_target("zoo", "cats"),
                f"{V1}/projects/{project['id']}/deployment",
            ):
                assert (await client.get(path)).status_code == 404

    asyncio.run(story())


def test_detectors_are_told_what_people_deploy(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            project = await loop.project(open_to_devices=True)
            client, device = await loop.client(), await loop.device()
            await client.post(f"{V1}/projects/{project['id']}/trainings", json={})
            upload = routes.training_model_file("zoo", "cats", 1, "onnx")
            model_id = (await client.put(upload, files={"files": ("m.onnx", b"w")})).json()["id"]
            path = f"{V1}/projects/{project['id']}/deployment"
            made = await client.put(path, json={"model_id": model_id})
            assert made.status_code == 200
            assert made.json() == (await client.get(path)).json()
            assert (made.json()["version"], made.json()["author"]) == ("1.0", "admin")
            answer = await device.get(routes.deployment_target("zoo", "cats"))
            assert answer.json() == {"model_uuid": model_id, "version": "1.0"}
            assert (await device.put(path, json={"model_id": model_id})).status_code == 403

    asyncio.run(story())


async def roll_back(loop: LoopInHand, model_id: str | None = None) -> Deployment:
    """Go back as a person does."""
    return await deployments.roll_back(loop.workspaces, PERSON, loop.project.id, model_id=model_id)


def test_a_rollback_goes_to_the_deployment_before_and_again_further_back(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        first, second, third = [await published(loop) for _ in range(3)]
        for model_id in (first, second, third):
            await deploy(loop, model_id)
        assert [(await roll_back(loop)).model_id for _ in range(2)] == [second, first]
        with pytest.raises(Conflict, match="No other model was deployed"):
            await roll_back(loop)

    run(tmp_path, story)


def test_a_rollback_after_a_new_deployment_goes_to_what_was_there_before_it(
    tmp_path: Path,
) -> None:
    async def story(loop: LoopInHand) -> None:
        first, second, third = [await published(loop) for _ in range(3)]
        for model_id in (first, second):
            await deploy(loop, model_id)
        await roll_back(loop)
        await deploy(loop, third)
        assert (await roll_back(loop)).model_id == first
        with pytest.raises(Conflict):
            await roll_back(loop)

    run(tmp_path, story)


def test_a_rollback_to_a_model_needs_that_it_was_deployed(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        first, second, never = [await published(loop) for _ in range(3)]
        for model_id in (first, second):
            await deploy(loop, model_id)
        assert (await roll_back(loop, first)).model_id == first
        with pytest.raises(Conflict, match="deploy one"):
            await roll_back(loop, never)

    run(tmp_path, story)


def test_without_a_deployment_there_is_nothing_to_go_back_from(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        with pytest.raises(NotFound, match="No model of zoo/cats is deployed"):
            await roll_back(loop)

    run(tmp_path, story)


def test_a_model_whose_files_are_lost_is_not_deployed(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        first, second = await published(loop), await published(loop)
        await deploy(loop, first)
        await deploy(loop, second)
        for file in (tmp_path / "files" / "models" / first).iterdir():
            file.unlink()
        with pytest.raises(Conflict, match=r"onnx files of model 1\.0 of zoo/cats are lost"):
            await roll_back(loop)
        with pytest.raises(Conflict, match="are lost"):
            await deployments.make_target(loop.workspaces, PERSON, loop.project.id, model_id=first)

    run(tmp_path, story)


def test_people_roll_back_and_see_the_history(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            project = await loop.project()
            client = await loop.client()
            path = f"{V1}/projects/{project['id']}/deployment"
            ids = []
            for number in (1, 2):
                await client.post(f"{V1}/projects/{project['id']}/trainings", json={})
                upload = routes.training_model_file("zoo", "cats", number, "onnx")
                answer = await client.put(upload, files={"files": ("m.onnx", b"w")})
                ids.append(answer.json()["id"])
                await client.put(path, json={"model_id": ids[-1]})
            back = (await client.post(f"{path}/rollback", json={})).json()
            assert (back["model_id"], back["version"]) == (ids[0], "1.0")
            assert (back["author"], back["restores"]) == ("admin", 1)
            page = (await client.get(f"{path}s?limit=2")).json()
            rest = (await client.get(f"{path}s?after={page['next']}")).json()
            seen = [made["model_id"] for made in page["items"] + rest["items"]]
            assert seen == [ids[0], ids[1], ids[0]]
            assert (await client.post(f"{path}/rollback", json={})).status_code == 409
            named = await client.post(f"{path}/rollback", json={"model_id": ids[1]})
            assert named.json()["model_id"] == ids[1]

    asyncio.run(story())
