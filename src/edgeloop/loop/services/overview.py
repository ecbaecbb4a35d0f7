"""What people see at a glance: projects in figures, what a model saw, an image's neighbours."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import func, select

from edgeloop.loop.db.tables import DeploymentRow, DetectionsRow, ModelRow, TrainingRow
from edgeloop.loop.services import listing, projects
from edgeloop.loop.services.filters import ImageFilter
from edgeloop.loop.services.images import Image
from edgeloop.loop.services.listing import NEWEST_FIRST, OLDEST_FIRST, Slice
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.trainings import TrainingState
from edgeloop.loop.services.workspace import Workspace
from edgeloop.protocol.payloads.detections import read_detections
from edgeloop.types import Detections, ImageState

_COVER_STATES: tuple[ImageState, ...] = ("complete", "review", "annotate", "inbox")
_LIVE = (TrainingState.QUEUED, TrainingState.RUNNING)


@dataclass(frozen=True, slots=True)
class Summary:
    """A project in figures; ``covers`` are some of its newest images, ``deployed`` the version of
    its target, None before there is one."""

    project: Project
    images: Mapping[ImageState, int]
    models: int
    live_trainings: int
    deployed: str | None
    covers: tuple[Image, ...]


@dataclass(frozen=True, slots=True)
class Sight:
    """What a model saw in an image."""

    model_version: str
    detections: Detections


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The ids of the images beside one, None at the ends."""

    previous: str | None
    next: str | None


async def summaries(workspace: Workspace, *, covers: int = 4) -> Sequence[Summary]:
    """All projects by organization and name, each with up to ``covers`` images."""
    found = await projects.find(workspace)
    ids = [project.id for project in found]
    counts = await projects.image_counts(workspace, ids)
    models = await _model_counts(workspace, ids)
    live = await _live_trainings(workspace, ids)
    deployed = await _deployed_versions(workspace, ids)
    return [
        Summary(
            project,
            images=counts[project.id],
            models=models.get(project.id, 0),
            live_trainings=live.get(project.id, 0),
            deployed=deployed.get(project.id),
            covers=await _covers(workspace, project, counts[project.id], limit=covers),
        )
        for project in found
    ]


async def newest_sights(workspace: Workspace, image_ids: Collection[str]) -> Mapping[str, Sight]:
    """What was last seen in each of these images, by image id."""
    query = (
        select(DetectionsRow)
        .where(DetectionsRow.image_id.in_(image_ids))
        .order_by(DetectionsRow.updated, DetectionsRow.model_version)
    )
    rows = await workspace.session.scalars(query)
    return {row.image_id: Sight(row.model_version, read_detections(row.shapes)) for row in rows}


async def neighbours(
    workspace: Workspace, project: Project, *, image: Image, which: ImageFilter
) -> Neighbours:
    """The images before and after this one among those that are meant."""
    before = await _beside(workspace, project, image, Slice(which, NEWEST_FIRST, limit=1))
    after = await _beside(workspace, project, image, Slice(which, OLDEST_FIRST, limit=1))
    return Neighbours(before[0].id if before else None, after[0].id if after else None)


async def previous_cursor(
    workspace: Workspace, project: Project, *, first: Image, which: ImageFilter, limit: int
) -> str | None:
    """The cursor of the page of ``limit`` images before ``first``; None where that is the first."""
    wanted = Slice(which, NEWEST_FIRST, limit=limit + 1)
    before = await _beside(workspace, project, first, wanted)
    return listing.cursor_of(before[limit]) if len(before) > limit else None


async def _beside(
    workspace: Workspace, project: Project, image: Image, wanted: Slice
) -> Sequence[Image]:
    after = listing.cursor_of(image, wanted.order)
    return await listing.page(workspace, project, replace(wanted, after=after))


async def _covers(
    workspace: Workspace, project: Project, counts: Mapping[ImageState, int], *, limit: int
) -> tuple[Image, ...]:
    state = next((state for state in _COVER_STATES if counts[state]), None)
    if state is None:
        return ()
    wanted = Slice(ImageFilter(state), NEWEST_FIRST, limit=limit)
    newest = await listing.page(workspace, project, wanted)
    return tuple(reversed(newest))


async def _model_counts(workspace: Workspace, project_ids: Collection[str]) -> Mapping[str, int]:
    query = (
        select(ModelRow.project_id, func.count())
        .where(ModelRow.project_id.in_(project_ids), ModelRow.version.is_not(None))
        .group_by(ModelRow.project_id)
    )
    return dict((await workspace.session.execute(query)).all())


async def _live_trainings(workspace: Workspace, project_ids: Collection[str]) -> Mapping[str, int]:
    query = (
        select(TrainingRow.project_id, func.count())
        .where(TrainingRow.project_id.in_(project_ids), TrainingRow.state.in_(_LIVE))
        .group_by(TrainingRow.project_id)
    )
    return dict((await workspace.session.execute(query)).all())


async def _deployed_versions(
    workspace: Workspace, project_ids: Collection[str]
) -> Mapping[str, str | None]:
    newest = (
        select(func.max(DeploymentRow.id))
        .where(DeploymentRow.project_id.in_(project_ids))
        .group_by(DeploymentRow.project_id)
    )
    query = (
        select(DeploymentRow.project_id, ModelRow.version)
        .join(ModelRow, DeploymentRow.model_id == ModelRow.id)
        .where(DeploymentRow.id.in_(newest))
    )
    return dict((await workspace.session.execute(query)).all())
