"""What nodes report again and again: shown at once, written down now and then."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from edgeloop.errors import Conflict
from edgeloop.loop.db.tables import NodeRow
from edgeloop.loop.services import hearing, nodes, queue
from edgeloop.loop.services.nodes import KnownNode
from edgeloop.loop.services.presence import WRITE_EVERY
from edgeloop.types import AnnotatorStatus, DetectorStatus, OperationMode, TrainerStatus
from fleets import PERSON, LoopInHand, loop_in_hand

Story = Callable[[LoopInHand], Awaitable[None]]
DETECTOR = DetectorStatus("d1", "press", "onnx", OperationMode.IDLE, uptime_s=7.0)
TRAINER = TrainerStatus(id="t1", name="T1", state="idle")
SOON = timedelta(seconds=5)


def run(folder: Path, story: Story) -> None:
    async def whole() -> None:
        async with loop_in_hand(folder) as loop:
            loop.fleet.connected.add("t1")
            await story(loop)

    asyncio.run(whole())


async def hear(loop: LoopInHand, status: DetectorStatus = DETECTOR) -> None:
    await hearing.hear_detector(loop.workspaces, PERSON, loop.project, status)


async def hear_trainer(loop: LoopInHand, status: TrainerStatus = TRAINER) -> bool:
    return await hearing.hear_trainer(loop.workspaces, PERSON, status)


async def written(loop: LoopInHand, node_id: str = "d1") -> datetime:
    """When the node was last heard from, as the database says."""
    async with loop.workspaces.read() as workspace:
        return (await workspace.session.get_one(NodeRow, node_id)).last_seen


async def shown(loop: LoopInHand, node_id: str = "d1") -> KnownNode:
    async with loop.workspaces.read(PERSON) as workspace:
        return await nodes.get(workspace, node_id)


async def settled(loop: LoopInHand) -> None:
    """The node is known, and its next repeat is not the one to be written down."""
    await hear(loop)
    await hear(loop)


def test_a_repeat_waits_for_no_writer(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await settled(loop)
        async with loop.workspaces.write():
            await asyncio.wait_for(hear(loop), 30)

    run(tmp_path, story)


def test_a_repeat_is_shown_at_once(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await settled(loop)
        loop.clock.move(SOON)
        await hear(loop, replace(DETECTOR, uptime_s=12.0))
        node = await shown(loop)
        assert (node.row.last_seen, node.row.status["uptime"]) == (loop.clock(), 12.0)
        assert await written(loop) == loop.clock() - SOON

    run(tmp_path, story)


def test_repeats_of_all_nodes_are_written_down_together(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        other = replace(DETECTOR, id="d2")
        await settled(loop)
        await hear(loop, other)
        loop.clock.move(SOON)
        await hear(loop, other)
        loop.clock.move(WRITE_EVERY - SOON)
        await hear(loop)
        assert await written(loop) == loop.clock()
        assert await written(loop, "d2") == loop.clock() - WRITE_EVERY + SOON

    run(tmp_path, story)


@pytest.mark.parametrize(
    "news", [{"name": "oven"}, {"errors": {"a": "b"}}, {"operation_mode": OperationMode.DETECTING}]
)
def test_news_is_written_down_at_once(tmp_path: Path, news: dict[str, object]) -> None:
    async def story(loop: LoopInHand) -> None:
        await settled(loop)
        loop.clock.move(SOON)
        await hear(loop, replace(DETECTOR, **news))  # type: ignore[arg-type]
        assert await written(loop) == loop.clock()

    run(tmp_path, story)


def test_an_old_repeat_does_not_undo_news(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await settled(loop)
        await hear(loop)
        await hear(loop, replace(DETECTOR, name="oven"))
        await hearing.write_down(loop.workspaces)
        assert (await shown(loop)).row.name == "oven"

    run(tmp_path, story)


def test_the_end_of_the_loop_writes_down_the_repeats(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await settled(loop)
        loop.clock.move(SOON)
        await hear(loop)
        await hearing.write_down(loop.workspaces)
        assert await written(loop) == loop.clock()

    run(tmp_path, story)


def test_a_forgotten_node_is_known_again_when_it_repeats_itself(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await settled(loop)
        loop.clock.move(timedelta(minutes=5))
        async with loop.workspaces.write(PERSON) as workspace:
            await nodes.forget(workspace, "d1")
        await hear(loop)
        assert (await shown(loop)).is_online

    run(tmp_path, story)


def test_a_node_that_repeats_itself_is_online(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await settled(loop)
        loop.clock.move(nodes.ONLINE_FOR[nodes.DETECTOR])
        assert not (await shown(loop)).is_online
        await hear(loop)
        assert (await shown(loop)).is_online

    run(tmp_path, story)


def test_another_kind_of_node_cannot_repeat_a_report(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await settled(loop)
        with pytest.raises(Conflict):
            await hearing.hear_annotator(loop.workspaces, PERSON, AnnotatorStatus("d1", "press"))

    run(tmp_path, story)


def test_an_idle_trainer_that_repeats_itself_says_nothing_new(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        assert [await hear_trainer(loop) for _ in range(3)] == [True, False, False]

    run(tmp_path, story)


def test_an_idle_trainer_is_listened_to_while_trainings_change(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await hear_trainer(loop)
        await loop.begin()
        assert await hear_trainer(loop)

    run(tmp_path, story)


def test_a_busy_trainer_is_always_listened_to(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        busy = replace(TRAINER, state="running", organization="zoo", project="cats")
        assert [await hear_trainer(loop, busy) for _ in range(2)] == [True, True]

    run(tmp_path, story)


def test_a_training_goes_to_an_idle_trainer_that_repeats_itself(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await hear_trainer(loop)
        await hear_trainer(loop)
        for _ in range(8):  # no longer than repeats wait to be written down
            loop.clock.move(timedelta(seconds=1))
            await hear_trainer(loop)
        loop.clock.move(timedelta(seconds=14))
        await loop.begin()
        async with loop.workspaces.read() as workspace:
            assert [match.trainer_id for match in await queue.matches(workspace)] == ["t1"]

    run(tmp_path, story)
