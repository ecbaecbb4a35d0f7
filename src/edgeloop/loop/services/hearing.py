"""What nodes report: news is written down at once, that they are still there now and then."""

import contextlib

from sqlalchemy import bindparam, update

from edgeloop.errors import EdgeloopError
from edgeloop.loop.db.columns import Base
from edgeloop.loop.db.tables import DismissalRow, NodeRow, TrainingRow
from edgeloop.loop.services import access, nodes, progress
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.presence import Report
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.workspace import Caller, Workspaces
from edgeloop.protocol.payloads.nodes import (
    annotator_status_to_json,
    detector_status_to_json,
    trainer_status_to_json,
)
from edgeloop.types import AnnotatorStatus, DetectorStatus, TrainerStatus


async def hear_detector(
    workspaces: Workspaces, caller: Caller, project: Project, status: DetectorStatus
) -> None:
    """A detector of the project reports; raises Conflict for the id of another node.

    Raises RateLimited where strangers say new things too often; what they repeat is not counted.
    """
    said = detector_status_to_json(status)
    await _hear(
        workspaces, caller, Report(status.id, nodes.DETECTOR, status.name, project.id, said)
    )


async def hear_annotator(workspaces: Workspaces, caller: Caller, status: AnnotatorStatus) -> None:
    """An annotator reports; raises Conflict for the id of another node.

    Raises Forbidden where the caller may annotate nothing.
    """
    access.check_somewhere(caller, Right.ANNOTATE)
    said = annotator_status_to_json(status)
    await _hear(workspaces, caller, Report(status.id, nodes.ANNOTATOR, status.name, None, said))


async def hear_trainer(workspaces: Workspaces, caller: Caller, status: TrainerStatus) -> bool:
    """A trainer reports; whether it says something new. Raises as ``heard_from_trainer`` does."""
    access.check_somewhere(caller, Right.TRAIN)
    said = trainer_status_to_json(status)
    report = Report(status.id, nodes.TRAINER, status.name, None, said)
    recent, version = workspaces.recent.nodes, workspaces.database.memory.version
    is_idle = status.state in progress.FREE_STATES and not status.project
    if is_idle and not recent.is_news(report, basis=version((TrainingRow, DismissalRow))):
        await _repeat(workspaces, report)
        return False
    recent.forget(status.id)
    async with workspaces.write(caller) as workspace:
        basis = version((TrainingRow, DismissalRow))
        training = await progress.heard_from_trainer(workspace, status)
    if is_idle and training is None:
        recent.keep(report, now=workspaces.clock(), basis=basis)
    return True


async def _hear(workspaces: Workspaces, caller: Caller, report: Report) -> None:
    recent = workspaces.recent.nodes
    if not recent.is_news(report):
        await _repeat(workspaces, report)
        return
    if caller.is_stranger:
        workspaces.news.take(caller.peer, now=workspaces.clock())
    recent.forget(report.id)
    async with workspaces.write(caller) as workspace:
        await nodes.remember(workspace, report)
    recent.keep(report, now=workspaces.clock())


async def _repeat(workspaces: Workspaces, report: Report) -> None:
    if workspaces.recent.nodes.repeat(report, now=workspaces.clock()):
        await write_down(workspaces)


async def write_down(workspaces: Workspaces) -> None:
    """Let the rows of all nodes say when they were heard from last."""
    table = Base.metadata.tables[NodeRow.__tablename__]
    statement = (
        update(table)
        .where(table.c.id == bindparam("node"))
        .values(last_seen=bindparam("at"), status=bindparam("said"))
    )
    with contextlib.suppress(EdgeloopError):  # nodes go on when the disk is full
        async with workspaces.write() as workspace:
            heard = workspaces.recent.nodes.take()
            rows = [{"node": h.report.id, "at": h.at, "said": dict(h.report.status)} for h in heard]
            if rows:
                await (await workspace.session.connection()).execute(statement, rows)
