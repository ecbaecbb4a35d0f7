"""The training queue: its order, who fits, and what a training waits for."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edgeloop.errors import Conflict, NotFound, Unprocessable
from edgeloop.loop.services import projects, queue, trainings
from edgeloop.loop.services.projects import NewProject
from edgeloop.loop.services.queue import Match
from edgeloop.loop.services.trainings import TrainingRequest
from edgeloop.loop.services.workspace import Caller
from edgeloop.protocol.routes import V1
from fleets import PERSON, LoopInHand, loop_in_hand
from loops import OpenLoop

Story = Callable[[LoopInHand], Awaitable[None]]
OWN: dict[str, Any] = {"model_format": "torch", "formats": ("torch", "onnx")}
SMALL = (("small", "", ""),)


def run(folder: Path, story: Story) -> None:
    async def whole() -> None:
        async with loop_in_hand(folder) as loop:
            await story(loop)

    asyncio.run(whole())


async def matches(loop: LoopInHand) -> list[Match]:
    async with loop.workspaces.read() as workspace:
        return list(await queue.matches(workspace))


async def waiting(loop: LoopInHand, caller: Caller = PERSON) -> list[tuple[int, str]]:
    """Position and id of what the caller sees waiting."""
    async with loop.workspaces.read(caller) as workspace:
        return [(item.position, item.training.id) for item in await queue.listed(workspace)]


async def reason(loop: LoopInHand) -> str:
    """What the first training waits for."""
    async with loop.workspaces.read(PERSON) as workspace:
        return (await queue.listed(workspace))[0].reason


async def move(
    loop: LoopInHand, training_id: str, *, before: str | None, caller: Caller = PERSON
) -> None:
    async with loop.workspaces.write(caller) as workspace:
        await queue.move(workspace, training_id, before=before)


def test_trainings_wait_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        ids = [await loop.begin() for _ in range(3)]
        assert await waiting(loop) == [(1, ids[0]), (2, ids[1]), (3, ids[2])]

    run(tmp_path, story)


def test_a_training_that_was_moved_is_the_next_that_gets_a_trainer(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        first, second, third = [await loop.begin() for _ in range(3)]
        await move(loop, third, before=first)
        assert [id_ for _, id_ in await waiting(loop)] == [third, first, second]
        await loop.hear("idle")
        assert await matches(loop) == [Match(third, "t1")]
        await move(loop, third, before=None)
        assert [id_ for _, id_ in await waiting(loop)] == [first, second, third]

    run(tmp_path, story)


def test_a_training_that_waits_again_keeps_its_place(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        first, second = await loop.begin(), await loop.begin()
        await loop.hear("idle")
        async with loop.workspaces.write() as workspace:
            await queue.claim(workspace, Match(first, "t1"))
        async with loop.workspaces.write() as workspace:
            await queue.refused(workspace, Match(first, "t1"), "no")
        assert [id_ for _, id_ in await waiting(loop)] == [first, second]

    run(tmp_path, story)


def test_who_moves_trainings_leaves_those_of_others_in_their_places(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        async with loop.workspaces.write() as workspace:
            other = await projects.create(workspace, NewProject("farm", "cows"))
            elsewhere = await trainings.begin(workspace, other.id, TrainingRequest())
        first, second = await loop.begin(), await loop.begin()
        manager = Caller("2", "bob", grants={"zoo/cats": "manager"}, has_session=True)
        await move(loop, second, before=first, caller=manager)
        assert await waiting(loop) == [(1, elsewhere.row.id), (2, second), (3, first)]
        assert await waiting(loop, manager) == [(2, second), (3, first)]
        with pytest.raises(NotFound):
            await move(loop, first, before=elsewhere.row.id, caller=manager)
        with pytest.raises(NotFound):
            await move(loop, elsewhere.row.id, before=None, caller=manager)

    run(tmp_path, story)


def test_only_what_waits_can_be_moved(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await loop.begin()
        with pytest.raises(NotFound, match="no other training"):
            await move(loop, training_id, before=training_id)
        await loop.abort(training_id)
        with pytest.raises(Conflict, match="it is aborted"):
            await move(loop, training_id, before=None)

    run(tmp_path, story)


@pytest.mark.parametrize(
    ("wanted", "offered", "fits"),
    [
        ({"variant": "small"}, {"variants": SMALL}, True),
        ({"variant": "large"}, {"variants": SMALL}, False),
        ({"variant": "large"}, {}, True),
        ({"variant": "large"}, OWN, False),
        ({"model_format": "onnx"}, OWN, True),
        ({"model_format": "engine"}, OWN, False),
        ({"model_format": "torch"}, {"model_format": "torch"}, True),
        ({"model_format": "onnx"}, {}, False),
        ({}, OWN, True),
    ],
)
def test_a_training_goes_to_a_trainer_that_offers_what_it_needs(
    tmp_path: Path, wanted: dict[str, Any], offered: dict[str, Any], *, fits: bool
) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.begin(**wanted)
        await loop.hear("idle", **offered)
        assert bool(await matches(loop)) == fits

    run(tmp_path, story)


@pytest.mark.parametrize(
    ("formats", "fits"), [(["torch"], True), (["onnx"], False), (["onnx", "torch"], True)]
)
def test_a_trainer_is_not_given_a_base_model_that_it_cannot_read(
    tmp_path: Path, formats: list[str], *, fits: bool
) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.begin()
        for model_format in formats:
            model_id = await loop.upload(1, model_format)
        await loop.abort(await loop.training_id(1))
        await loop.begin(base_model_id=model_id)
        await loop.hear("idle", **OWN)
        assert bool(await matches(loop)) == fits

    run(tmp_path, story)


def test_the_first_trainer_that_fits_gets_it_and_others_stay_free(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        wants_onnx = await loop.begin(model_format="onnx")
        takes_any = await loop.begin()
        await loop.hear("idle", "t1")
        await loop.hear("idle", "t2", **OWN)
        assert await matches(loop) == [Match(wants_onnx, "t2"), Match(takes_any, "t1")]

    run(tmp_path, story)


def test_a_chosen_trainer_that_does_not_offer_it_is_refused_at_once(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.hear("idle", **OWN)
        with pytest.raises(Unprocessable, match="T1 does not offer the format engine"):
            await loop.begin(trainer_id="t1", model_format="engine")

    run(tmp_path, story)


def test_a_chosen_trainer_that_does_not_tell_its_formats_is_trusted(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.hear("idle")
        training_id = await loop.begin(trainer_id="t1", model_format="engine")
        assert await matches(loop) == [Match(training_id, "t1")]

    run(tmp_path, story)


def test_the_queue_says_what_a_training_waits_for(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        first = await loop.begin(model_format="onnx")
        assert await reason(loop) == "No trainer is online."
        await loop.hear("running")
        assert await reason(loop) == "No trainer that is online offers the format onnx."
        await loop.hear("running", "t2", **OWN)
        assert await reason(loop) == "It waits for its turn."
        await loop.abort(first)
        await loop.begin(trainer_id="t1")
        loop.fleet.connected.clear()
        loop.clock.move(timedelta(minutes=1))
        assert await reason(loop) == "The trainer T1 is offline."

    run(tmp_path, story)


def test_people_see_and_order_the_queue(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            project_id = (await loop.project())["id"]
            client = await loop.client()
            path = f"{V1}/projects/{project_id}/trainings"
            first, second = [(await client.post(path, json={})).json()["id"] for _ in range(2)]
            moved = await client.put(f"{V1}/trainings/{second}/place", json={"before": first})
            assert moved.status_code == 200
            queued = (await client.get(f"{V1}/queue")).json()
            assert [item["training"]["id"] for item in queued["items"]] == [second, first]
            assert queued["items"][0]["project"] == "zoo/cats"
            assert queued["items"][0]["position"] == 1
            assert "trainer" in queued["items"][0]["reason"]

    asyncio.run(story())


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_hyperparameters_are_json_that_can_be_answered(open_loop: OpenLoop, number: str) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            project_id = (await loop.project())["id"]
            client = await loop.client()
            answer = await client.post(
                f"{V1}/projects/{project_id}/trainings",
                content=f'{{"hyperparameters": {{"rate": [{number}]}}}}',
                headers={"content-type": "application/json"},
            )
            assert answer.status_code == 422, answer.text

    asyncio.run(story())
