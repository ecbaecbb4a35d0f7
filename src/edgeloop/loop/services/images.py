"""The images of a project: found, described, read."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from sqlalchemy import Select, select, tuple_

from edgeloop import imaging
from edgeloop.errors import NotFound, Unprocessable
from edgeloop.loop.db.tables import AnnotationsRow, ImageRow, ImageTagRow
from edgeloop.loop.services import files, projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.workspace import Workspace
from edgeloop.loop.storage import ObjectStorage
from edgeloop.protocol.payloads.annotations import read_annotations
from edgeloop.types import Annotations, ImageRecord, ImageState, Split

THUMBNAIL_SIDE = 320
"""The longer side of a thumbnail in pixels."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image: its record, and what only the loop knows of it."""

    project_id: str
    record: ImageRecord
    annotation_version: int
    camera_id: str
    content_hash: str
    received: datetime


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """Which images are meant; None: no matter which."""

    state: ImageState | None = None
    split: Split | None = None
    tag: str | None = None


async def ids(
    workspace: Workspace, project: Project, *, state: ImageState | None = None
) -> Sequence[str]:
    """The ids of the images in this state, or of all but the trash, oldest first."""
    query = (
        select(ImageRow.id)
        .where(ImageRow.project_id == project.id)
        .where(ImageRow.state == state if state else ImageRow.state != "trash")
        .order_by(ImageRow.received, ImageRow.id)
    )
    return (await workspace.session.scalars(query)).all()


async def by_ids(
    workspace: Workspace, project: Project, image_ids: Collection[str]
) -> Sequence[Image]:
    """Those of these images that are in the project."""
    query = (
        select(ImageRow)
        .where(ImageRow.project_id == project.id, ImageRow.id.in_(image_ids))
        .order_by(ImageRow.received, ImageRow.id)
    )
    return await _described(workspace, (await workspace.session.scalars(query)).all())


async def by_id(workspace: Workspace, image_id: str, *, right: Right = Right.READ) -> Image:
    """One image for someone with this right; raises NotFound, Unauthenticated, Forbidden."""
    found = await workspace.session.get(ImageRow, image_id)
    unseen = f"There is no image with the id {image_id}."
    row = await projects.owned(workspace, found, right=right, unseen=unseen)
    return (await _described(workspace, [row]))[0]


async def in_project(workspace: Workspace, project: Project, *, image_id: str) -> Image:
    """One image of the project; raises NotFound."""
    found = await by_ids(workspace, project, [image_id])
    if not found:
        raise NotFound(f"There is no image with the id {image_id} in {project.address}.")
    return found[0]


async def listed(
    workspace: Workspace,
    project: Project,
    *,
    which: ImageFilter,
    limit: int,
    after: str | None = None,
) -> Sequence[Image]:
    """Up to ``limit`` images that come after the one with the id ``after``, oldest first."""
    query = matching(project, which)
    if after is not None:
        last = await workspace.session.get(ImageRow, after)
        if last is None or last.project_id != project.id:
            raise Unprocessable(f"after: there is no image {after!r} in {project.address}.")
        query = query.where(tuple_(ImageRow.received, ImageRow.id) > (last.received, last.id))
    query = query.order_by(ImageRow.received, ImageRow.id).limit(limit)
    return await _described(workspace, (await workspace.session.scalars(query)).all())


def matching(project: Project, which: ImageFilter) -> Select[ImageRow]:
    """The query for the images that are meant, in no order yet."""
    query = select(ImageRow).where(ImageRow.project_id == project.id)
    if which.state is not None:
        query = query.where(ImageRow.state == which.state)
    if which.split is not None:
        query = query.where(ImageRow.split == which.split)
    if which.tag is not None:
        tagged = select(ImageTagRow.image_id).where(ImageTagRow.name == which.tag)
        query = query.where(ImageRow.id.in_(tagged))
    return query


async def thumbnail(storage: ObjectStorage, image: Image) -> bytes:
    """A small JPEG of the image, made when it is asked for first."""
    key = files.thumbnail_key(image.content_hash)
    if not await storage.exists(key):
        data = await content(storage, image)
        await storage.put(
            key, await asyncio.to_thread(imaging.thumbnail, data, longer_side=THUMBNAIL_SIDE)
        )
    return await storage.read(key)


async def content(storage: ObjectStorage, image: Image) -> bytes:
    """The JPEG as it was received."""
    return await storage.read(files.image_key(image.content_hash))


async def _described(workspace: Workspace, rows: Sequence[ImageRow]) -> Sequence[Image]:
    image_ids = [row.id for row in rows]
    tags = await _tags(workspace, image_ids)
    query = select(AnnotationsRow).where(AnnotationsRow.image_id.in_(image_ids))
    annotations = {row.image_id: row for row in await workspace.session.scalars(query)}
    return [_image(row, tags.get(row.id, []), annotations.get(row.id)) for row in rows]


async def _tags(workspace: Workspace, image_ids: Sequence[str]) -> Mapping[str, list[str]]:
    query = (
        select(ImageTagRow).where(ImageTagRow.image_id.in_(image_ids)).order_by(ImageTagRow.name)
    )
    tags: dict[str, list[str]] = defaultdict(list)
    for tag in await workspace.session.scalars(query):
        tags[tag.image_id].append(tag.name)
    return tags


def _image(row: ImageRow, tags: Sequence[str], annotations: AnnotationsRow | None) -> Image:
    record = ImageRecord(
        id=row.id,
        split=next(split for split in get_args(Split) if split == row.split),
        width=row.width,
        height=row.height,
        annotations=read_annotations(annotations.shapes) if annotations else Annotations(),
        state=next(state for state in get_args(ImageState) if state == row.state),
        frame_id=row.frame_id,
        tags=tuple(tags),
        source=row.source,
        created=row.created,
    )
    return Image(
        project_id=row.project_id,
        record=record,
        annotation_version=annotations.version if annotations else 0,
        camera_id=row.camera_id,
        content_hash=row.content_hash,
        received=row.received,
    )
