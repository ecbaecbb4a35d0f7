"""Formats that models lack: who makes them, one converter at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edgeloop.errors import Conflict, Forbidden, NotFound, Unprocessable
from edgeloop.loop.services import conversions, curation, deployments, projects
from edgeloop.loop.services.conversions import Lease, LeaseRequest
from edgeloop.loop.services.curation import ModelChange
from edgeloop.loop.services.projects import ProjectChange
from edgeloop.loop.services.workspace import Caller
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from fleets import PERSON, LoopInHand, loop_in_hand
from loops import OpenLoop

Story = Callable[[LoopInHand], Awaitable[None]]
TO_ENGINE = LeaseRequest("onnx", "engine", converter="c1")


def run(folder: Path, story: Story) -> None:
    async def whole() -> None:
        async with loop_in_hand(folder) as loop:
            await want(loop, "engine")
            await story(loop)

    asyncio.run(whole())


async def want(loop: LoopInHand, *formats: str) -> None:
    """Every model of the project shall have these formats."""
    async with loop.workspaces.write(PERSON) as workspace:
        change = ProjectChange(wanted_formats=formats)
        await projects.update(workspace, loop.project.id, change)


async def published(loop: LoopInHand, model_format: str = "onnx") -> str:
    """The id of a model with files, of a training of its own."""
    training = await loop.training(await loop.begin())
    loop.clock.move(timedelta(seconds=1))
    return await loop.upload(training.number, model_format)


async def lease(
    loop: LoopInHand, request: LeaseRequest = TO_ENGINE, caller: Caller = PERSON
) -> Lease | None:
    async with loop.workspaces.write(caller) as workspace:
        return await conversions.lease(workspace, request)


async def leased(loop: LoopInHand) -> Lease:
    """A lease that is to be had."""
    found = await lease(loop)
    assert found is not None
    return found


async def states(loop: LoopInHand) -> list[tuple[str, str]]:
    """Version and state of what is missing."""
    async with loop.workspaces.read(PERSON) as workspace:
        found = await conversions.listed(workspace, loop.project.id)
        return [(str(c.model.version), c.state) for c in found]


def test_what_the_project_wants_and_a_model_lacks_waits_to_be_made(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await published(loop)
        await published(loop, "engine")
        assert await states(loop) == [("1.0", "waiting")]
        await want(loop, "engine", "torch")
        assert await states(loop) == [("2.0", "waiting"), ("1.0", "waiting"), ("1.0", "waiting")]
        await want(loop)
        assert await states(loop) == []

    run(tmp_path, story)


def test_two_converters_never_do_the_same(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        first, second = await published(loop), await published(loop)
        found = [await lease(loop) for _ in range(3)]
        assert [made and made.model.id for made in found] == [second, first, None]
        assert await states(loop) == [("2.0", "leased"), ("1.0", "leased")]

    run(tmp_path, story)


def test_converters_at_the_same_time_never_get_the_same(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        for _ in range(3):
            await published(loop)
        found = await asyncio.gather(*(lease(loop) for _ in range(6)))
        got = [made.model.id for made in found if made]
        assert len(got) == len(set(got)) == 3

    run(tmp_path, story)


def test_a_lease_that_is_not_renewed_ends_and_somebody_else_has_it(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await published(loop)
        first = await leased(loop)
        loop.clock.move(timedelta(minutes=10))
        second = await leased(loop)
        assert second.model.id == first.model.id
        async with loop.workspaces.write(PERSON) as workspace:
            with pytest.raises(NotFound, match="ask for another lease"):
                await conversions.renew(workspace, first.id, timedelta(minutes=1))
        async with loop.workspaces.read(PERSON) as workspace:
            (missing,) = await conversions.listed(workspace, loop.project.id)
        assert (missing.attempts, missing.converter, missing.id) == (2, "c1", second.id)

    run(tmp_path, story)


def test_a_lease_that_is_renewed_lasts(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await published(loop)
        first = await leased(loop)
        for _ in range(3):
            loop.clock.move(timedelta(minutes=9))
            assert await lease(loop) is None
            async with loop.workspaces.write(PERSON) as workspace:
                again = await conversions.renew(workspace, first.id, timedelta(minutes=10))
            assert again.until == loop.clock.now + timedelta(minutes=10)

    run(tmp_path, story)


def test_the_upload_of_the_format_completes_the_conversion(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await published(loop)
        made = await leased(loop)
        await loop.upload(1, "engine")
        assert await states(loop) == []
        async with loop.workspaces.write(PERSON) as workspace:
            with pytest.raises(NotFound):
                await conversions.renew(workspace, made.id, timedelta(minutes=1))

    run(tmp_path, story)


def test_what_failed_waits_until_somebody_wants_it_retried(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await published(loop)
        made = await leased(loop)
        async with loop.workspaces.write(PERSON) as workspace:
            await conversions.fail(workspace, made.id, error="no such operator")
        loop.clock.move(timedelta(days=1))
        assert await lease(loop) is None
        async with loop.workspaces.write(PERSON) as workspace:
            (missing,) = await conversions.listed(workspace, loop.project.id)
            assert (missing.state, missing.error) == ("failed", "no such operator")
            with pytest.raises(Conflict, match="no such operator"):
                await conversions.renew(workspace, made.id, timedelta(minutes=1))
            await conversions.retry(workspace, made.id)
        assert await states(loop) == [("1.0", "waiting")]
        assert (await leased(loop)).model.id == made.model.id

    run(tmp_path, story)


def test_only_what_failed_can_be_retried(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await published(loop)
        made = await leased(loop)
        async with loop.workspaces.write(PERSON) as workspace:
            with pytest.raises(Conflict, match="has not failed"):
                await conversions.retry(workspace, made.id)
            with pytest.raises(NotFound):
                await conversions.retry(workspace, "none")

    run(tmp_path, story)


@pytest.mark.parametrize(
    "request_", [LeaseRequest("torch", "engine"), LeaseRequest("onnx", "openvino")]
)
def test_a_converter_is_given_only_what_it_can_do(tmp_path: Path, request_: LeaseRequest) -> None:
    async def story(loop: LoopInHand) -> None:
        await published(loop)
        assert await lease(loop, request_) is None

    run(tmp_path, story)


def test_what_is_deployed_or_promoted_is_converted_first(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        deployed, promoted, newest = [await published(loop) for _ in range(3)]
        async with loop.workspaces.write(PERSON) as workspace:
            await deployments.deploy(workspace, loop.project, model_id=deployed)
            await curation.change(workspace, promoted, ModelChange(promoted=True))
        found = [(await leased(loop)).model.id for _ in range(3)]
        assert found == [promoted, deployed, newest]

    run(tmp_path, story)


def test_retired_models_are_not_converted(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        model_id = await published(loop)
        async with loop.workspaces.write(PERSON) as workspace:
            await curation.change(workspace, model_id, ModelChange(retired=True))
        assert await lease(loop) is None
        assert await states(loop) == []

    run(tmp_path, story)


def test_a_converter_is_given_only_models_that_its_account_may_change(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await published(loop)
        stranger = Caller("2", "bob", grants={"farm": "manager"}, has_session=True)
        assert await lease(loop, caller=stranger) is None
        viewer = Caller("3", "eve", grants={"zoo/cats": "viewer"}, has_session=True)
        with pytest.raises(Forbidden):
            await lease(loop, caller=viewer)
        here = LeaseRequest("onnx", "engine", project_id=loop.project.id)
        with pytest.raises(NotFound):
            await lease(loop, here, caller=stranger)
        assert await lease(loop, here) is not None

    run(tmp_path, story)


def test_a_wanted_format_has_the_name_of_a_format(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        with pytest.raises(Unprocessable, match="no name for a model format"):
            await want(loop, "../engine")
        with pytest.raises(Unprocessable):
            await lease(loop, LeaseRequest("onnx", ""))

    run(tmp_path, story)


def test_a_converter_works_over_the_wire(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            project = await loop.project()
            path = f"{V1}/projects/{project['id']}"
            await client.patch(path, json={"wanted_formats": ["engine", "engine"]})
            assert (await client.get(path)).json()["wanted_formats"] == ["engine"]
            await client.post(f"{path}/trainings", json={})
            upload = routes.training_model_file("zoo", "cats", 1, "onnx")
            model_id = (await client.put(upload, files={"files": ("m.onnx", b"w")})).json()["id"]
            wanted: dict[str, Any] = {"source_format": "onnx", "target_format": "engine"}
            made = (await client.post(f"{V1}/conversions/lease", json=wanted)).json()
            assert (made["project"], made["model_id"], made["version"]) == (
                "zoo/cats",
                model_id,
                "1.0",
            )
            assert (await client.post(f"{V1}/conversions/lease", json=wanted)).status_code == 204
            one = f"{V1}/conversions/{made['id']}"
            renewed = (await client.post(f"{one}/renewal", json={"seconds": 60})).json()
            assert renewed["lease_until"] < made["lease_until"]
            await client.post(f"{one}/failure", json={"error": "no"})
            (missing,) = (await client.get(f"{path}/conversions")).json()["items"]
            assert (missing["state"], missing["error"], missing["converter"]) == (
                "failed",
                "no",
                "admin",
            )
            assert (await client.post(f"{one}/retry")).is_success
            again = (await client.post(f"{V1}/conversions/lease", json=wanted)).json()
            target = routes.model_file("zoo", "cats", again["model_id"], "engine")
            assert (await client.put(target, files={"files": ("m.engine", b"e")})).is_success
            assert (await client.get(f"{path}/conversions")).json()["items"] == []

    asyncio.run(story())
