"""Trainers work for, and are commanded by, those with whom their account shares a project."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from edgeloop.errors import Conflict, Forbidden, NotFound
from edgeloop.loop.services import access, commands, nodes, progress, projects, queue
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.projects import NewProject
from edgeloop.loop.services.workspace import Caller
from edgeloop.types import Role, TrainerStatus
from fleets import LoopInHand, loop_in_hand

Story = Callable[[LoopInHand], Awaitable[None]]


def run(folder: Path, story: Story) -> None:
    async def whole() -> None:
        async with loop_in_hand(folder) as loop:
            await story(loop)

    asyncio.run(whole())


def person(**roles: Role) -> Caller:
    """Somebody with these roles, place by place; ``zoo__cats`` is zoo/cats."""
    grants = {place.replace("__", "/"): role for place, role in roles.items()}
    return Caller(account_id="2", username="eve", grants=grants, has_session=True)


async def say(loop: LoopInHand, caller: Caller, state: str, **fields: str) -> None:
    """The trainer t1 reports as somebody."""
    async with loop.workspaces.write(caller) as workspace:
        status = TrainerStatus(id="t1", name="T1", state=state, **fields)  # type: ignore[arg-type]
        await progress.heard_from_trainer(workspace, status)
    loop.fleet.connected.add("t1")
    loop.fleet.callers["t1"] = caller


async def reason(loop: LoopInHand) -> str:
    """What the only training in the queue waits for."""
    async with loop.workspaces.read() as workspace:
        (waiting,) = await queue.listed(workspace)
        return waiting.reason


async def matched(loop: LoopInHand) -> bool:
    """Whether the queue has somebody for a training."""
    async with loop.workspaces.read() as workspace:
        return bool(await queue.matches(workspace))


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        ({"zoo": "manager"}, True),
        ({"zoo__cats": "admin"}, True),
        ({"zoo__dogs": "manager"}, False),
        ({"zoo__dogs": "manager", "zoo": "annotator"}, False),
        ({"ark": "admin"}, False),
    ],
)
def test_a_trainer_gets_trainings_that_its_account_may_run(
    tmp_path: Path, roles: Mapping[str, Role], *, expected: bool
) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.begin()
        await say(loop, person(**roles), "idle")
        assert await matched(loop) is expected
        said = "It waits" if expected else "No trainer that is online logged in as a manager"
        assert (await reason(loop)).startswith(said)

    run(tmp_path, story)


@pytest.mark.parametrize("roles", [{}, {"zoo": "annotator"}])
def test_who_may_run_no_training_is_no_trainer(tmp_path: Path, roles: Mapping[str, Role]) -> None:
    async def story(loop: LoopInHand) -> None:
        with pytest.raises(Forbidden, match="takes the role manager"):
            await say(loop, person(**roles), "idle")

    run(tmp_path, story)


@pytest.mark.parametrize("state", ["idle", "running"])
def test_nobody_speaks_for_the_trainer_of_others(tmp_path: Path, state: str) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await loop.begin()
        await loop.hear("idle")
        async with loop.workspaces.write() as workspace:
            (match,) = await queue.matches(workspace)
            await queue.claim(workspace, match)
        with pytest.raises(NotFound, match="somebody else's"):
            await say(loop, person(ark="manager"), state)
        await loop.hear("running")
        with pytest.raises(Conflict, match="works for another project"):
            await say(loop, person(ark="manager"), state)
        assert (await loop.training(training_id)).state == "running"

    run(tmp_path, story)


def test_the_id_of_a_node_that_is_away_may_move_to_another_project(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.hear("running")
        loop.fleet.connected.clear()
        loop.clock.move(nodes.ONLINE_FOR[nodes.TRAINER])
        await say(loop, person(ark="manager"), "idle")

    run(tmp_path, story)


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        ({"": "admin"}, {"zoo": "manager"}, True),
        ({"zoo": "manager"}, {"zoo": "manager"}, True),
        ({"zoo": "manager"}, {"zoo/cats": "manager"}, True),
        ({"zoo/cats": "manager"}, {"zoo": "manager"}, True),
        ({"zoo/cats": "manager"}, {"zoo/dogs": "manager"}, False),
        ({"zoo": "manager"}, {"ark": "admin"}, False),
        ({"zoo": "manager"}, {"zoo": "annotator"}, False),
    ],
)
def test_two_share_a_place_where_both_have_the_right(
    theirs: Mapping[str, Role], ours: Mapping[str, Role], *, expected: bool
) -> None:
    trainer, caller = Caller(grants=theirs), Caller(grants=ours)
    assert access.may_together(caller, trainer, Right.TRAIN) is expected


@pytest.mark.parametrize(
    ("commander", "error"),
    [
        (person(zoo="manager"), None),
        (Caller(account_id="1", grants={"": "admin"}), None),
        (person(ark="admin"), Forbidden),
        (person(zoo="annotator"), Forbidden),
    ],
)
def test_an_idle_trainer_is_restarted_by_those_it_may_work_for(
    tmp_path: Path, commander: Caller, error: type[Exception] | None
) -> None:
    async def story(loop: LoopInHand) -> None:
        await say(loop, person(zoo="manager"), "idle")
        if error is None:
            await commands.restart(loop.workspaces, commander, node_id="t1")
        else:
            with pytest.raises(error):
                await commands.restart(loop.workspaces, commander, node_id="t1")
        assert bool(loop.fleet.sent) is (error is None)

    run(tmp_path, story)


def test_nodes_of_unseen_projects_are_not_listed(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        async with loop.workspaces.write() as workspace:
            await projects.create(workspace, NewProject("ark", "pairs"))
        await loop.hear("running", trainer="t1")
        await loop.hear("running", trainer="t2", organization="ark", project="pairs")
        await loop.hear("idle", trainer="t3")
        seen = {}
        for name, caller in {"zoo": person(zoo="viewer"), "none": person()}.items():
            async with loop.workspaces.read(caller) as workspace:
                found = await nodes.list_by_id(workspace, limit=10)
                seen[name] = [node.row.id for node in found]
        assert seen == {"zoo": ["t1", "t3"], "none": []}

    run(tmp_path, story)
