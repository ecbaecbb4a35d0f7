"""The images of a project: described, read."""

import asyncio
import functools
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import Select, Text, bindparam, cast, func, select
from sqlalchemy.orm import InstrumentedAttribute

from edgeloop import imaging
from edgeloop.errors import NotFound
from edgeloop.loop.db.expressions import Tested
from edgeloop.loop.db.tables import AnnotationsRow, ImageRow
from edgeloop.loop.services import files, projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.workspace import Workspace
from edgeloop.loop.storage import ObjectStorage
from edgeloop.protocol.payloads.annotations import annotations_to_json, read_annotations
from edgeloop.types import Annotations, ImageRecord, ImageState, Split

THUMBNAIL_SIDE = 320
"""The longer side of a thumbnail in pixels."""
_HASH = select(ImageRow.content_hash).where(
    ImageRow.id == bindparam("image"), ImageRow.project_id == bindparam("project")
)
NO_SHAPES = json.dumps(annotations_to_json(Annotations()))


@dataclass(frozen=True)
class Image:
    """An image as the loop knows it; ``shapes`` are its annotations as the wire's JSON.

    ``confidence`` is the highest of what was detected last, or by the model that was asked for.
    """

    id: str
    project_id: str
    number: int
    frame_id: str
    content_hash: str
    size_bytes: int
    width: int
    height: int
    state: str
    split: str
    source: str | None
    camera_id: str
    novelty: float | None
    confidence: float | None
    created: str | None
    received: datetime
    taken: datetime
    tags: tuple[str, ...]
    annotation_version: int
    shapes: str

    @functools.cached_property
    def record(self) -> ImageRecord:
        """What nodes know of it, the annotations as values."""
        return ImageRecord(
            id=self.id,
            split=next(split for split in get_args(Split) if split == self.split),
            width=self.width,
            height=self.height,
            annotations=read_annotations(json.loads(self.shapes)),
            state=next(state for state in get_args(ImageState) if state == self.state),
            frame_id=self.frame_id,
            tags=self.tags,
            source=self.source,
            created=self.created,
        )


@functools.cache
def query(confidence: InstrumentedAttribute[Any] | None = None) -> Select[*tuple[Any, ...]]:
    """A query for images, of which ``read`` makes values; ``confidence``: of that column."""
    return select(  # in the order of the fields of Image
        ImageRow.id,
        ImageRow.project_id,
        ImageRow.number,
        ImageRow.frame_id,
        ImageRow.content_hash,
        ImageRow.size_bytes,
        ImageRow.width,
        ImageRow.height,
        ImageRow.state,
        ImageRow.split,
        ImageRow.source,
        ImageRow.camera_id,
        ImageRow.novelty,
        ImageRow.confidence if confidence is None else confidence,
        ImageRow.created,
        ImageRow.received,
        ImageRow.taken,
        ImageRow.tags,
        func.coalesce(AnnotationsRow.version, 0),
        func.coalesce(cast(AnnotationsRow.shapes, Text), NO_SHAPES),
    ).outerjoin(AnnotationsRow, AnnotationsRow.image_id == ImageRow.id)


async def read(workspace: Workspace, wanted: Select[*tuple[Any, ...]]) -> Sequence[Image]:
    """What a ``query`` finds."""
    return [Image(*row) for row in await workspace.session.execute(wanted)]


async def ids(
    workspace: Workspace, project: Project, *, state: ImageState | None = None
) -> Sequence[str]:
    """The ids of the images in this state, or of all but the trash, oldest first."""
    wanted = (
        select(ImageRow.id)
        .where(ImageRow.project_id == project.id)
        .where(ImageRow.state == state if state else ImageRow.state != "trash")
        .order_by(ImageRow.received, ImageRow.number)
    )
    return (await workspace.session.scalars(wanted)).all()


async def by_ids(
    workspace: Workspace, project: Project, image_ids: Collection[str]
) -> Sequence[Image]:
    """Those of these images that are in the project."""
    wanted = query().where(Tested(ImageRow.project_id) == project.id, ImageRow.id.in_(image_ids))
    return await read(workspace, wanted.order_by(ImageRow.received, ImageRow.number))


async def by_id(workspace: Workspace, image_id: str, *, right: Right = Right.READ) -> Image:
    """One image for someone with this right; raises NotFound, Unauthenticated, Forbidden."""
    found = await read(workspace, query().where(ImageRow.id == image_id))
    unseen = f"There is no image with the id {image_id}."
    return await projects.owned(workspace, found[0] if found else None, right=right, unseen=unseen)


async def in_project(workspace: Workspace, project: Project, *, image_id: str) -> Image:
    """One image of the project; raises NotFound."""
    found = await by_ids(workspace, project, [image_id])
    if not found:
        raise _missing(project, image_id)
    return found[0]


async def hash_in_project(workspace: Workspace, project: Project, *, image_id: str) -> str:
    """The content hash of an image of the project; raises NotFound."""
    which = {"image": image_id, "project": project.id}
    content_hash = await workspace.session.scalar(_HASH, which)
    if content_hash is None:
        raise _missing(project, image_id)
    return content_hash


async def thumbnail(storage: ObjectStorage, content_hash: str) -> bytes:
    """A small JPEG of the image, made when it is asked for first."""
    key = files.thumbnail_key(content_hash)
    if not await storage.exists(key):
        data = await content(storage, content_hash)
        await storage.put(
            key, await asyncio.to_thread(imaging.thumbnail, data, longer_side=THUMBNAIL_SIDE)
        )
    return await storage.read(key)


async def content(storage: ObjectStorage, content_hash: str) -> bytes:
    """The JPEG as it was received."""
    return await storage.read(files.image_key(content_hash))


def _missing(project: Project, image_id: str) -> NotFound:
    return NotFound(f"There is no image with the id {image_id} in {project.address}.")
