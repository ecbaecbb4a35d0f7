"""What models saw: one row per image and model, replaced whole."""

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import delete, select

from edgeloop.loop.db.tables import DetectionsRow, ImageRow
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.shapes import Canvas
from edgeloop.loop.services.workspace import Workspace
from edgeloop.protocol.payloads.detections import detections_to_json, read_detections
from edgeloop.types import AnyDetection, Detections

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was seen in an image; ``model_version`` says by whom where nothing was seen."""

    image_id: str
    detections: Detections
    model_version: str = ""


async def replace_all(workspace: Workspace, project: Project, sightings: Sequence[Sighting]) -> int:
    """Replace what the models of these sightings saw in their images; says in how many images.

    Sightings of one image and model count together. Images that are not in the project are left
    out: they may be gone since the trainer got their ids.
    """
    sizes = await _sizes(workspace, project, {sighting.image_id for sighting in sightings})
    found: dict[tuple[str, str], list[Detections]] = defaultdict(list)
    for sighting in _attributed(sightings):
        for version, detections in by_model(sighting.detections, empty=sighting.model_version):
            found[sighting.image_id, version].append(detections)
    for (image_id, version), parts in found.items():
        if image_id in sizes:
            detections = prepared(_joined(parts), project=project, canvas=sizes[image_id])
            await store(workspace, image_id, model_version=version, detections=detections)
    unknown = {sighting.image_id for sighting in sightings} - set(sizes)
    if unknown:
        log.info("%d images are not in %s: no detections stored", len(unknown), project.address)
    return len(sizes)


async def store(
    workspace: Workspace, image_id: str, *, model_version: str, detections: Detections
) -> None:
    """Keep these as all that the model saw in the image."""
    await workspace.session.execute(
        delete(DetectionsRow).where(
            DetectionsRow.image_id == image_id, DetectionsRow.model_version == model_version
        )
    )
    workspace.session.add(
        DetectionsRow(
            image_id=image_id,
            model_version=model_version,
            shapes=detections_to_json(detections),
            max_confidence=max(detections.confidences, default=0.0),
            updated=workspace.clock(),
        )
    )


async def of_image(workspace: Workspace, image_id: str) -> Mapping[str, Detections]:
    """What each model saw in an image, by model version."""
    query = (
        select(DetectionsRow)
        .where(DetectionsRow.image_id == image_id)
        .order_by(DetectionsRow.model_version)
    )
    rows = await workspace.session.scalars(query)
    return {row.model_version: read_detections(row.shapes) for row in rows}


async def of_model(
    workspace: Workspace, model_version: str, *, image_ids: Collection[str]
) -> Mapping[str, Detections]:
    """What one model saw, by image id."""
    query = select(DetectionsRow).where(
        DetectionsRow.model_version == model_version, DetectionsRow.image_id.in_(image_ids)
    )
    rows = await workspace.session.scalars(query)
    return {row.image_id: read_detections(row.shapes) for row in rows}


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


def _attributed(sightings: Sequence[Sighting]) -> Sequence[Sighting]:
    """Published trainers name no model where it saw nothing: it is that of the other images."""
    everything: list[AnyDetection] = [d for sighting in sightings for d in sighting.detections]
    versions = {detection.model_name for detection in everything}
    only = versions.pop() if len(versions) == 1 else ""
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


async def _sizes(
    workspace: Workspace, project: Project, image_ids: Collection[str]
) -> Mapping[str, Canvas]:
    query = select(ImageRow.id, ImageRow.width, ImageRow.height).where(
        ImageRow.project_id == project.id, ImageRow.id.in_(image_ids)
    )
    rows = await workspace.session.execute(query)
    return {image_id: Canvas(width, height) for image_id, width, height in rows}
