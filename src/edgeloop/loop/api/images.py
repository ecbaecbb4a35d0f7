"""Images: up from devices, down to trainers and people, with what is known of them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from edgeloop.client.calls.image_records import ImageCount, ImageDetails, ImageFacets
from edgeloop.errors import Unprocessable
from edgeloop.loop.api.admitting import admitting
from edgeloop.loop.api.context import Asking, Context
from edgeloop.loop.api.descriptions import client_image_json, image_json, json_response, listed
from edgeloop.loop.api.documented import answers, page_of
from edgeloop.loop.api.filters import FilterQuery, ListQuery
from edgeloop.loop.api.forms import uploads_of
from edgeloop.loop.api.published import (
    IMAGES,
    ClientData,
    ClientImages,
    Receipts,
    TakenImages,
    told,
)
from edgeloop.loop.api.straight import Straight
from edgeloop.loop.services import detections, images, listing, projects, uploads
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.arrivals import Receipt
from edgeloop.loop.services.detections import Sighting
from edgeloop.protocol.payloads.categories import category_to_json
from edgeloop.protocol.payloads.detections import DetectionsPayload, detections_to_json
from edgeloop.protocol.routes import API, V1
from edgeloop.types import ImageState

router = APIRouter()
clients = APIRouter()
"""Routes below an organization: registered after all fixed paths."""

files = APIRouter(route_class=Straight)
"""What is asked for image by image: registered first, since routes are looked at in turn."""

PROJECT = f"{API}/{{organization}}/projects/{{name}}"
MAX_IDS = 1000


async def _may_train(asking: Context, path: Mapping[str, str]) -> None:
    async with asking.read() as workspace:
        await projects.by_names(
            workspace, path["organization"], name=path["name"], right=Right.TRAIN
        )


large = APIRouter(route_class=admitting(_may_train))
"""What trainers send much of: registered as ``clients`` are."""


class SightingBody(DetectionsPayload):
    """What a model saw in an image; ``model_name`` says which one where it saw nothing."""

    model_name: str | None = None

    def to_sighting(self) -> Sighting:
        """The sighting as a value."""
        return Sighting(self.image_id or "", self.to_detections(), self.model_name or "")


@router.get(f"{V1}/projects/{{project_id}}/images", **answers(page_of(ImageDetails)))
async def list_images(
    asking: Asking, project_id: str, asked: Annotated[ListQuery, Query()]
) -> Response:
    """The images of a project that are meant, in the order that is wanted."""
    async with asking.read() as workspace:
        project = await projects.by_id(workspace, project_id)
        found = await listing.page(workspace, project, asked.to_slice(project))
    shown = found[: asked.limit]
    after = listing.cursor_of(shown[-1], asked.order) if len(found) > len(shown) else None
    return listed(map(image_json, shown), after=after)


@router.get(f"{V1}/projects/{{project_id}}/images/count", **answers(ImageCount))
async def count(
    asking: Asking, project_id: str, asked: Annotated[FilterQuery, Query()]
) -> dict[str, int]:
    """How many images of a project are meant."""
    async with asking.read() as workspace:
        project = await projects.by_id(workspace, project_id)
        return {"count": await listing.count(workspace, project, asked.to_filter(project))}


@router.get(f"{V1}/projects/{{project_id}}/images/facets", **answers(ImageFacets))
async def facets(
    asking: Asking, project_id: str, asked: Annotated[FilterQuery, Query()]
) -> dict[str, Any]:
    """How the images that are meant spread over states, sets, tags, sources, cameras, models."""
    async with asking.read() as workspace:
        project = await projects.by_id(workspace, project_id)
        found = await listing.facets(workspace, project, asked.to_filter(project))
    return asdict(found)


@router.get(f"{V1}/images/{{image_id}}", **answers(ImageDetails))
async def get(asking: Asking, image_id: str) -> Response:
    """One image."""
    async with asking.read() as workspace:
        return json_response(image_json(await images.by_id(workspace, image_id)))


@files.get(f"{V1}/images/{{image_id}}/file", **answers(media_type="image/jpeg"))
async def get_file(asking: Asking, image_id: str) -> Response:
    """The JPEG as it was received."""
    async with asking.read() as workspace:
        image = await images.by_id(workspace, image_id)
    return _jpeg(await images.content(asking.parts.workspaces.storage, image.content_hash))


@files.get(f"{V1}/images/{{image_id}}/thumbnail", **answers(media_type="image/jpeg"))
async def get_thumbnail(asking: Asking, image_id: str) -> Response:
    """A small JPEG."""
    async with asking.read() as workspace:
        image = await images.by_id(workspace, image_id)
    return _jpeg(await images.thumbnail(asking.parts.workspaces.storage, image.content_hash))


@router.get(f"{V1}/images/{{image_id}}/detections", **answers(page_of(SightingBody)))
async def get_detections(asking: Asking, image_id: str) -> dict[str, Any]:
    """What each model saw in the image."""
    async with asking.read() as workspace:
        await images.by_id(workspace, image_id)
        found = await detections.of_image(workspace, image_id)
    items = [{"model_version": v, **detections_to_json(seen)} for v, seen in found.items()]
    return {"items": items, "next": None}


@clients.get(f"{PROJECT}/data", **told(ClientData))
async def list_ids(
    asking: Asking, organization: str, name: str, state: ImageState | None = None
) -> dict[str, Any]:
    """The ids of all images, or of those in one state."""
    async with asking.read() as workspace:
        project = await projects.by_names(workspace, organization, name=name)
        ids = await images.ids(workspace, project, state=state)
    categories = [category_to_json(category) for category in project.categories]
    return {"image_ids": list(ids), "categories": categories}


@clients.get(f"{PROJECT}/images", **told(ClientImages))
async def describe(
    asking: Asking, organization: str, name: str, ids: str = "", model_version: str = ""
) -> Response:
    """The images of these ids, with the detections of one model if it is named."""
    wanted = _ids(ids)
    async with asking.read() as workspace:
        project = await projects.by_names(workspace, organization, name=name)
        found = await images.by_ids(workspace, project, wanted)
        seen = await detections.json_of_model(workspace, model_version, image_ids=wanted)
    texts = [client_image_json(image, project, seen.get(image.id)) for image in found]
    return json_response(b'{"images":[' + b",".join(texts) + b"]}")


@clients.post(
    f"{PROJECT}/images",
    **told(Receipts, files=IMAGES, login="optional", errors=(409, 429, 507)),
)
async def upload(asking: Asking, request: Request, organization: str, name: str) -> dict[str, Any]:
    """Pairs of a JPEG and its metadata: all are stored, or none."""
    async with asking.read() as workspace:
        project = await projects.by_names(
            workspace, organization, name=name, right=Right.UPLOAD_IMAGES
        )
    asking.count_upload()
    async with uploads_of(request, asking.parts) as pairs:
        receipts = await uploads.receive(
            asking.parts.workspaces, asking.caller, project, pairs=pairs
        )
    return {"items": [_receipt_to_json(receipt) for receipt in receipts]}


@files.get(f"{PROJECT}/images/{{image_id}}/main", **answers(media_type="image/jpeg"))
async def get_main(asking: Asking, organization: str, name: str, image_id: str) -> Response:
    """The JPEG as it was received, for published clients."""
    async with asking.read() as workspace:
        project = await projects.by_names(workspace, organization, name=name)
        found = await images.hash_in_project(workspace, project, image_id=image_id)
    return _jpeg(await images.content(asking.parts.workspaces.storage, found))


@files.get(f"{PROJECT}/images/{{image_id}}/thumb", **answers(media_type="image/jpeg"))
async def get_thumb(asking: Asking, organization: str, name: str, image_id: str) -> Response:
    """A small JPEG, for published clients."""
    async with asking.read() as workspace:
        project = await projects.by_names(workspace, organization, name=name)
        found = await images.hash_in_project(workspace, project, image_id=image_id)
    return _jpeg(await images.thumbnail(asking.parts.workspaces.storage, found))


@large.post(f"{PROJECT}/detections", **told(TakenImages))
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
