"""Annotations of an image: as they are, as they were, changed."""

from collections.abc import Mapping
from typing import Annotated

import orjson
from fastapi import APIRouter, Header, Response

from edgeloop.client.calls.image_records import (
    AnnotationVersion,
    ImageAnnotations,
    ImageDetails,
)
from edgeloop.errors import Unprocessable
from edgeloop.loop.api.admitting import admitting
from edgeloop.loop.api.context import Asking, Context
from edgeloop.loop.api.descriptions import image_json, joined, json_response, listed
from edgeloop.loop.api.documented import answers, page_of
from edgeloop.loop.api.failures import failure
from edgeloop.loop.api.paging import Limit
from edgeloop.loop.services import annotating, history, images, projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.annotating import Change
from edgeloop.loop.services.history import Version
from edgeloop.loop.services.images import Image
from edgeloop.protocol.payloads.annotations import AnnotationsPayload
from edgeloop.protocol.payloads.parsing import Payload, shown
from edgeloop.protocol.routes import V1
from edgeloop.types import ImageState, Split

router = APIRouter()


async def _may_annotate(asking: Context, path: Mapping[str, str]) -> None:
    async with asking.read() as workspace:
        await images.by_id(workspace, path["image_id"], right=Right.ANNOTATE)


large = APIRouter(route_class=admitting(_may_annotate))
"""An image may have many and long outlines."""


class ChangeBody(AnnotationsPayload):
    """What of an image is to be changed; annotations of all kinds together, if of any."""

    state: Annotated[ImageState | None, shown("complete")] = None
    set: Split | None = None
    version: Annotated[int | None, shown(3)] = None

    def to_change(self, ids_by_name: Mapping[str, str]) -> Change:
        """The change as a value; raises Unprocessable for a category that nobody knows."""
        given = self.model_fields_set & AnnotationsPayload.model_fields.keys()
        annotations = self.to_annotations(ids_by_name) if given else None
        if annotations is not None and len(annotations) < self._sent():
            raise Unprocessable("An annotation has no category of the project: name one.")
        return Change(annotations, state=self.state, split=self.set, version=self.version)

    def _sent(self) -> int:
        boxes, points = self.box_annotations, self.point_annotations
        shapes = len(boxes) + len(points) + len(self.segmentation_annotations)
        return shapes + (self.classification_annotation is not None)


class RestoreBody(Payload):
    """Which version is to be the newest again; ``seen`` is the version that one has seen last."""

    version: Annotated[int, shown(2)]
    seen: Annotated[int | None, shown(3)] = None


IfMatch = Annotated[str | None, Header(description='The ETag of what was seen, as `"3"`.')]


@router.get(f"{V1}/images/{{image_id}}/annotations", **answers(ImageAnnotations))
async def get(asking: Asking, image_id: str) -> Response:
    """What people say is in an image; the ETag is its version."""
    async with asking.read() as workspace:
        image = await images.by_id(workspace, image_id)
    version = orjson.dumps({"version": image.annotation_version})
    return _tagged(image, joined(version, image.shapes.encode()))


@large.put(f"{V1}/images/{{image_id}}/annotations", **answers(ImageDetails, errors=(409, 412)))
async def annotate(
    asking: Asking, image_id: str, body: ChangeBody, if_match: IfMatch = None
) -> Response:
    """Change annotations, state and split of an image."""
    async with asking.write() as workspace:
        image = await images.by_id(workspace, image_id, right=Right.ANNOTATE)
        project = await projects.by_id(workspace, image.project_id)
        if not _matches(if_match, image):
            return _changed_meanwhile(image)
        change = body.to_change(project.ids_by_name)
        changed = await annotating.annotate(workspace, project, image=image, change=change)
    return _tagged(changed, image_json(changed))


@router.get(f"{V1}/images/{{image_id}}/annotations/history", **answers(page_of(AnnotationVersion)))
async def list_versions(
    asking: Asking, image_id: str, limit: Limit = 100, after: int | None = None
) -> Response:
    """The versions of an image's annotations, the newest first."""
    async with asking.read() as workspace:
        image = await images.by_id(workspace, image_id)
        found = await history.of_image(workspace, image, limit=limit + 1, before=after)
    following = str(found[limit - 1].number) if len(found) > limit else None
    return listed(map(_version_json, found[:limit]), after=following)


@router.post(
    f"{V1}/images/{{image_id}}/annotations/restore", **answers(ImageDetails, errors=(409, 412))
)
async def restore(
    asking: Asking, image_id: str, body: RestoreBody, if_match: IfMatch = None
) -> Response:
    """Make an earlier version of the annotations the newest one."""
    async with asking.write() as workspace:
        image = await images.by_id(workspace, image_id, right=Right.ANNOTATE)
        project = await projects.by_id(workspace, image.project_id)
        if not _matches(if_match, image):
            return _changed_meanwhile(image)
        wanted = await history.version(workspace, image, body.version)
        change = Change(
            annotating.of_categories(wanted.annotations, project=project), version=body.seen
        )
        changed = await annotating.annotate(workspace, project, image=image, change=change)
    return _tagged(changed, image_json(changed))


def _matches(if_match: str | None, image: Image) -> bool:
    if if_match is None:
        return True
    named = {tag.strip() for tag in if_match.split(",")}
    return bool(named & {"*", _etag(image)})


def _changed_meanwhile(image: Image) -> Response:
    detail = (
        f"The annotations of image {image.id} have version {image.annotation_version}, not the "
        "one of If-Match: load them again."
    )
    return failure(412, detail=detail, code="conflict")


def _etag(image: Image) -> str:
    return f'"{image.annotation_version}"'


def _tagged(image: Image, text: bytes) -> Response:
    response = json_response(text)
    response.headers["etag"] = _etag(image)
    return response


def _version_json(version: Version) -> bytes:
    facts = {"version": version.number, "author": version.author, "created": version.made}
    return joined(orjson.dumps(facts), version.shapes.encode())
