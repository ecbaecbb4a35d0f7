"""Looks at values that are computed from others and kept, for lists; computes them anew."""

import contextlib
import math
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from edgeloop.errors import InputError
from edgeloop.loop.db.tables import (
    AnnotationsRow,
    DetectionsRow,
    ImageRow,
    ProjectRow,
    TrainingRow,
)
from edgeloop.loop.services import annotating
from edgeloop.loop.services.arrivals import time_of
from edgeloop.loop.services.audit.findings import Audit, Kind, Progress
from edgeloop.loop.services.detections import confidently_seen, highest_confidence
from edgeloop.loop.services.workspace import Workspaces
from edgeloop.protocol.payloads.annotations import read_annotations
from edgeloop.protocol.payloads.detections import read_detections
from edgeloop.types import Detections

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Stale:
    """A column of a row that should have another value."""

    row: Any
    column: str
    value: Any
    subject: str

    @property
    def is_so(self) -> bool:
        """Whether it has another value indeed."""
        found = getattr(self.row, self.column)
        if isinstance(found, float) and isinstance(self.value, float):
            return not math.isclose(found, self.value, abs_tol=1e-6)
        return bool(found != self.value)

    @property
    def detail(self) -> str:
        """What is wrong with it."""
        return f"{self.column} is {getattr(self.row, self.column)!r}, not {self.value!r}."


async def check_derived(workspaces: Workspaces, audit: Audit, on_progress: Progress) -> None:
    """Find all stale values."""
    async with workspaces.read() as workspace:
        async for stale in _stale(workspace.session, audit, on_progress):
            audit.add(Kind.DERIVED, stale.subject, stale.detail)


async def repair_derived(workspaces: Workspaces) -> None:
    """Compute all stale values anew."""
    async with workspaces.write() as workspace:
        async for stale in _stale(workspace.session, Audit(), lambda *_: None):
            setattr(stale.row, stale.column, stale.value)


async def _stale(
    session: AsyncSession, audit: Audit, on_progress: Progress
) -> AsyncIterator[Stale]:
    total = await session.scalar(select(func.count()).select_from(ImageRow)) or 0
    done = 0
    async for images in _pages(session):
        seen, annotated = await _seen(session, images), await _annotated(session, images)
        for image in images:
            audit.checked["detections"] += len(seen[image.id])
            with _readable(image, audit):
                for stale in _of_image(image, seen[image.id], annotated.get(image.id)):
                    if stale.is_so:
                        yield stale
        done += len(images)
        on_progress("lists", done, total)
    for project, newest in await _behind(session):
        subject = f"project {project.organization_id}/{project.name}"
        yield Stale(project, "trainings_begun", newest, subject)


async def _pages(session: AsyncSession) -> AsyncIterator[Sequence[ImageRow]]:
    last = ""
    while True:
        query = select(ImageRow).where(ImageRow.id > last).order_by(ImageRow.id).limit(_PAGE)
        page = (await session.scalars(query)).all()
        if page:
            last = page[-1].id
            yield page
        await session.flush()
        session.expunge_all()  # a million of them would fill the memory
        if len(page) < _PAGE:
            return


async def _seen(
    session: AsyncSession, images: Sequence[ImageRow]
) -> defaultdict[str, list[DetectionsRow]]:
    ids = [image.id for image in images]
    found: defaultdict[str, list[DetectionsRow]] = defaultdict(list)
    for row in await session.scalars(select(DetectionsRow).where(DetectionsRow.image_id.in_(ids))):
        found[row.image_id].append(row)
    return found


async def _annotated(
    session: AsyncSession, images: Sequence[ImageRow]
) -> dict[str, AnnotationsRow]:
    ids = [image.id for image in images]
    rows = await session.scalars(select(AnnotationsRow).where(AnnotationsRow.image_id.in_(ids)))
    return {row.image_id: row for row in rows}


def _of_image(
    image: ImageRow, seen: Sequence[DetectionsRow], annotated: AnnotationsRow | None
) -> Iterator[Stale]:
    found = [(row, read_detections(row.shapes)) for row in seen]
    for row, detections in found:
        yield from _of_detections(image, row, detections)
    subject = f"image {image.id}"
    yield Stale(image, "taken", time_of(image.created) or image.received, subject)
    annotations = read_annotations(annotated.shapes) if annotated else None
    categories = annotating.categories_of(annotations) if annotations else ()
    yield Stale(image, "annotated", categories, subject)
    newest = max((row.updated for row in seen), default=None)
    last: list[tuple[float | None, tuple[str, ...]]] = [
        (highest_confidence(detections), confidently_seen(detections))
        for row, detections in found
        if row.updated == newest
    ] or [(None, ())]
    if (image.confidence, image.detected) not in last:  # of one moment, any may have been the last
        yield Stale(image, "confidence", last[-1][0], subject)
        yield Stale(image, "detected", last[-1][1], subject)


def _of_detections(image: ImageRow, row: DetectionsRow, detections: Detections) -> Iterator[Stale]:
    subject = f"detections of {row.model_version} in image {image.id}"
    yield Stale(row, "max_confidence", highest_confidence(detections), subject)
    yield Stale(row, "categories", confidently_seen(detections), subject)
    yield Stale(row, "project_id", image.project_id, subject)
    yield Stale(row, "number", image.number, subject)


@contextlib.contextmanager
def _readable(image: ImageRow, audit: Audit) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        detail = f"Its annotations or detections cannot be read ({error})."
        audit.add(Kind.DATABASE, f"image {image.id}", detail)


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
