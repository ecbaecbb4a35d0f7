"""The training queue: which waiting training meets which idle trainer."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from edgeloop.errors import Conflict
from edgeloop.loop.db.tables import NodeRow, TrainingRow
from edgeloop.loop.services import nodes
from edgeloop.loop.services.endings import put_back
from edgeloop.loop.services.trainings import TrainingState, order_for
from edgeloop.loop.services.workspace import Workspace
from edgeloop.protocol.payloads.trainings import TrainingOrder
from edgeloop.types import TrainerState

IDLE_REPORT_AGE = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Match:
    """A training and the trainer that shall have it."""

    training_id: str
    trainer_id: str


async def matches(workspace: Workspace, *, avoid: Collection[str] = ()) -> Sequence[Match]:
    """Pairs of waiting trainings, the oldest first, and idle trainers other than ``avoid``."""
    free = [trainer for trainer in await _idle_trainers(workspace) if trainer not in avoid]
    query = select(TrainingRow).where(TrainingRow.state == TrainingState.QUEUED)
    waiting = await workspace.session.scalars(
        query.order_by(TrainingRow.created, TrainingRow.number)
    )
    found = []
    for training in waiting.all():
        wanted = training.wanted_trainer_id
        trainer = next((id_ for id_ in free if wanted in (None, id_)), None)
        if trainer is not None:
            free.remove(trainer)
            found.append(Match(training.id, trainer))
    return found


async def claim(workspace: Workspace, match: Match) -> TrainingOrder:
    """Give a training to a trainer; raises Conflict where one of them is no longer free."""
    training = await workspace.session.get_one(TrainingRow, match.training_id)
    free = await _idle_trainers(workspace)
    if training.state != TrainingState.QUEUED or match.trainer_id not in free:
        raise Conflict(f"Training {training.number} or its trainer is no longer free.")
    node = await workspace.session.get_one(NodeRow, match.trainer_id)
    training.state = TrainingState.RUNNING
    training.trainer_id, training.trainer_name = node.id, node.name
    training.trainer_state, training.progress = None, None
    training.started = workspace.clock()
    return await order_for(workspace, training)


async def accepted(workspace: Workspace, match: Match) -> None:
    """The trainer has begun."""
    training = await workspace.session.get_one(TrainingRow, match.training_id)
    if training.trainer_state is None:  # else its status was faster than its answer
        training.trainer_state = TrainerState.INITIALIZED
        training.started = workspace.clock()
    training.errors = {}


async def refused(workspace: Workspace, match: Match, reason: str) -> None:
    """The trainer does not want it now: it waits again."""
    training = await workspace.session.get_one(TrainingRow, match.training_id)
    if training.state == TrainingState.RUNNING:
        put_back(workspace, training, reason=reason)


async def rejected(workspace: Workspace, match: Match, reason: str) -> None:
    """The trainer cannot do it: the training has failed."""
    training = await workspace.session.get_one(TrainingRow, match.training_id)
    if training.state == TrainingState.RUNNING:
        training.state, training.ended = TrainingState.FAILED, workspace.clock()
        training.errors = {"begin_training": reason}


async def _idle_trainers(workspace: Workspace) -> list[str]:
    running = select(TrainingRow.trainer_id).where(TrainingRow.state == TrainingState.RUNNING)
    taken = set(await workspace.session.scalars(running))
    query = select(NodeRow).where(
        NodeRow.kind == nodes.TRAINER, NodeRow.last_seen >= workspace.clock() - IDLE_REPORT_AGE
    )
    rows = await workspace.session.scalars(query.order_by(NodeRow.id))
    return [
        node.id
        for node in rows.all()
        if node.status.get("state") == TrainerState.IDLE
        and node.id not in taken
        and workspace.fleet.is_connected(node.id)
    ]
