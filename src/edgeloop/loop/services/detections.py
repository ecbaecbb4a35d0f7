"""What models saw: one row per image and model, replaced whole."""

import json
import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Text, cast, delete, insert, select, update

from edgeloop.loop.db.expressions import Tested
from edgeloop.loop.db.tables import DetectionsRow, ImageRow
from edgeloop.loop.services import attribution
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.shapes import Canvas
from edgeloop.loop.services.workspace import Workspace
from edgeloop.protocol.payloads.detections import detections_to_json, read_detections
from edgeloop.types import AnyDetection, Detections

log = logging.getLogger(__name__)
SURE_FROM = 0.25
"""From this confidence on something counts as detected where images are looked for by category.

Models report from far less, for their evaluation.
"""


NOTHING_SEEN = json.dumps(detections_to_json(Detections()))


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was seen in an image; ``model_version`` says by whom where nothing was seen."""

    image_id: str
    detections: Detections
    model_version: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """An image that something was seen in."""

    image_id: str
    project_id: str
    number: int
    canvas: Canvas


@dataclass(frozen=True, slots=True)
class Seen:
    """All that one model saw in one image, prepared to be stored."""

    target: Target
    model_version: str
    detections: Detections

    @property
    def confidence(self) -> float:
        """The highest, 0 where nothing was seen."""
        return highest_confidence(self.detections)

    @property
    def categories(self) -> tuple[str, ...]:
        """The ids of the categories that were seen for sure."""
        return confidently_seen(self.detections)


async def replace_all(workspace: Workspace, project: Project, sightings: Sequence[Sighting]) -> int:
    """Replace what the models of these sightings saw in their images; says in how many images.

    Sightings of one image and model count together. Images that are not in the project are left
    out: they may be gone since the trainer got their ids.
    """
    targets = await _targets(workspace, project, {sighting.image_id for sighting in sightings})
    found: dict[tuple[str, str], list[Detections]] = defaultdict(list)
    for sighting in await _attributed(workspace, project, sightings):
        for version, detections in by_model(sighting.detections, empty=sighting.model_version):
            found[sighting.image_id, version].append(detections)
    seen = [
        Seen(
            targets[image_id],
            version,
            prepared(_joined(parts), project=project, canvas=targets[image_id].canvas),
        )
        for (image_id, version), parts in found.items()
        if image_id in targets
    ]
    await _replace(workspace, seen)
    unknown = {sighting.image_id for sighting in sightings} - set(targets)
    if unknown:
        log.info("%d images are not in %s: no detections stored", len(unknown), project.address)
    return len(targets)


async def add(workspace: Workspace, seen: Sequence[Seen]) -> None:
    """Keep what models saw in images that they had not looked at; the images' rows know it."""
    if not seen:
        return
    now = workspace.clock()
    rows = [
        {
            "image_id": item.target.image_id,
            "model_version": item.model_version,
            "project_id": item.target.project_id,
            "number": item.target.number,
            "categories": item.categories,
            "shapes": detections_to_json(item.detections),
            "max_confidence": item.confidence,
            "updated": now,
        }
        for item in seen
    ]
    await workspace.session.execute(insert(DetectionsRow), rows)


async def of_image(workspace: Workspace, image_id: str) -> Mapping[str, Detections]:
    """What each model saw in an image, by model version."""
    query = (
        select(DetectionsRow)
        .where(DetectionsRow.image_id == image_id)
        .order_by(DetectionsRow.model_version)
    )
    rows = await workspace.session.scalars(query)
    return {row.model_version: read_detections(row.shapes) for row in rows}


async def json_of_model(
    workspace: Workspace, model_version: str, *, image_ids: Collection[str]
) -> Mapping[str, str]:
    """What one model saw, as the wire's JSON by image id."""
    if not model_version:
        return {}
    query = select(DetectionsRow.image_id, cast(DetectionsRow.shapes, Text)).where(
        DetectionsRow.model_version == model_version, DetectionsRow.image_id.in_(image_ids)
    )
    return dict((await workspace.session.execute(query)).all())


