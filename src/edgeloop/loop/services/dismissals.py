"""Trainers whose project was deleted: they are told to abort, now or when they are back."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select

from edgeloop.loop.db.tables import DismissalRow, NodeRow, TrainingRow
from edgeloop.loop.services import nodes
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.trainings import TrainingState
from edgeloop.loop.services.workspace import Workspace
from edgeloop.types import TrainerState, TrainerStatus

_STALE_IDLE = timedelta(seconds=15)
"""A trainer that was given a training may still have said before that it is idle."""


async def dismiss(workspace: Workspace, project: Project) -> None:
    """All trainers that work for this project shall abort."""
    given = select(TrainingRow.trainer_id).where(
        TrainingRow.project_id == project.id, TrainingRow.state == TrainingState.RUNNING
    )
    busy = select(NodeRow.id).where(NodeRow.project_id == project.id, NodeRow.kind == nodes.TRAINER)
    session = workspace.session
    found = {*(await session.scalars(given)), *(await session.scalars(busy))} - {None}
    for trainer_id in found:
        row = DismissalRow(
            trainer_id=trainer_id,
            organization=project.organization,
            project=project.name,
            created=workspace.clock(),
        )
        await session.merge(row)


async def due(workspace: Workspace) -> Sequence[str]:
    """The ids of the trainers that still work for a project that was deleted."""
    running = select(TrainingRow.trainer_id).where(TrainingRow.state == TrainingState.RUNNING)
    query = select(DismissalRow, NodeRow).join(NodeRow, NodeRow.id == DismissalRow.trainer_id)
    rows = (await workspace.session.execute(query)).all()
    taken = set(await workspace.session.scalars(running)) if rows else set()
    return [node.id for row, node in rows if node.id not in taken and _works_for(row, node.status)]


async def heard_from_trainer(workspace: Workspace, status: TrainerStatus) -> None:
    """Forget the dismissals of a trainer that does not work for those projects any more."""
    query = select(DismissalRow).where(DismissalRow.trainer_id == status.id)
    for row in (await workspace.session.scalars(query)).all():
        elsewhere = bool(status.project) and (status.organization, status.project) != (
            row.organization,
            row.project,
        )
        is_idle = status.state == TrainerState.IDLE
        if elsewhere or (is_idle and workspace.clock() - row.created >= _STALE_IDLE):
            await workspace.session.delete(row)


def _works_for(row: DismissalRow, status: dict[str, object]) -> bool:
    return status.get("state") not in (TrainerState.IDLE, "blocked") and status.get("context") == {
        "organization": row.organization,
        "project": row.project,
    }
