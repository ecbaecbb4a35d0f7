"""The training queue at work: who gets which training, and how ends are brought about."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edgeloop.errors import Conflict, InputError, NotFound, Overloaded, Unprocessable
from edgeloop.loop.db.session import Database
from edgeloop.loop.dispatch import Dispatcher
from edgeloop.loop.services import endings, queue, trainings
from edgeloop.loop.services.queue import Match
from edgeloop.loop.services.workspace import Workspaces
from edgeloop.loop.storage import FolderStorage
from edgeloop.protocol import events
from fleets import PERSON, FleetInHand, LoopInHand, loop_in_hand
from loops import MovedClock

Story = Callable[[LoopInHand, Dispatcher], Awaitable[None]]
BEGIN, STOP, ABORT = events.BEGIN_TRAINING, events.STOP_TRAINING, events.ABORT_TRAINING


def run(folder: Path, story: Story) -> None:
    async def whole() -> None:
        async with loop_in_hand(folder) as loop:
            await story(loop, Dispatcher(loop.workspaces))

    asyncio.run(whole())


async def ask(loop: LoopInHand, verb: str, training_id: str) -> None:
    """Stop or abort as a person does."""
    async with loop.workspaces.write(PERSON) as workspace:
        await getattr(trainings, verb)(workspace, training_id)


async def begun(loop: LoopInHand, dispatcher: Dispatcher, **fields: Any) -> str:
    """A training that the idle trainer t1 took."""
    training_id = await loop.begin(**fields)
    await loop.hear("idle")
    await dispatcher.look()
    return training_id


def test_a_waiting_training_goes_to_an_idle_trainer(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        training_id = await begun(loop, dispatcher, hyperparameters={"resolution": 64}, variant="s")
        row = await loop.training(training_id)
        assert (row.state, row.trainer_id, row.trainer_name) == ("running", "t1", "T1")
        assert (row.trainer_state, row.started) == ("initialized", loop.clock.now)
        ((node, command, organization, project, details),) = loop.fleet.sent
        assert (node, command, organization, project) == ("t1", BEGIN, "zoo", "cats")
        assert (details["training_number"], details["resolution"]) == (1, 64)
        assert [category["name"] for category in details["categories"]] == ["cat", "dog"]

    run(tmp_path, story)


@pytest.mark.parametrize("resolution", ["large", [64, 64], float("inf"), {"x": 1}])
def test_a_strange_resolution_is_handed_to_the_trainer_as_it_is(
    tmp_path: Path, resolution: Any
) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        await begun(loop, dispatcher, hyperparameters={"resolution": resolution})
        ((*_, details),) = loop.fleet.sent
        assert details["hyperparameters"] == {"resolution": resolution}
        assert details["resolution"] == 0

    run(tmp_path, story)


def test_a_trainer_never_gets_a_second_training(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        first = await begun(loop, dispatcher)
        second = await loop.begin()
        await loop.hear("idle")  # a report from before it began
        await dispatcher.look()
        assert loop.fleet.commands() == [("t1", BEGIN)]
        assert (await loop.training(first)).state == "running"
        assert (await loop.training(second)).state == "queued"

    run(tmp_path, story)


def test_two_looks_at_once_hand_a_training_out_once(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        await loop.begin()
        await loop.hear("idle")
        await loop.hear("idle", "t2")
        await asyncio.gather(dispatcher.look(), Dispatcher(loop.workspaces).look())
        assert len(loop.fleet.sent) == 1

    run(tmp_path, story)


def test_the_oldest_training_is_first(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        old = await loop.begin()
        loop.clock.move(timedelta(seconds=1))
        new = await loop.begin()
        await loop.hear("idle")
        await dispatcher.look()
        assert (await loop.training(old)).state == "running"
        assert (await loop.training(new)).state == "queued"

    run(tmp_path, story)


def test_trainings_spread_over_idle_trainers(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        await loop.begin()
        await loop.begin()
        await loop.hear("idle")
        await loop.hear("idle", "t2")
        await dispatcher.look()
        assert sorted(loop.fleet.commands()) == [("t1", BEGIN), ("t2", BEGIN)]

    run(tmp_path, story)


def test_a_training_for_one_trainer_waits_for_it_and_lets_others_pass(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        await loop.hear("running", "t2")
        wants_second = await loop.begin(trainer_id="t2")
        takes_any = await loop.begin()
        await loop.hear("idle", "t1")
        await dispatcher.look()
        assert (await loop.training(takes_any)).trainer_id == "t1"
        assert (await loop.training(wants_second)).state == "queued"
        await loop.hear("idle", "t2")
        await dispatcher.look()
        assert (await loop.training(wants_second)).trainer_id == "t2"

    run(tmp_path, story)


@pytest.mark.parametrize("state", ["running", "blocked", "waiting_for_slot"])
def test_a_trainer_that_is_not_idle_gets_nothing(tmp_path: Path, state: str) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        await loop.begin()
        await loop.hear(state)
        await dispatcher.look()
        assert loop.fleet.sent == []

    run(tmp_path, story)


def test_a_trainer_that_was_silent_or_is_gone_gets_nothing(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        await loop.begin()
        await loop.hear("idle", "silent")
        loop.clock.move(timedelta(seconds=16))
        await loop.hear("idle", "gone")
        loop.fleet.connected.remove("gone")
        await dispatcher.look()
        assert loop.fleet.sent == []

    run(tmp_path, story)


def test_a_refusal_is_said_and_the_trainer_is_asked_again_later(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        loop.fleet.answers[BEGIN] = Conflict("the training slot is held")
        training_id = await begun(loop, dispatcher)
        row = await loop.training(training_id)
        assert (row.state, row.trainer_id) == ("queued", None)
        assert row.errors == {"begin_training": "the training slot is held"}
        await dispatcher.look()
        assert len(loop.fleet.sent) == 1
        loop.fleet.answers.clear()
        loop.clock.move(timedelta(seconds=31))
        await loop.hear("idle")
        await dispatcher.look()
        row = await loop.training(training_id)
        assert (row.state, row.errors) == ("running", {})

    run(tmp_path, story)


def test_another_trainer_takes_what_one_refuses(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        loop.fleet.answers[BEGIN] = Conflict("busy")
        training_id = await begun(loop, dispatcher)
        loop.fleet.answers.clear()
        await loop.hear("idle", "t2")
        await dispatcher.look()
        assert (await loop.training(training_id)).trainer_id == "t2"

    run(tmp_path, story)


def test_bad_details_fail_the_training(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        loop.fleet.answers[BEGIN] = InputError("epochs must be positive")
        row = await loop.training(await begun(loop, dispatcher))
        assert (row.state, row.ended) == ("failed", loop.clock.now)
        assert row.errors == {"begin_training": "epochs must be positive"}

    run(tmp_path, story)


def test_a_trainer_that_left_a_moment_ago_does_not_keep_the_training(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        loop.fleet.answers[BEGIN] = NotFound("not connected")
        assert (await loop.training(await begun(loop, dispatcher))).state == "queued"

    run(tmp_path, story)


def test_without_an_answer_the_next_report_tells_whether_it_began(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        loop.fleet.answers[BEGIN] = Overloaded("no answer")
        training_id = await begun(loop, dispatcher)
        assert (await loop.training(training_id)).trainer_state is None
        await loop.hear("data_downloading")
        row = await loop.training(training_id)
        assert (row.state, row.trainer_state) == ("running", "data_downloading")

    run(tmp_path, story)


def test_a_training_that_was_let_go_is_ended(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        training_id = await begun(loop, dispatcher)
        await loop.hear("running")
        await loop.upload()
        await loop.hear("idle")
        await dispatcher.look()
        assert (await loop.training(training_id)).state == "finished"

    run(tmp_path, story)


def test_the_next_training_follows_in_the_same_look(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        await begun(loop, dispatcher)
        waiting = await loop.begin()
        await loop.hear("running")
        await loop.hear("idle")
        await dispatcher.look()
        assert (await loop.training(waiting)).state == "running"

    run(tmp_path, story)


def test_a_stop_is_told_once_while_it_runs(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        training_id = await begun(loop, dispatcher)
        await loop.hear("running")
        await ask(loop, "stop", training_id)
        for _ in range(3):
            await dispatcher.look()
            loop.clock.move(timedelta(seconds=60))
        assert loop.fleet.commands() == [("t1", BEGIN), ("t1", STOP)]

    run(tmp_path, story)


def test_a_stop_before_it_runs_is_told_again_when_it_does(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        training_id = await begun(loop, dispatcher)
        await ask(loop, "stop", training_id)
        await dispatcher.look()
        await loop.hear("data_downloading")
        await dispatcher.look()
        await loop.hear("running")
        await dispatcher.look()
        assert loop.fleet.commands()[1:] == [("t1", STOP)] * 2

    run(tmp_path, story)


def test_a_stop_does_not_disturb_the_upload_of_the_model(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        training_id = await begun(loop, dispatcher)
        await loop.hear("train_model_uploading")
        await ask(loop, "stop", training_id)
        await dispatcher.look()
        assert loop.fleet.commands() == [("t1", BEGIN)]

    run(tmp_path, story)


def test_a_stop_that_did_not_arrive_is_told_again(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        training_id = await begun(loop, dispatcher)
        await loop.hear("running")
        await ask(loop, "stop", training_id)
        loop.fleet.answers[STOP] = Overloaded("no answer")
        await dispatcher.look()
        loop.fleet.answers.clear()
        await dispatcher.look()
        assert loop.fleet.commands()[1:] == [("t1", STOP)] * 2

    run(tmp_path, story)


def test_a_trainer_that_goes_on_is_told_to_abort_again(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        training_id = await begun(loop, dispatcher)
        await loop.hear("running")
        await ask(loop, "abort", training_id)
        await dispatcher.look()
        await dispatcher.look()
        assert loop.fleet.commands()[1:] == [("t1", ABORT)]
        loop.clock.move(timedelta(seconds=31))
        await loop.hear("running")
        await dispatcher.look()
        assert loop.fleet.commands()[1:] == [("t1", ABORT)] * 2

    run(tmp_path, story)


def test_a_trainer_that_cannot_abort_is_told_to_stop(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        training_id = await begun(loop, dispatcher)
        await loop.hear("running")
        await ask(loop, "abort", training_id)
        loop.fleet.answers[ABORT] = Unprocessable("not known")
        await dispatcher.look()
        assert loop.fleet.commands()[1:] == [("t1", ABORT), ("t1", STOP)]

    run(tmp_path, story)


def test_a_trainer_that_cannot_even_stop_is_asked_again(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        training_id = await begun(loop, dispatcher)
        await loop.hear("running")
        await ask(loop, "stop", training_id)
        loop.fleet.answers[STOP] = Unprocessable("not known")
        await dispatcher.look()
        await dispatcher.look()
        assert loop.fleet.commands()[1:] == [("t1", STOP)] * 2

    run(tmp_path, story)


def test_nothing_is_told_before_the_trainer_has_begun_or_after_it_is_idle(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, _: Dispatcher) -> None:
        training_id = await loop.begin()
        await loop.hear("idle")
        async with loop.workspaces.write() as workspace:
            await queue.claim(workspace, Match(training_id, "t1"))
        await ask(loop, "abort", training_id)
        async with loop.workspaces.read() as workspace:
            assert await endings.due_commands(workspace) == []
        await loop.hear("running")
        await loop.hear("idle")
        async with loop.workspaces.read() as workspace:
            assert await endings.due_commands(workspace) == []

    run(tmp_path, story)


def test_a_trainer_that_comes_back_with_an_aborted_training_is_told(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        training_id = await begun(loop, dispatcher)
        await loop.hear("running")
        loop.fleet.connected.clear()
        await ask(loop, "abort", training_id)
        await dispatcher.look()
        assert (await loop.training(training_id)).state == "aborted"
        await loop.hear("running")
        await dispatcher.look()
        assert loop.fleet.commands()[1:] == [("t1", ABORT)]
        await loop.hear("idle")
        loop.clock.move(timedelta(seconds=60))
        await dispatcher.look()
        assert len(loop.fleet.sent) == 2

    run(tmp_path, story)


def test_a_refusal_that_comes_after_an_abort_keeps_it_aborted(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, _: Dispatcher) -> None:
        training_id = await loop.begin()
        match = Match(training_id, "t1")
        await loop.hear("idle")
        async with loop.workspaces.write() as workspace:
            await queue.claim(workspace, match)
        loop.fleet.connected.clear()
        await ask(loop, "abort", training_id)
        async with loop.workspaces.write() as workspace:
            await queue.refused(workspace, match, "no")
            await queue.rejected(workspace, match, "no")
        assert (await loop.training(training_id)).state == "aborted"

    run(tmp_path, story)


def test_a_dispatcher_looks_when_it_is_woken_and_ends_when_it_is_stopped(tmp_path: Path) -> None:
    async def story(loop: LoopInHand, dispatcher: Dispatcher) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(dispatcher.run())
            training_id = await loop.begin()
            await loop.hear("idle")
            while (await loop.training(training_id)).state == "queued":
                dispatcher.wake()
                await asyncio.sleep(0)
            await dispatcher.stop()

    run(tmp_path, story)


def test_a_database_that_fails_does_not_end_the_dispatcher(tmp_path: Path) -> None:
    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())
            heard.set()

    said: list[str] = []
    heard = asyncio.Event()

    async def story() -> None:
        database = Database(f"sqlite+aiosqlite:///{tmp_path / 'none' / 'loop.sqlite'}")
        storage = FolderStorage(tmp_path)
        dispatcher = Dispatcher(Workspaces(database, storage, FleetInHand(), MovedClock()))
        log, handler = logging.getLogger("edgeloop.loop.dispatch"), Heard()
        log.addHandler(handler)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(dispatcher.run())
            await heard.wait()
            assert not running.done()
            await dispatcher.stop()
        log.removeHandler(handler)
        await database.close()

    asyncio.run(story())
    assert "could not be looked at" in said[0]