def highest_confidence(detections: Detections) -> float:
    """The highest of all, 0 where nothing was seen."""
    return max(detections.confidences, default=0.0)


def confidently_seen(detections: Detections) -> tuple[str, ...]:
    """The ids of the categories that were seen for sure."""
    sure = detections.above(SURE_FROM)
    return tuple(sorted({found.category_id for found in sure if found.category_id}))


def prepared(detections: Detections, *, project: Project, canvas: Canvas) -> Detections:
    """Cut to the image; category ids that were not sent looked up by name, unknown names kept."""
    known = project.ids_by_name

    def named(items: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(
            item
            if item.category_id
            else replace(item, category_id=known.get(item.category_name, ""))
            for item in items
        )

    within = canvas.cut_detections(detections)
    return Detections(
        boxes=named(within.boxes),
        points=named(within.points),
        segmentations=named(within.segmentations),
        classifications=named(within.classifications),
    )


def by_model(detections: Detections, *, empty: str = "") -> Sequence[tuple[str, Detections]]:
    """The detections of each model version; ``empty`` names who saw nothing, if known."""
    versions = dict.fromkeys(detection.model_name for detection in detections)
    if not versions and empty:
        return [(empty, detections)]
    return [(version, _of_version(detections, version)) for version in versions]


def _of_version(detections: Detections, version: str) -> Detections:
    def own(items: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(item for item in items if item.model_name == version)

    return Detections(
        boxes=own(detections.boxes),
        points=own(detections.points),
        segmentations=own(detections.segmentations),
        classifications=own(detections.classifications),
    )


async def _attributed(
    workspace: Workspace, project: Project, sightings: Sequence[Sighting]
) -> Sequence[Sighting]:
    """Published trainers name no model where it saw nothing: it is that of the other images.

    Where it saw nothing in any, it is the model that a running training lets detect.
    """
    everything: list[AnyDetection] = [d for sighting in sightings for d in sighting.detections]
    versions = {detection.model_name for detection in everything}
    only = versions.pop() if len(versions) == 1 else ""
    if not only and not all(sighting.model_version for sighting in sightings):
        only = await attribution.version_at_work(workspace, project)
    return [
        replace(sighting, model_version=sighting.model_version or only) for sighting in sightings
    ]


def _joined(parts: Sequence[Detections]) -> Detections:
    return Detections(
        boxes=tuple(box for part in parts for box in part.boxes),
        points=tuple(point for part in parts for point in part.points),
        segmentations=tuple(item for part in parts for item in part.segmentations),
        classifications=tuple(item for part in parts for item in part.classifications),
    )


async def _replace(workspace: Workspace, seen: Sequence[Seen]) -> None:
    if not seen:
        return
    ids_by_version: dict[str, list[str]] = defaultdict(list)
    for item in seen:
        ids_by_version[item.model_version].append(item.target.image_id)
    for version, image_ids in ids_by_version.items():
        await workspace.session.execute(
            delete(DetectionsRow).where(
                DetectionsRow.image_id.in_(image_ids), DetectionsRow.model_version == version
            )
        )
    await add(workspace, seen)
    newest = {item.target.image_id: item for item in seen}
    columns = [
        {"id": image_id, "confidence": item.confidence, "detected": item.categories}
        for image_id, item in newest.items()
    ]
    await workspace.session.execute(update(ImageRow), columns)


async def _targets(
    workspace: Workspace, project: Project, image_ids: Collection[str]
) -> Mapping[str, Target]:
    query = select(ImageRow.id, ImageRow.number, ImageRow.width, ImageRow.height).where(
        Tested(ImageRow.project_id) == project.id, ImageRow.id.in_(image_ids)
    )
    return {
        image_id: Target(image_id, project.id, number, Canvas(width, height))
        for image_id, number, width, height in await workspace.session.execute(query)
    }
