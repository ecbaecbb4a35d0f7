"""Trainings as people see them: begin, list, stop, abort."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select

from edgeloop.errors import Conflict, NotFound, Unprocessable
from edgeloop.loop.db.tables import (
    EpochRow,
    ModelRow,
    NodeRow,
    ProjectRow,
    TrainingLogRow,
    TrainingRow,
)
from edgeloop.loop.services import models, nodes, offers, projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.workspace import Workspace
from edgeloop.protocol.payloads.trainings import TrainingOrder


class TrainingState(StrEnum):
    """Where a training is on its way through the loop."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    ABORTED = "aborted"


class Wish(StrEnum):
    """What a person asks of a running training: end it with its model, or without."""

    STOP = "stop"
    ABORT = "abort"


PROMOTED = "promoted"
"""Stands for the id of the project's promoted model, or for none where there is none."""


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What a person wants trained; ``trainer_id`` None: by any trainer that offers it.

    ``model_format`` is one that the trainer must make, empty for no matter which.
    ``base_model_id`` may be ``PROMOTED``; None is from scratch.
    """

    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    variant: str = ""
    model_format: str = ""
    base_model_id: str | None = None
    trainer_id: str | None = None


@dataclass(frozen=True, slots=True)
class Training:
    """A training and the id of its newest model with files, None before there is one.

    It ``is_lost`` while the trainer that has it is away; it goes on when that is back.
    """

    row: TrainingRow
    model_id: str | None = None
    is_lost: bool = False


async def begin(workspace: Workspace, project_id: str, request: TrainingRequest) -> Training:
    """Queue a training under the project's next number.

    Raises NotFound for an unknown project, base model or trainer, Unprocessable for a base model
    without files or a retired one, and for what the chosen trainer does not offer.
    """
    project = await projects.by_id(workspace, project_id, right=Right.TRAIN)
    base_model_id = await _base_model(workspace, project, request.base_model_id)
    training = TrainingRow(
        id=str(uuid.uuid4()),
        project_id=project.id,
        number=await _next_number(workspace, project),
        state=TrainingState.QUEUED,
        rank=await _next_rank(workspace),
        variant=request.variant,
        model_format=request.model_format,
        base_model_id=base_model_id,
        hyperparameters=dict(request.hyperparameters),
        wanted_trainer_id=request.trainer_id or None,
        trainer_name="",
        errors={},
        skipped_images=0,
        created=workspace.clock(),
    )
    if request.trainer_id:
        await _check_trainer(workspace, training, request.trainer_id)
    workspace.session.add(training)
    await workspace.session.flush()
    return Training(training)


async def get(workspace: Workspace, training_id: str) -> Training:
    """One training; raises NotFound."""
    row = await _row(workspace, training_id, right=Right.READ)
    return (await _described(workspace, [row]))[0]


async def numbered(workspace: Workspace, project_id: str, number: int) -> TrainingRow:
    """The training with this number; raises NotFound."""
    query = select(TrainingRow).where(
        TrainingRow.project_id == project_id, TrainingRow.number == number
    )
    training = (await workspace.session.scalars(query)).one_or_none()
    if training is None:
        raise NotFound(f"The project has no training {number}.")
    return training


async def list_newest_first(
    workspace: Workspace, project_id: str, *, limit: int, before: int | None = None
) -> Sequence[Training]:
    """Up to ``limit`` trainings of a project, those with a number below ``before``."""
    await projects.by_id(workspace, project_id)
    query = select(TrainingRow).where(TrainingRow.project_id == project_id)
    if before is not None:
        query = query.where(TrainingRow.number < before)
    rows = await workspace.session.scalars(query.order_by(TrainingRow.number.desc()).limit(limit))
    return await _described(workspace, rows.all())


async def epochs(
    workspace: Workspace, training_id: str, *, limit: int, after: int = 0
) -> Sequence[EpochRow]:
    """Up to ``limit`` epochs of a training with a number above ``after``; raises NotFound."""
    await _row(workspace, training_id, right=Right.READ)
    query = select(EpochRow).where(EpochRow.training_id == training_id, EpochRow.number > after)
    return (await workspace.session.scalars(query.order_by(EpochRow.number).limit(limit))).all()


async def log_of(workspace: Workspace, training_id: str) -> TrainingLogRow | None:
    """The end of a training's log, None where nothing was told of it; raises NotFound."""
    await _row(workspace, training_id, right=Right.READ)
    return await workspace.session.get(TrainingLogRow, training_id)


async def stop(workspace: Workspace, training_id: str) -> Training:
    """End a training early and keep its model; raises NotFound, and Conflict if it has ended.

    While its trainer is away nothing happens but that the wish is kept: it can be taken back, and
    the training can still be aborted.
    """
    training = await _not_ended(workspace, training_id)
    if training.state == TrainingState.QUEUED:
        training.state, training.ended = TrainingState.STOPPED, workspace.clock()
    elif training.wish is None:
        training.wish = Wish.STOP
    return (await _described(workspace, [training]))[0]


