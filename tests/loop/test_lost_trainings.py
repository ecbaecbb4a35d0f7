"""Trainings whose trainer is away: shown as lost, taken up again, ended when people want it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from edgeloop.errors import Conflict
from edgeloop.loop import LoopSettings
from edgeloop.loop.dispatch import Dispatcher
from edgeloop.loop.services import trainings
from edgeloop.protocol import events
from edgeloop.protocol.routes import V1
from fleets import PERSON, LoopInHand, loop_in_hand
from loops import MovedClock, loop_served
from sockets import connected, run

Story = Callable[[LoopInHand, Dispatcher], Awaitable[None]]
IDLE = {"id": "t1", "name": "gpu", "state": "idle"}
BUSY = {**IDLE, "state": "running", "context": {"organization": "zoo", "project": "cats"}}
LONG = timedelta(seconds=31)


def tell(folder: Path, story: Story) -> None:
    async def whole() -> None:
        async with loop_in_hand(folder) as loop:
            await story(loop, Dispatcher(loop.workspaces))

    asyncio.run(whole())


async def running(loop: LoopInHand, dispatcher: Dispatcher) -> str:
    """A training that the trainer t1 is at."""
    training_id = await loop.begin()
    await loop.hear("idle")
    await dispatcher.look()
    await loop.hear("running")
    return training_id


async def ask(loop: LoopInHand, verb: str, training_id: str) -> trainings.Training:
    """Stop, abort or take back as a person does."""
    async with loop.workspaces.write(PERSON) as workspace:
        found: trainings.Training = await getattr(trainings, verb)(workspace, training_id)
        return found


async def is_lost(loop: LoopInHand, training_id: str) -> bool:
    async with loop.workspaces.read(PERSON) as workspace:
        return (await trainings.get(workspace, training_id)).is_lost


def leave(loop: LoopInHand) -> None:
    """The trainer is away for long."""
    loop.fleet.connected.clear()
    loop.clock.move(LONG)


def test_a_training_is_lost_while_its_trainer_is_away(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        training_id = await running(loop, dispatcher)
        assert not await is_lost(loop, training_id)
        leave(loop)
        assert await is_lost(loop, training_id)
        assert (await loop.training(training_id)).state == "running"
        await loop.hear("running")
        assert not await is_lost(loop, training_id)

    tell(tmp_path, story)


def test_a_connection_that_breaks_for_a_moment_loses_nothing(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        training_id = await running(loop, dispatcher)
        loop.fleet.connected.clear()
        loop.clock.move(timedelta(seconds=29))
        assert not await is_lost(loop, training_id)

    tell(tmp_path, story)


def test_what_has_ended_is_not_lost(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        training_id = await running(loop, dispatcher)
        await loop.hear("idle")
        await dispatcher.look()
        leave(loop)
        assert not await is_lost(loop, training_id)

    tell(tmp_path, story)


def test_a_stop_that_nobody_hears_can_be_taken_back(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        training_id = await running(loop, dispatcher)
        leave(loop)
        assert (await ask(loop, "stop", training_id)).row.wish == "stop"
        assert (await ask(loop, "take_back", training_id)).row.wish is None
        await loop.hear("running")
        await dispatcher.look()
        assert loop.fleet.commands() == [("t1", events.BEGIN_TRAINING)]

    tell(tmp_path, story)


def test_a_stop_that_nobody_hears_can_become_an_abort(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        training_id = await running(loop, dispatcher)
        leave(loop)
        await ask(loop, "stop", training_id)
        assert (await ask(loop, "abort", training_id)).row.state == "aborted"

    tell(tmp_path, story)


def test_a_trainer_that_comes_back_is_told_to_stop(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        training_id = await running(loop, dispatcher)
        leave(loop)
        await ask(loop, "stop", training_id)
        await dispatcher.look()
        await loop.hear("running")
        await dispatcher.look()
        assert loop.fleet.commands()[1:] == [("t1", events.STOP_TRAINING)]

    tell(tmp_path, story)


def test_an_abort_ends_when_its_trainer_goes_away_over_it(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        training_id = await running(loop, dispatcher)
        assert (await ask(loop, "abort", training_id)).row.state == "running"
        loop.fleet.connected.clear()
        await dispatcher.look()
        assert (await loop.training(training_id)).state == "running"
        loop.clock.move(LONG)
        await dispatcher.look()
        row = await loop.training(training_id)
        assert (row.state, row.ended) == ("aborted", loop.clock.now)

    tell(tmp_path, story)


def test_an_abort_that_is_asked_for_twice_ends_whatever_its_trainer_does(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        training_id = await running(loop, dispatcher)
        await ask(loop, "abort", training_id)
        await dispatcher.look()
        await loop.hear("running")
        assert (await ask(loop, "abort", training_id)).row.state == "aborted"
        await loop.hear("running")
        loop.clock.move(LONG)
        await loop.hear("running")
        await dispatcher.look()
        assert loop.fleet.commands()[1:] == [("t1", events.ABORT_TRAINING)] * 2

    tell(tmp_path, story)


def test_where_nothing_was_asked_there_is_nothing_to_take_back(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        training_id = await running(loop, dispatcher)
        with pytest.raises(Conflict, match="there is no wish"):
            await ask(loop, "take_back", training_id)

    tell(tmp_path, story)


async def training(client: httpx.AsyncClient, training_id: str) -> dict[str, Any]:
    """The training as people see it."""
    found: dict[str, Any] = (await client.get(f"{V1}/trainings/{training_id}")).json()
    return found


async def become(client: httpx.AsyncClient, training_id: str, **expected: Any) -> dict[str, Any]:
    """The training, once it is so."""
    found = await training(client, training_id)
    while {key: found[key] for key in expected} != expected:
        found = await training(client, training_id)
    return found


async def begin(client: httpx.AsyncClient) -> str:
    """Queue a training; returns its id."""
    (project,) = (await client.get(f"{V1}/projects")).json()["items"]
    answer = await client.post(f"{V1}/projects/{project['id']}/trainings", json={})
    return str(answer.json()["id"])


def test_a_trainer_whose_socket_broke_goes_on_where_it_was(loop_settings: LoopSettings) -> None:
    clock = MovedClock()

    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client) as node:
            await node.call(events.UPDATE_TRAINER, IDLE)
            training_id = await begin(client)
            await node.commands.get()
            await node.call(events.UPDATE_TRAINER, {**BUSY, "progress": 0.5})
        clock.move(LONG)
        lost = await become(client, training_id, lost=True)
        assert (lost["state"], lost["progress"]) == ("running", 0.5)
        async with connected(client) as node:
            await node.call(events.UPDATE_TRAINER, {**BUSY, "progress": 0.75})
            found = await become(client, training_id, lost=False)
            assert (found["state"], found["progress"]) == ("running", 0.75)
            assert node.commands.empty()

    with loop_served(loop_settings, clock=clock) as loop:
        run(loop, story)


def test_a_training_whose_trainer_never_returns_can_always_be_aborted(
    loop_settings: LoopSettings,
) -> None:
    clock = MovedClock()

    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client) as node:
            await node.call(events.UPDATE_TRAINER, IDLE)
            training_id = await begin(client)
            await node.commands.get()
            await node.call(events.UPDATE_TRAINER, BUSY)
        clock.move(LONG)
        await become(client, training_id, lost=True)
        stopped = (await client.post(f"{V1}/trainings/{training_id}/stop")).json()
        assert (stopped["state"], stopped["lost"], stopped["wish"]) == ("running", True, "stop")
        aborted = (await client.post(f"{V1}/trainings/{training_id}/abort")).json()
        assert (aborted["state"], aborted["lost"]) == ("aborted", False)
        async with connected(client) as node:
            await node.call(events.UPDATE_TRAINER, BUSY)
            assert await node.commands.get() == (events.ABORT_TRAINING,)

    with loop_served(loop_settings, clock=clock) as loop:
        run(loop, story)


def test_the_end_of_a_log_is_kept_with_its_training(loop_settings: LoopSettings) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client) as node:
            await node.call(events.UPDATE_TRAINER, IDLE)
            training_id = await begin(client)
            path = f"{V1}/trainings/{training_id}/log"
            assert (await client.get(path)).json() == {"text": "", "received": None}
            for text in ("one\n", "one\ntwo\n", "one\ntwo\n"):
                report = {"training_number": 1, "text": text}
                answer = await node.call(events.UPDATE_LOG, "zoo", "cats", report)
                assert answer["success"] is True
            assert (await client.get(path)).json()["text"] == "one\ntwo\n"
            long = {"training_number": 1, "text": "x\0" * 100_000 + "end"}
            await node.call(events.UPDATE_LOG, "zoo", "cats", long)
            kept = (await client.get(path)).json()
            assert kept["text"].endswith("xend")
            assert len(kept["text"]) < 40_000
            assert kept["received"]
            unknown = {"training_number": 7, "text": ""}
            assert not (await node.call(events.UPDATE_LOG, "zoo", "cats", unknown))["success"]

    with loop_served(loop_settings) as loop:
        run(loop, story)
