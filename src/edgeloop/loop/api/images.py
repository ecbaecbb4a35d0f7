"""Images: up from devices, down to trainers and people, with what is known of them."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from edgeloop.errors import Unprocessable
from edgeloop.loop.api.context import Asking
from edgeloop.loop.api.documented import answers, page_of
from edgeloop.loop.api.forms import uploads_of
from edgeloop.loop.api.paging import Limit, page
from edgeloop.loop.services import annotating, detections, images, projects, uploads
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.annotating import Change
from edgeloop.loop.services.detections import Sighting
from edgeloop.loop.services.images import Image, ImageFilter
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.uploads import Receipt
from edgeloop.protocol.payloads.annotations import AnnotationsPayload
from edgeloop.protocol.payloads.categories import category_to_json
from edgeloop.protocol.payloads.detections import DetectionsPayload, detections_to_json
from edgeloop.protocol.payloads.images import ImageRecordPayload, image_record_to_json
from edgeloop.protocol.payloads.parsing import shown
from edgeloop.protocol.routes import API, V1
from edgeloop.types import Detections, ImageState, Split

router = APIRouter()
clients = APIRouter()
"""Routes below an organization: registered after all fixed paths."""

PROJECT = f"{API}/{{organization}}/projects/{{name}}"
MAX_IDS = 1000


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


class SightingBody(DetectionsPayload):
    """What a model saw in an image; ``model_name`` says which one where it saw nothing."""

    model_name: str | None = None

    def to_sighting(self) -> Sighting:
        """The sighting as a value."""
        return Sighting(self.image_id or "", self.to_detections(), self.model_name or "")


@router.get(f"{V1}/projects/{{project_id}}/images", **answers(page_of(ImageRecordPayload)))
async def list_oldest_first(  # noqa: PLR0913 - the query's parameters
    asking: Asking,
    project_id: str,
    *,
    state: ImageState | None = None,
    split: Annotated[Split | None, Query(alias="set")] = None,
    tag: str | None = None,
    limit: Limit = 100,
    after: str | None = None,
) -> dict[str, Any]:
    """The images of a project, by state, split and tag."""
    which = ImageFilter(state, split, tag)
    async with asking.read() as workspace:
        project = await projects.by_id(workspace, project_id)
        found = await images.listed(workspace, project, which=which, limit=limit + 1, after=after)
    return page(found, limit=limit, encode=_to_json, cursor=lambda image: image.record.id)


@router.get(f"{V1}/images/{{image_id}}", **answers(ImageRecordPayload))
async def get(asking: Asking, image_id: str) -> dict[str, Any]:
    """One image."""
    async with asking.read() as workspace:
        return _to_json(await images.by_id(workspace, image_id))


@router.get(f"{V1}/images/{{image_id}}/file", **answers(media_type="image/jpeg"))
async def get_file(asking: Asking, image_id: str) -> Response:
    """The JPEG as it was received."""
    async with asking.read() as workspace:
        image = await images.by_id(workspace, image_id)
    return _jpeg(await images.content(asking.parts.workspaces.storage, image))


@router.get(f"{V1}/images/{{image_id}}/thumbnail", **answers(media_type="image/jpeg"))
async def get_thumbnail(asking: Asking, image_id: str) -> Response:
    """A small JPEG."""
    async with asking.read() as workspace:
        image = await images.by_id(workspace, image_id)
    return _jpeg(await images.thumbnail(asking.parts.workspaces.storage, image))


@router.get(f"{V1}/images/{{image_id}}/detections", **answers(page_of(SightingBody)))
async def get_detections(asking: Asking, image_id: str) -> dict[str, Any]:
    """What each model saw in the image."""
    async with asking.read() as workspace:
        await images.by_id(workspace, image_id)
        found = await detections.of_image(workspace, image_id)
    items = [{"model_version": v, **detections_to_json(seen)} for v, seen in found.items()]
    return {"items": items, "next": None}


@router.put(f"{V1}/images/{{image_id}}/annotations", **answers(ImageRecordPayload, errors=(409,)))
async def annotate(asking: Asking, image_id: str, body: ChangeBody) -> dict[str, Any]:
    """Change annotations, state and split of an image."""
    async with asking.write() as workspace:
        image = await images.by_id(workspace, image_id, right=Right.ANNOTATE)
        project = await projects.by_id(workspace, image.project_id)
        change = body.to_change(project.ids_by_name)
        return _to_json(await annotating.annotate(workspace, project, image=image, change=change))


@clients.get(f"{PROJECT}/data")
async def list_ids(
    asking: Asking, organization: str, name: str, state: ImageState | None = None
) -> dict[str, Any]:
    """The ids of all images, or of those in one state."""
    async with asking.read() as workspace:
        project = await projects.by_names(workspace, organization, name=name)
        ids = await images.ids(workspace, project, state=state)
    categories = [category_to_json(category) for category in project.categories]
    return {"image_ids": list(ids), "categories": categories}


@clients.get(f"{PROJECT}/images")
async def describe(
    asking: Asking, organization: str, name: str, ids: str = "", model_version: str = ""
) -> dict[str, Any]:
    """The images of these ids, with the detections of one model if it is named."""
    wanted = _ids(ids)
    async with asking.read() as workspace:
        project = await projects.by_names(workspace, organization, name=name)
        found = await images.by_ids(workspace, project, wanted)
        seen = await detections.of_model(workspace, model_version, image_ids=wanted)
    nothing = Detections()
    return {"images": [_to_client_json(i, project, seen.get(i.record.id, nothing)) for i in found]}


@clients.post(f"{PROJECT}/images")
async def upload(asking: Asking, request: Request, organization: str, name: str) -> dict[str, Any]:
    """Pairs of a JPEG and its metadata: all are stored, or none."""
    async with asking.read() as workspace:
        project = await projects.by_names(
            workspace, organization, name=name, right=Right.UPLOAD_IMAGES
        )
    async with uploads_of(request, asking.parts.settings) as pairs:
        receipts = await uploads.receive(
            asking.parts.workspaces, asking.caller, project, pairs=pairs
        )
    return {"items": [_receipt_to_json(receipt) for receipt in receipts]}


@clients.get(f"{PROJECT}/images/{{image_id}}/main")
async def get_main(asking: Asking, organization: str, name: str, image_id: str) -> Response:
    """The JPEG as it was received, for published clients."""
    async with asking.read() as workspace:
        project = await projects.by_names(workspace, organization, name=name)
        image = await images.in_project(workspace, project, image_id=image_id)
    return _jpeg(await images.content(asking.parts.workspaces.storage, image))


@clients.get(f"{PROJECT}/images/{{image_id}}/thumb")
async def get_thumb(asking: Asking, organization: str, name: str, image_id: str) -> Response:
    """A small JPEG, for published clients."""
    async with asking.read() as workspace:
        project = await projects.by_names(workspace, organization, name=name)
        image = await images.in_project(workspace, project, image_id=image_id)
    return _jpeg(await images.thumbnail(asking.parts.workspaces.storage, image))


@clients.post(f"{PROJECT}/detections")
async def put_detections(
    asking: Asking,
    organization: str,
    name: str,
    body: Annotated[list[SightingBody], Field(max_length=MAX_IDS)],
) -> dict[str, int]:
    """What a model saw in up to 1000 images; replaces what it saw in them before."""
    async with asking.write() as workspace:
        project = await projects.by_names(workspace, organization, name=name, right=Right.TRAIN)
        sightings = [sighting.to_sighting() for sighting in body]
        return {"images": await detections.replace_all(workspace, project, sightings)}


def _ids(text: str) -> list[str]:
    ids = [part for part in text.split(",") if part]
    if len(ids) > MAX_IDS:
        raise Unprocessable(f"ids has {len(ids)} ids: ask for {MAX_IDS} at once.")
    return ids


def _jpeg(data: bytes) -> Response:
    # The bytes of an id never change.
    headers = {
        "Cache-Control": "private, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(data, media_type="image/jpeg", headers=headers)


def _receipt_to_json(receipt: Receipt) -> dict[str, Any]:
    return {
        "id": receipt.image_id,
        "frame_id": receipt.frame_id,
        "repeated": receipt.repeated,
    }


def _to_json(image: Image) -> dict[str, Any]:
    return {
        **image_record_to_json(image.record),
        "annotation_version": image.annotation_version,
        "received": image.received.isoformat(),
        "camera_id": image.camera_id,
    }


def _to_client_json(image: Image, project: Project, seen: Detections) -> dict[str, Any]:
    resource = f"/{project.organization}/projects/{project.name}/images/{image.record.id}"
    return {
        **image_record_to_json(image.record),
        **detections_to_json(seen),
        "resource": f"{resource}/main",
        "thumbnail": f"{resource}/thumb",
    }
