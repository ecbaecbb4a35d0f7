"""Images that arrive: checked, their bytes stored, then their rows, all or none of a request."""

import asyncio
import hashlib
import json
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from edgeloop import imaging
from edgeloop.errors import ImageError, InputError, Unprocessable
from edgeloop.loop.db.tables import ImageRow, ImageTagRow
from edgeloop.loop.services import access, annotating, detections, files, splits
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.shapes import Canvas
from edgeloop.loop.services.workspace import Caller, Workspace, Workspaces
from edgeloop.protocol.payloads.images import read_image_metadata
from edgeloop.types import ImageMetadata

log = logging.getLogger(__name__)

_DEVICE_STATES = ("inbox", "trash")


@dataclass(frozen=True, slots=True)
class Upload:
    """An image and its metadata (JSON) as they were sent; ``read`` gives the image's bytes."""

    name: str
    document: bytes
    read: Callable[[], Awaitable[bytes]]


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


async def receive(
    workspaces: Workspaces, caller: Caller, project: Project, *, pairs: Sequence[Upload]
) -> tuple[Receipt, ...]:
    """Store images, all or none: their bytes, then their rows.

    Raises Unprocessable or ImageError, naming the part, before anything was stored.
    """
    arrivals = await _all_checked(pairs, project)
    keys = [files.image_key(arrival.content_hash) for arrival in arrivals]
    async with files.in_doubt(workspaces, keys):
        for upload, key in zip(pairs, keys, strict=True):
            if not await workspaces.storage.exists(key):
                await workspaces.storage.put(key, await upload.read())
        async with workspaces.write(caller) as workspace:
            return await add(workspace, project, arrivals)


async def add(
    workspace: Workspace, project: Project, arrivals: Sequence[Arrival]
) -> tuple[Receipt, ...]:
    """Make arrivals images of the project; one whose frame is known is answered as stored."""
    known = await _known_frames(workspace, project, arrivals)
    receipts = []
    for number, arrival in enumerate(arrivals):
        frame_id = arrival.metadata.frame_id
        repeated = frame_id in known
        if not repeated:
            known[frame_id] = await _add(workspace, project, arrival, number=number)
        receipts.append(Receipt(known[frame_id], frame_id, repeated))
    return tuple(receipts)


async def _all_checked(pairs: Sequence[Upload], project: Project) -> tuple[Arrival, ...]:
    arrivals = []
    for upload in pairs:
        try:
            arrivals.append(await _checked(upload, project))
        except InputError as error:
            kind = ImageError if isinstance(error, ImageError) else Unprocessable
            raise kind(f"{upload.name}: {error}") from error
    return tuple(arrivals)


async def _checked(upload: Upload, project: Project) -> Arrival:
    metadata = read_image_metadata(_parsed(upload.document), project.ids_by_name)
    data = await upload.read()
    (width, height), content_hash = await asyncio.to_thread(_verified, data)
    if not metadata.frame_id:
        metadata = replace(metadata, frame_id=_derived_frame_id(content_hash, metadata))
    return Arrival(metadata, content_hash, len(data), Canvas(width, height))


def _verified(data: bytes) -> tuple[tuple[int, int], str]:
    return imaging.verify_jpeg(data), hashlib.sha256(data).hexdigest()


def _parsed(document: bytes) -> Any:
    try:
        value = json.loads(document.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Unprocessable(f"The metadata is no JSON ({error}).") from error
    # Half of a surrogate pair is legal in JSON, but no text that can be stored.
    text = json.dumps(value, ensure_ascii=False)
    whole = text.encode(errors="replace").decode()
    return value if whole == text else json.loads(whole)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _derived_frame_id(content_hash: str, metadata: ImageMetadata) -> str:
    """The same for the same image, however often a sender without frame ids repeats it."""
    origin = json.dumps([content_hash, metadata.created, metadata.source])
    return hashlib.sha256(origin.encode()).hexdigest()


async def _known_frames(
    workspace: Workspace, project: Project, arrivals: Sequence[Arrival]
) -> dict[str, str]:
    query = select(ImageRow.frame_id, ImageRow.id).where(
        ImageRow.project_id == project.id,
        ImageRow.frame_id.in_([arrival.metadata.frame_id for arrival in arrivals]),
    )
    return {row.frame_id: row.id for row in await workspace.session.execute(query)}


async def _add(workspace: Workspace, project: Project, arrival: Arrival, *, number: int) -> str:
    metadata = _allowed(workspace, project, arrival.metadata)
    received = workspace.clock() + timedelta(microseconds=number)  # images keep their order
    row = ImageRow(
        id=arrival.image_id or str(uuid.uuid4()),
        project_id=project.id,
        frame_id=metadata.frame_id,
        content_hash=arrival.content_hash,
        size_bytes=arrival.size_bytes,
        width=arrival.canvas.width,
        height=arrival.canvas.height,
        state=metadata.state or "inbox",
        split=metadata.split or splits.assign(arrival.content_hash, has_val=project.has_val_split),
        source=metadata.source,
        camera_id=metadata.camera_id,
        created=metadata.created or received.isoformat(),
        received=received,
    )
    workspace.session.add(row)
    await workspace.session.flush()
    tags = dict.fromkeys(tag for tag in metadata.tags if tag)
    workspace.session.add_all(ImageTagRow(image_id=row.id, name=tag) for tag in tags)
    await _add_shapes(workspace, project, row.id, arrival=replace(arrival, metadata=metadata))
    return row.id


async def _add_shapes(
    workspace: Workspace, project: Project, image_id: str, *, arrival: Arrival
) -> None:
    for version, found in detections.by_model(arrival.metadata.detections):
        whole = detections.prepared(found, project=project, canvas=arrival.canvas)
        await detections.store(workspace, image_id, model_version=version, detections=whole)
    if arrival.metadata.annotations:
        known = annotating.of_categories(arrival.metadata.annotations, project=project)
        annotations = arrival.canvas.cut_annotations(known)
        annotating.put(workspace, image_id, annotations=annotations, version=1)


def _allowed(workspace: Workspace, project: Project, metadata: ImageMetadata) -> ImageMetadata:
    """What devices may not say is left out: the image itself is welcome."""
    if access.may(workspace.caller, Right.ANNOTATE, address=project.address):
        return metadata
    state = metadata.state if metadata.state in _DEVICE_STATES else None
    return replace(metadata, state=state, annotations=None, split=None)
