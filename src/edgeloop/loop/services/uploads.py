"""Images that arrive: checked, their bytes stored, then their rows, all or none of a request."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgeloop import imaging
from edgeloop.errors import ImageError, InputError, Unprocessable
from edgeloop.loop.services import arrivals, files
from edgeloop.loop.services.arrivals import Arrival, Receipt
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.shapes import Canvas
from edgeloop.loop.services.workspace import Caller, Workspaces
from edgeloop.loop.storage import Draft as Draft  # a route writes to it
from edgeloop.protocol.payloads.images import read_sent_metadata
from edgeloop.types import ImageMetadata

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Upload:
    """An image and its metadata (JSON) as they were sent."""

    name: str
    document: bytes
    draft: Draft


async def receive(
    workspaces: Workspaces, caller: Caller, project: Project, *, pairs: Sequence[Upload]
) -> tuple[Receipt, ...]:
    """Store images, all or none: their bytes, then their rows.

    Raises Unprocessable or ImageError, naming the part, before anything was stored.
    """
    arrived = await asyncio.to_thread(_checked, pairs, project)
    drafts = {
        files.image_key(arrival.content_hash): upload.draft
        for arrival, upload in zip(arrived, pairs, strict=True)
    }
    async with files.in_doubt(workspaces, drafts.keys()):
        await workspaces.storage.publish(drafts)
        async with workspaces.write(caller) as workspace:
            return await arrivals.add(workspace, project, arrived)


def _checked(pairs: Sequence[Upload], project: Project) -> tuple[Arrival, ...]:
    return tuple(_arrival(upload, project) for upload in pairs)


def _arrival(upload: Upload, project: Project) -> Arrival:
    try:
        metadata, left_out = read_sent_metadata(_parsed(upload.document), project.ids_by_name)
        width, height = imaging.verify_jpeg(upload.draft.read())
    except InputError as error:
        kind = ImageError if isinstance(error, ImageError) else Unprocessable
        raise kind(f"{upload.name}: {error}") from error
    if left_out:
        faults = " ".join(left_out)
        log.warning("%s: %s: left out what is wrong: %s", project.address, upload.name, faults)
    content_hash = upload.draft.content_hash
    if not metadata.frame_id:
        metadata = replace(metadata, frame_id=_derived_frame_id(content_hash, metadata))
    return Arrival(metadata, content_hash, upload.draft.size_bytes, Canvas(width, height))


def _parsed(document: bytes) -> Any:
    try:
        value = json.loads(document.decode())
    except (ValueError, RecursionError) as error:
        raise Unprocessable(f"The metadata is no JSON ({error}).") from error
    # Half of a surrogate pair is legal in JSON, but no text that can be stored.
    text = json.dumps(value, ensure_ascii=False)
    whole = text.encode(errors="replace").decode()
    return value if whole == text else json.loads(whole)


def _derived_frame_id(content_hash: str, metadata: ImageMetadata) -> str:
    """The same for the same image, however often a sender without frame ids repeats it."""
    origin = json.dumps([content_hash, metadata.created, metadata.source])
    return hashlib.sha256(origin.encode()).hexdigest()
