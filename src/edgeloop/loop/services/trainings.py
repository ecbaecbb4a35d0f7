"""Trainings as people see them: begin, list, stop, abort."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import select

from edgeloop.errors import Conflict, NotFound, Unprocessable
from edgeloop.loop.db.tables import EpochRow, ModelRow, NodeRow, ProjectRow, TrainingRow
from edgeloop.loop.services import models, nodes, projects
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


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What a person wants trained; ``trainer_id`` None: by any trainer."""

    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    variant: str = ""
    base_model_id: str | None = None
    trainer_id: str | None = None


@dataclass(frozen=True, slots=True)
class Training:
    """A training and the id of its newest model with files, None before there is one."""

    row: TrainingRow
    model_id: str | None = None


async def begin(workspace: Workspace, project_id: str, request: TrainingRequest) -> Training:
    """Queue a training under the project's next number.

    Raises NotFound for an unknown project, base model or trainer, Unprocessable for a base model
    without files.
    """
    project = await projects.by_id(workspace, project_id, right=Right.TRAIN)
    if request.base_model_id:
        await _check_base_model(workspace, project, request.base_model_id)
    if request.trainer_id:
        await _check_trainer(workspace, request.trainer_id)
    training = TrainingRow(
        id=str(uuid.uuid4()),
        project_id=project.id,
        number=await _next_number(workspace, project),
        state=TrainingState.QUEUED,
        variant=request.variant,
        base_model_id=request.base_model_id or None,
        hyperparameters=dict(request.hyperparameters),
        wanted_trainer_id=request.trainer_id or None,
        trainer_name="",
        errors={},
        skipped_images=0,
        created=workspace.clock(),
    )
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


async def stop(workspace: Workspace, training_id: str) -> Training:
    """End a training early and keep its model; raises NotFound, and Conflict if it has ended."""
    training = await _not_ended(workspace, training_id)
    if training.state == TrainingState.QUEUED:
        training.state, training.ended = TrainingState.STOPPED, workspace.clock()
    elif training.wish is None:
        training.wish = Wish.STOP
    return (await _described(workspace, [training]))[0]


async def abort(workspace: Workspace, training_id: str) -> Training:
    """End a training and discard what it made; raises NotFound, and Conflict if it has ended.

    With its trainer away it ends at once; the trainer is told when it comes back.
    """
    training = await _not_ended(workspace, training_id)
    trainer = training.trainer_id
    if training.state == TrainingState.QUEUED or not (
        trainer and workspace.fleet.is_connected(trainer)
    ):
        training.state, training.ended = TrainingState.ABORTED, workspace.clock()
    else:
        training.wish = Wish.ABORT
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
    return [Training(row, newest.get(row.id)) for row in rows]


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


async def _check_base_model(workspace: Workspace, project: Project, model_id: str) -> None:
    model = await workspace.session.get(ModelRow, model_id)
    if model is None or model.project_id != project.id:
        raise NotFound(f"{project.address} has no model {model_id} to start from.")
    if model.version is None:
        raise Unprocessable(f"The model {model_id} has no files yet: start from another one.")


async def _check_trainer(workspace: Workspace, trainer_id: str) -> None:
    node = await workspace.session.get(NodeRow, trainer_id)
    if node is None or node.kind != nodes.TRAINER:
        raise NotFound(f"No trainer {trainer_id} was ever connected: see the list of nodes.")
