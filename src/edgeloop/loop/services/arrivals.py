"""Arrivals become images of a project: their rows, and those of what came with them."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select

from edgeloop.loop.db.tables import DeletedFrameRow, ImageRow
from edgeloop.loop.services import access, annotating, detections, splits
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.detections import Seen, Target
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.shapes import Canvas
from edgeloop.loop.services.workspace import Workspace
from edgeloop.types import Annotations, ImageMetadata

_DEVICE_STATES = ("inbox", "trash")


@dataclass(frozen=True, slots=True)
class Arrival:
    """An image that was found whole: what is known of it, and of its bytes.

    ``image_id`` is the id that it shall have, empty for a new one.
    """

    metadata: ImageMetadata
    content_hash: str
    size_bytes: int
    canvas: Canvas
    image_id: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an image was stored, now or by an earlier request (``repeated``)."""

    image_id: str
    frame_id: str
    repeated: bool


async def add(
    workspace: Workspace, project: Project, arrivals: Sequence[Arrival]
) -> tuple[Receipt, ...]:
    """Make arrivals images of the project; one whose frame is known is answered as stored.

    So is one whose image was deleted since.
    """
    known = await _known_frames(workspace, project, arrivals)
    newest = await workspace.session.scalar(select(func.max(ImageRow.number))) or 0
    receipts: list[Receipt] = []
    new: list[_NewImage] = []
    for arrival in arrivals:
        frame_id = arrival.metadata.frame_id
        repeated = frame_id in known
        if not repeated:
            known[frame_id] = arrival.image_id or str(uuid.uuid4())
            number = newest + len(new) + 1
            target = Target(known[frame_id], project.id, number, arrival.canvas)
            received = workspace.clock() + timedelta(microseconds=len(new))  # they keep their order
            new.append(_new_image(workspace, project, target, arrival, received))
        receipts.append(Receipt(known[frame_id], frame_id, repeated))
    await _insert(workspace, new)
    return tuple(receipts)


@dataclass(frozen=True, slots=True)
class _NewImage:
    row: dict[str, Any]
    seen: Sequence[Seen]
    annotations: Annotations | None


async def _known_frames(
    workspace: Workspace, project: Project, arrivals: Sequence[Arrival]
) -> dict[str, str]:
    frames = [arrival.metadata.frame_id for arrival in arrivals]
    known: dict[str, str] = {}
    for row, image_id in ((DeletedFrameRow, DeletedFrameRow.image_id), (ImageRow, ImageRow.id)):
        query = select(row.frame_id, image_id).where(
            row.project_id == project.id, row.frame_id.in_(frames)
        )
        known |= dict((await workspace.session.execute(query)).all())
    return known


def _new_image(
    workspace: Workspace, project: Project, target: Target, arrival: Arrival, received: datetime
) -> _NewImage:
    metadata = _allowed(workspace, project, arrival.metadata)
    seen = [
        Seen(target, version, detections.prepared(found, project=project, canvas=target.canvas))
        for version, found in detections.by_model(metadata.detections)
    ]
    annotations = None
    if metadata.annotations:
        known = annotating.of_categories(metadata.annotations, project=project)
        annotations = target.canvas.cut_annotations(known)
    row = {
        **_facts(target, arrival, received),
        "state": metadata.state or "inbox",
        "split": metadata.split
        or splits.assign(arrival.content_hash, has_val=project.has_val_split),
        "source": metadata.source,
        "camera_id": metadata.camera_id,
        "created": metadata.created or received.isoformat(),
        "taken": time_of(metadata.created) or received,
        "tags": tuple(dict.fromkeys(sorted(tag for tag in metadata.tags if tag))),
        "annotated": annotating.categories_of(annotations) if annotations else (),
        "detected": seen[-1].categories if seen else (),
        "confidence": seen[-1].confidence if seen else None,
    }
    return _NewImage(row, seen, annotations)


def _facts(target: Target, arrival: Arrival, received: datetime) -> dict[str, Any]:
    return {
        "id": target.image_id,
        "project_id": target.project_id,
        "number": target.number,
        "frame_id": arrival.metadata.frame_id,
        "content_hash": arrival.content_hash,
        "size_bytes": arrival.size_bytes,
        "width": target.canvas.width,
        "height": target.canvas.height,
        "received": received,
    }


async def _insert(workspace: Workspace, new: Sequence[_NewImage]) -> None:
    if not new:
        return
    await workspace.session.execute(insert(ImageRow), [image.row for image in new])
    await detections.add(workspace, [seen for image in new for seen in image.seen])
    annotated = {
        image.row["id"]: image.annotations for image in new if image.annotations is not None
    }
    await annotating.add(workspace, annotated)


def time_of(created: str | None) -> datetime | None:
    """What a sender gave as time, in UTC (and taken for that without a zone); None for no time."""
    try:
        time = datetime.fromisoformat(created or "")
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _allowed(workspace: Workspace, project: Project, metadata: ImageMetadata) -> ImageMetadata:
    """What devices may not say is left out: the image itself is welcome."""
    if access.may(workspace.caller, Right.ANNOTATE, address=project.address):
        return metadata
    state = metadata.state if metadata.state in _DEVICE_STATES else None
    return replace(metadata, state=state, annotations=None, split=None)