async def abort(workspace: Workspace, training_id: str) -> Training:
    """End a training and discard what it made; raises NotFound, and Conflict if it has ended.

    With its trainer away it ends at once, and so it does when it is asked for once more; the
    trainer is told when it comes back, or again.
    """
    training = await _not_ended(workspace, training_id)
    trainer = training.trainer_id
    is_there = trainer is not None and workspace.fleet.is_connected(trainer)
    if training.state == TrainingState.QUEUED or not is_there or training.wish == Wish.ABORT:
        training.state, training.ended = TrainingState.ABORTED, workspace.clock()
    else:
        training.wish = Wish.ABORT
    return (await _described(workspace, [training]))[0]


async def take_back(workspace: Workspace, training_id: str) -> Training:
    """Ask no more that a training stops or aborts; what its trainer was told, it may still do.

    Raises NotFound, and Conflict where nothing was asked or the training has ended.
    """
    training = await _not_ended(workspace, training_id)
    if training.wish is None:
        raise Conflict(f"Nobody asked training {training.number} to end: there is no wish.")
    training.wish = None
    return (await _described(workspace, [training]))[0]


async def order_for(workspace: Workspace, training: TrainingRow) -> TrainingOrder:
    """What the trainer is told to do."""
    project = await projects.by_id(workspace, training.project_id)
    return TrainingOrder(
        organization=project.organization,
        project=project.name,
        number=training.number,
        categories=project.categories,
        hyperparameters=training.hyperparameters,
        variant=training.variant,
        base_model_id=training.base_model_id,
    )


async def _described(workspace: Workspace, rows: Sequence[TrainingRow]) -> list[Training]:
    newest = await models.newest_with_files(workspace, [row.id for row in rows])
    running = [row for row in rows if row.state == TrainingState.RUNNING]
    lost = await _away(workspace, {row.trainer_id for row in running if row.trainer_id})
    return [
        Training(row, newest.get(row.id), is_lost=row in running and row.trainer_id in lost)
        for row in rows
    ]


async def _away(workspace: Workspace, trainer_ids: Collection[str]) -> set[str]:
    """Which of these trainers are not there."""
    rows = await workspace.session.scalars(select(NodeRow).where(NodeRow.id.in_(trainer_ids)))
    there = {node.id for node in rows.all() if nodes.is_online(workspace, node)}
    return set(trainer_ids) - there


async def _row(workspace: Workspace, training_id: str, *, right: Right) -> TrainingRow:
    row = await workspace.session.get(TrainingRow, training_id)
    unseen = f"There is no training {training_id}."
    return await projects.owned(workspace, row, right=right, unseen=unseen)


async def _not_ended(workspace: Workspace, training_id: str) -> TrainingRow:
    training = await _row(workspace, training_id, right=Right.TRAIN)
    if training.state not in (TrainingState.QUEUED, TrainingState.RUNNING):
        raise Conflict(f"Training {training.number} has ended already: it is {training.state}.")
    return training


async def _next_number(workspace: Workspace, project: Project) -> int:
    row = await workspace.session.get_one(ProjectRow, project.id, with_for_update=True)
    row.trainings_begun += 1
    return row.trainings_begun


async def _next_rank(workspace: Workspace) -> int:
    last: int | None = await workspace.session.scalar(select(func.max(TrainingRow.rank)))
    return (last or 0) + 1


async def _base_model(workspace: Workspace, project: Project, model_id: str | None) -> str | None:
    """The id of the model to start from; raises NotFound, Unprocessable."""
    if model_id == PROMOTED:
        row = await workspace.session.get_one(ProjectRow, project.id)
        return row.promoted_model_id
    if not model_id:
        return None
    model = await workspace.session.get(ModelRow, model_id)
    if model is None or model.project_id != project.id:
        raise NotFound(f"{project.address} has no model {model_id} to start from.")
    if model.version is None:
        raise Unprocessable(f"The model {model_id} has no files yet: start from another one.")
    if model.retired:
        raise Unprocessable(f"The model {model.version} is retired: start from another one.")
    return model_id


async def _check_trainer(workspace: Workspace, training: TrainingRow, trainer_id: str) -> None:
    node = await workspace.session.get(NodeRow, trainer_id)
    if node is None or node.kind != nodes.TRAINER:
        raise NotFound(f"No trainer {trainer_id} was ever connected: see the list of nodes.")
    need = (await offers.needs(workspace, [training]))[training.id]
    if missing := offers.lacks(node, need, is_chosen=True):
        raise Unprocessable(f"The trainer {node.name} does not offer {missing}: choose another.")
