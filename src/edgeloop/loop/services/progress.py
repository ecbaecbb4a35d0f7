"""What trainers tell: their status, a better model, an epoch. Trainings follow from it."""

import logging
import math
from datetime import timedelta

from sqlalchemy import select

from edgeloop.errors import NotFound
from edgeloop.loop.db.tables import EpochRow, ModelRow, TrainingLogRow, TrainingRow
from edgeloop.loop.services import access, dismissals, models, nodes, projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.endings import put_back
from edgeloop.loop.services.presence import Report
from edgeloop.loop.services.trainings import TrainingState, numbered
from edgeloop.loop.services.workspace import Workspace
from edgeloop.protocol.payloads.nodes import trainer_status_to_json
from edgeloop.protocol.payloads.trainings import (
    MAX_LOG_CHARS,
    EpochReportPayload,
    LogReportPayload,
    TrainingProgressPayload,
)
from edgeloop.types import TrainerState, TrainerStatus

log = logging.getLogger(__name__)

FREE_STATES = frozenset({TrainerState.IDLE, "blocked"})
BEGIN_WITHIN = timedelta(seconds=60)
STALE_IDLE = timedelta(seconds=15)


async def heard_from_trainer(workspace: Workspace, status: TrainerStatus) -> TrainingRow | None:
    """Remember a trainer's report; its training follows it and is returned.

    A trainer that is free again has let its training go; one that is busy with a training which
    the loop had given up has it back. Raises Forbidden where the caller may train nothing, or not
    what the trainer has, and Conflict for the id of another node.
    """
    access.check_somewhere(workspace.caller, Right.TRAIN)
    project_id = await _project_of(workspace, status)
    said = trainer_status_to_json(status)
    await nodes.remember(workspace, Report(status.id, nodes.TRAINER, status.name, project_id, said))
    await dismissals.heard_from_trainer(workspace, status)
    training = await running_training(workspace, status.id)
    if training is not None:
        unseen = f"The trainer {status.id} is somebody else's: start this one under another name."
        await projects.owned(workspace, training, right=Right.TRAIN, unseen=unseen)
    if status.state not in FREE_STATES and training is None and project_id:
        training = await _taken_up_again(workspace, status.id, project_id)
    if training is None:
        return None
    busy_elsewhere = bool(status.project) and project_id != training.project_id
    if status.state in FREE_STATES or busy_elsewhere:
        _let_go(workspace, training)
    else:
        _follow(training, status)
    return training


async def heard_progress(
    workspace: Workspace, organization: str, project: str, progress: TrainingProgressPayload
) -> ModelRow:
    """Keep what a trainer says of its newest best model: one row, a new one once that has files.

    While the trainer uploads, the row stays the same. Raises NotFound where the trainer has no
    training in the project.
    """
    training = await _training_in(workspace, organization, project, progress.trainer_id)
    model = await models.newest_of_training(workspace, training.id)
    is_uploading = training.trainer_state == TrainerState.TRAIN_MODEL_UPLOADING
    if model is None or (model.version is not None and not is_uploading):
        model = await models.add(workspace, training)
    training.trainer_name = progress.trainer_name or training.trainer_name
    training.train_images = progress.train_image_count
    training.test_images = progress.test_image_count
    model.counts = {id_: counts.model_dump() for id_, counts in progress.confusion_matrix.items()}
    model.best_epoch = progress.best_epoch
    model.train_images = progress.train_image_count
    model.test_images = progress.test_image_count
    return model


async def heard_epoch(
    workspace: Workspace, organization: str, project: str, report: EpochReportPayload
) -> None:
    """Keep the figures of an epoch; a repeat replaces them. Raises NotFound."""
    found = await projects.by_names(workspace, organization, name=project, right=Right.TRAIN)
    training = await numbered(workspace, found.id, report.training_number)
    epoch = report.epoch
    figures = {name: value for name, value in epoch.metrics.items() if math.isfinite(value)}
    await workspace.session.merge(
        EpochRow(
            training_id=training.id,
            number=epoch.number,
            of=epoch.of,
            metrics=figures,
            received=workspace.clock(),
        )
    )


async def heard_log(
    workspace: Workspace, organization: str, project: str, report: LogReportPayload
) -> None:
    """Keep the end of a training's log; it replaces what was kept before. Raises NotFound."""
    found = await projects.by_names(workspace, organization, name=project, right=Right.TRAIN)
    training = await numbered(workspace, found.id, report.training_number)
    await workspace.session.merge(
        TrainingLogRow(
            training_id=training.id,
            text=report.text[-MAX_LOG_CHARS:].replace("\0", ""),
            received=workspace.clock(),
        )
    )


async def running_training(workspace: Workspace, trainer_id: str) -> TrainingRow | None:
    """The training that a trainer has now."""
    query = select(TrainingRow).where(
        TrainingRow.trainer_id == trainer_id, TrainingRow.state == TrainingState.RUNNING
    )
    return (await workspace.session.scalars(query)).first()


async def newest_training(
    workspace: Workspace, trainer_id: str, project_id: str
) -> TrainingRow | None:
    """The last training of a project that a trainer was given."""
    query = select(TrainingRow).where(
        TrainingRow.trainer_id == trainer_id, TrainingRow.project_id == project_id
    )
    return (await workspace.session.scalars(query.order_by(TrainingRow.number.desc()))).first()


def _let_go(workspace: Workspace, training: TrainingRow) -> None:
    age = workspace.clock() - (training.started or training.created)
    if training.trainer_state is None:
        if age >= BEGIN_WITHIN:
            log.warning("Training %s was never begun: it waits again.", training.id)
            put_back(workspace, training, reason="The trainer did not begin it.")
    elif training.trainer_state != TrainerState.INITIALIZED or age >= STALE_IDLE:
        training.trainer_state = TrainerState.IDLE
        training.progress = None


def _follow(training: TrainingRow, status: TrainerStatus) -> None:
    training.trainer_state = str(status.state)
    training.trainer_name = status.name
    training.progress = status.progress
    training.skipped_images = status.skipped_images or training.skipped_images
    training.errors = dict(status.errors)  # those of its last report are kept


async def _taken_up_again(
    workspace: Workspace, trainer_id: str, project_id: str
) -> TrainingRow | None:
    training = await newest_training(workspace, trainer_id, project_id)
    if training is None or training.state not in (TrainingState.FAILED, TrainingState.FINISHED):
        return None
    log.info("Trainer %s goes on with training %s.", trainer_id, training.id)
    training.state, training.ended = TrainingState.RUNNING, None
    return training


async def _training_in(
    workspace: Workspace, organization: str, project: str, trainer_id: str
) -> TrainingRow:
    found = await projects.by_names(workspace, organization, name=project, right=Right.TRAIN)
    training = await running_training(workspace, trainer_id)
    if training is None:
        training = await _taken_up_again(workspace, trainer_id, found.id)
    if training is None or training.project_id != found.id:
        raise NotFound(f"The trainer {trainer_id} has no training in {found.address}.")
    return training


async def _project_of(workspace: Workspace, status: TrainerStatus) -> str | None:
    if not status.organization or not status.project:
        return None
    try:
        found = await projects.by_names(
            workspace, status.organization, name=status.project, right=Right.TRAIN
        )
    except NotFound:
        return None  # it works for another loop
    return found.id
