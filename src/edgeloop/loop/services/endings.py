"""How trainings end: by themselves, or because a person wants it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from edgeloop.loop.db.tables import ModelRow, NodeRow, TrainingRow
from edgeloop.loop.services import dismissals, nodes
from edgeloop.loop.services.trainings import TrainingState, Wish
from edgeloop.loop.services.workspace import Workspace
from edgeloop.protocol import events
from edgeloop.types import TrainerState

_ENDS_AS = {Wish.STOP: TrainingState.STOPPED, Wish.ABORT: TrainingState.ABORTED}
_BEFORE_RUNNING = frozenset(
    {
        TrainerState.INITIALIZED,
        TrainerState.PREPARING,
        TrainerState.DATA_DOWNLOADING,
        TrainerState.DATA_DOWNLOADED,
        TrainerState.TRAIN_MODEL_DOWNLOADING,
        TrainerState.TRAIN_MODEL_DOWNLOADED,
    }
)


@dataclass(frozen=True, slots=True)
class EndCommand:
    """A command that ends a training; ``phase`` tells apart when it makes sense to repeat it."""

    training_id: str
    trainer_id: str
    event: str
    phase: str


async def let_go(workspace: Workspace) -> Sequence[TrainingRow]:
    """The running trainings that their trainers are done with."""
    query = select(TrainingRow).where(
        TrainingRow.state == TrainingState.RUNNING, TrainingRow.trainer_state == TrainerState.IDLE
    )
    return (await workspace.session.scalars(query)).all()


async def end(
    workspace: Workspace, training_id: str, figures: Mapping[str, Mapping[str, Any]]
) -> TrainingRow:
    """End a training that was let go; ``figures`` are metrics by id of its models.

    It is finished if it has a model with files and nobody asked for another end. Nothing happens
    where the trainer has taken it up again.
    """
    training = await workspace.session.get_one(TrainingRow, training_id)
    if training.state != TrainingState.RUNNING or training.trainer_state != TrainerState.IDLE:
        return training
    query = select(ModelRow).where(
        ModelRow.training_id == training_id, ModelRow.version.is_not(None)
    )
    published = (await workspace.session.scalars(query)).all()
    for model in published:
        model.metrics = dict(figures.get(model.id, model.metrics))
    training.ended = workspace.clock()
    training.state = _end_state(training, has_model=bool(published))
    if training.state == TrainingState.FAILED and not training.errors:
        training.errors = {"training": "The trainer ended without a model: see its log."}
    return training


async def forsaken(workspace: Workspace) -> Sequence[str]:
    """The ids of the trainings that shall be aborted while their trainers are away for long."""
    query = (
        select(TrainingRow.id, NodeRow)
        .join(NodeRow, NodeRow.id == TrainingRow.trainer_id)
        .where(TrainingRow.state == TrainingState.RUNNING, TrainingRow.wish == Wish.ABORT)
    )
    rows = (await workspace.session.execute(query)).all()
    return [training_id for training_id, node in rows if not nodes.is_online(workspace, node)]


async def give_up(workspace: Workspace, training_id: str) -> TrainingRow:
    """End a training that was to be aborted; its trainer is told when it is back."""
    training = await workspace.session.get_one(TrainingRow, training_id)
    if training.state == TrainingState.RUNNING and training.wish == Wish.ABORT:
        training.state, training.ended = TrainingState.ABORTED, workspace.clock()
    return training


def put_back(workspace: Workspace, training: TrainingRow, *, reason: str) -> None:
    """Let a training wait for a trainer again, or end it where that is wanted."""
    if training.wish:
        training.state, training.ended = _ENDS_AS[Wish(training.wish)], workspace.clock()
        return
    training.state = TrainingState.QUEUED
    training.trainer_id, training.trainer_name = None, ""
    training.trainer_state, training.started = None, None
    training.errors = {"begin_training": reason}


async def due_commands(workspace: Workspace) -> Sequence[EndCommand]:
    """What connected trainers must be told so that trainings end as wanted."""
    wanted = await workspace.session.scalars(
        select(TrainingRow).where(
            TrainingRow.state == TrainingState.RUNNING, TrainingRow.wish.is_not(None)
        )
    )
    found = [command for row in wanted.all() if (command := _command_for(row))]
    found += [_abort(row) for row in await _haunted(workspace)]
    found += [_give_up(trainer_id) for trainer_id in await dismissals.due(workspace)]
    return [command for command in found if workspace.fleet.is_connected(command.trainer_id)]


def _end_state(training: TrainingRow, *, has_model: bool) -> TrainingState:
    if training.wish:
        return _ENDS_AS[Wish(training.wish)]
    return TrainingState.FINISHED if has_model else TrainingState.FAILED


def _command_for(training: TrainingRow) -> EndCommand | None:
    if training.trainer_id is None or training.trainer_state in (None, TrainerState.IDLE):
        return None
    if training.wish == Wish.ABORT:
        return _abort(training)
    if training.trainer_state in _BEFORE_RUNNING:
        return EndCommand(training.id, training.trainer_id, events.STOP_TRAINING, "early")
    if training.trainer_state == TrainerState.RUNNING:
        return EndCommand(training.id, training.trainer_id, events.STOP_TRAINING, "running")
    return None  # its model is on the way: a stop would make some published trainers drop it


def _abort(training: TrainingRow) -> EndCommand:
    return EndCommand(training.id, training.trainer_id or "", events.ABORT_TRAINING, "any")


def _give_up(trainer_id: str) -> EndCommand:
    place = f"of {trainer_id} for a project that was deleted"
    return EndCommand(place, trainer_id, events.ABORT_TRAINING, "any")


async def _haunted(workspace: Workspace) -> list[TrainingRow]:
    """Aborted trainings that a trainer, away at that time, still works on."""
    busy = select(NodeRow).where(NodeRow.kind == nodes.TRAINER, NodeRow.project_id.is_not(None))
    found = []
    for node in (await workspace.session.scalars(busy)).all():
        query = select(TrainingRow).where(TrainingRow.trainer_id == node.id)
        newest = query.order_by(TrainingRow.started.desc()).limit(1)
        training = (await workspace.session.scalars(newest)).first()
        if training and training.state == TrainingState.ABORTED and _is_at(node, training):
            found.append(training)
    return found


def _is_at(node: NodeRow, training: TrainingRow) -> bool:
    is_busy = node.status.get("state") not in (TrainerState.IDLE, "blocked")
    return is_busy and node.project_id == training.project_id
