"""Looks at the database alone: whole, of this version, its references and derived values right."""

import math
from collections.abc import AsyncIterator, Sequence

from sqlalchemy import func, select, tuple_
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncSession

from edgeloop.errors import ConfigError, InputError
from edgeloop.loop.db import integrity
from edgeloop.loop.db.session import newest_version
from edgeloop.loop.db.tables import DetectionsRow, ProjectRow, TrainingRow
from edgeloop.loop.services.audit.findings import Audit, Kind, Progress
from edgeloop.loop.services.workspace import Workspaces
from edgeloop.protocol.payloads.detections import read_detections

_PAGE = 1000


async def check_version(workspaces: Workspaces, audit: Audit) -> None:
    """The tables are those that this code works with; raises ConfigError where there are none."""
    try:
        found = await workspaces.database.version()
    except DatabaseError as error:
        raise ConfigError(
            f"The loop's database cannot be read ({error.orig}): restore it from a backup."
        ) from error
    if found != newest_version():
        audit.add(Kind.MIGRATION, "database", f"It has version {found}, not {newest_version()}.")


async def check_database(workspaces: Workspaces, audit: Audit, *, deep: bool) -> None:
    """Pages, indexes and references."""
    async with workspaces.read() as workspace:
        for problem in await integrity.problems(workspace.session, deep=deep):
            audit.add(Kind.DATABASE, "database", problem)
        for broken in await integrity.broken_references(workspace.session):
            detail = f"Its {broken.parent} row is gone."
            audit.add(Kind.REFERENCE, f"{broken.table} row {broken.rowid}", detail)


async def check_derived(workspaces: Workspaces, audit: Audit, on_progress: Progress) -> None:
    """Values that are kept beside those that they are computed from."""
    async with workspaces.read() as workspace:
        session = workspace.session
        total = await session.scalar(select(func.count()).select_from(DetectionsRow)) or 0
        async for row in _detections(session):
            audit.checked["detections"] += 1
            on_progress("detections", audit.checked["detections"], total)
            _check_confidence(row, audit)
        for project, newest in await _behind(session):
            detail = f"It says {project.trainings_begun} trainings, but there is number {newest}."
            audit.add(Kind.DERIVED, f"project {project.organization_id}/{project.name}", detail)


async def repair_derived(workspaces: Workspaces) -> None:
    """Compute them anew."""
    async with workspaces.write() as workspace:
        async for row in _detections(workspace.session):
            found = Audit()
            _check_confidence(row, found)
            if found.of(Kind.DERIVED):
                row.max_confidence = _highest(row)
                await workspace.session.flush()
        for project, newest in await _behind(workspace.session):
            project.trainings_begun = newest


async def _detections(session: AsyncSession) -> AsyncIterator[DetectionsRow]:
    key = tuple_(DetectionsRow.image_id, DetectionsRow.model_version)
    last = ("", "")
    while True:
        query = select(DetectionsRow).where(key > last).order_by(*key).limit(_PAGE)
        page = (await session.scalars(query)).all()
        for row in page:
            yield row
        if len(page) < _PAGE:
            return
        last = (page[-1].image_id, page[-1].model_version)
        session.expunge_all()  # a million of them would fill the memory


def _check_confidence(row: DetectionsRow, audit: Audit) -> None:
    subject = f"detections of {row.model_version} in image {row.image_id}"
    try:
        highest = _highest(row)
    except InputError as error:
        audit.add(Kind.DATABASE, subject, f"They cannot be read ({error}).")
        return
    if not math.isclose(row.max_confidence, highest, abs_tol=1e-6):
        detail = f"Their highest confidence is {highest:g}, not {row.max_confidence:g}."
        audit.add(Kind.DERIVED, subject, detail)


def _highest(row: DetectionsRow) -> float:
    return max(read_detections(row.shapes).confidences, default=0.0)


async def _behind(session: AsyncSession) -> Sequence[tuple[ProjectRow, int]]:
    """Projects that would give the number of a training a second time, and the newest number."""
    newest = (
        select(TrainingRow.project_id, func.max(TrainingRow.number).label("number"))
        .group_by(TrainingRow.project_id)
        .subquery()
    )
    query = (
        select(ProjectRow, newest.c.number)
        .join(newest, newest.c.project_id == ProjectRow.id)
        .where(ProjectRow.trainings_begun < newest.c.number)
    )
    return [(project, number) for project, number in await session.execute(query)]
