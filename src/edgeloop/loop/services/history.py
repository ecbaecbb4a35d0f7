"""The annotations that an image has had."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Text, cast, select, union_all

from edgeloop.errors import NotFound
from edgeloop.loop.db.tables import AnnotationHistoryRow, AnnotationsRow
from edgeloop.loop.services.images import Image
from edgeloop.loop.services.workspace import Workspace
from edgeloop.protocol.payloads.annotations import read_annotations
from edgeloop.types import Annotations


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an image's annotations; ``shapes`` is the wire's JSON."""

    number: int
    author: str
    made: datetime
    shapes: str

    @property
    def annotations(self) -> Annotations:
        """The same as values."""
        return read_annotations(json.loads(self.shapes))


async def of_image(
    workspace: Workspace, image: Image, *, limit: int, before: int | None = None
) -> Sequence[Version]:
    """Up to ``limit`` versions of the annotations, the newest first, or those before a version."""
    versions = union_all(
        *(
            select(
                row.version, row.author, row.updated, cast(row.shapes, Text).label("shapes")
            ).where(row.image_id == image.id)
            for row in (AnnotationsRow, AnnotationHistoryRow)
        )
    ).subquery()
    query = select(versions).order_by(versions.c.version.desc()).limit(limit)
    if before is not None:
        query = query.where(versions.c.version < before)
    return [Version(*row) for row in await workspace.session.execute(query)]


async def version(workspace: Workspace, image: Image, number: int) -> Version:
    """One version; raises NotFound."""
    found = await of_image(workspace, image, limit=1, before=number + 1)
    if not found or found[0].number != number:
        raise NotFound(f"The annotations of image {image.id} have no version {number}.")
    return found[0]
