"""Calls about images, their annotations and detections."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import httpx

from edgeloop.client.call import Call, FilePart, nothing
from edgeloop.client.calls.image_queries import EVERYTHING, Chosen, ImageChange, ImageQuery
from edgeloop.client.calls.image_records import (
    BulkOutcome,
    ImageCount,
    ImageDetails,
    ImageFacets,
    UploadReceipt,
)
from edgeloop.client.calls.page import Page, page_parser
from edgeloop.protocol import routes
from edgeloop.protocol.payloads.detections import detections_to_json, read_detections
from edgeloop.protocol.payloads.images import image_metadata_to_json, read_image_record
from edgeloop.types import (
    Detections,
    ImageMetadata,
    ImageRecord,
    ImageState,
)

Sort = Literal[
    "received",
    "-received",
    "created",
    "-created",
    "confidence",
    "-confidence",
    "novelty",
    "-novelty",
]
_BULK_TIMEOUT_S = 600.0


def image_ids(
    organization: str, project: str, *, state: ImageState | None = None
) -> Call[list[str]]:
    """The ids of all images, or of those in one state."""
    path = routes.data(organization, project, state=state)
    return Call("GET", path, lambda answer: list(answer.json()["image_ids"]))


def image_records(organization: str, project: str, ids: Sequence[str]) -> Call[list[ImageRecord]]:
    """The records of up to 100 images; ids that do not exist are left out."""
    path = routes.images_by_id(organization, project, ids)
    return Call("GET", path, _records)


def image_file(organization: str, project: str, image_id: str) -> Call[bytes]:
    """The bytes of one image, as they were uploaded."""
    path = routes.image_file(organization, project, image_id)
    return Call("GET", path, lambda answer: answer.content)


def upload_images(
    organization: str,
    project: str,
    pairs: Iterable[tuple[ImageMetadata, bytes | Path]],
    *,
    login: bool = False,
) -> Call[list[str]]:
    """Up to 20 JPEGs (bytes or files) with what is known of them; answers the images' ids.

    All or none are stored. States other than inbox and trash, annotations and ``split`` need a
    ``login``.
    """
    parts = _upload_parts(pairs)
    path = routes.images(organization, project)
    return Call("POST", path, _uploaded_ids, files=parts, login=login)


def upload_receipts(
    organization: str,
    project: str,
    pairs: Iterable[tuple[ImageMetadata, bytes | Path]],
    *,
    login: bool = False,
) -> Call[list[UploadReceipt]]:
    """The same; answers for each image where it is, and whether the loop had it already."""
    parts = _upload_parts(pairs)
    path = routes.images(organization, project)
    return Call("POST", path, _receipts, files=parts, login=login)


def upload_detections(
    organization: str,
    project: str,
    detections: Iterable[tuple[str, Detections]],
    *,
    model_version: str,
) -> Call[None]:
    """What a model saw in up to 100 images, by image id; replaces what it saw before.

    The version is said for images in which it saw nothing: they count in its figures too.
    """
    body = [
        {**detections_to_json(found), "image_id": image_id, "model_name": model_version}
        for image_id, found in detections
    ]
    return Call("POST", routes.detections(organization, project), nothing, json=body)


def images(
    project_id: str,
    query: ImageQuery = EVERYTHING,
    *,
    sort: Sort = "received",
    after: str | None = None,
    limit: int = 100,
) -> Call[Page[ImageDetails]]:
    """One page of the images that are meant; oldest first, unless sorted otherwise."""
    parameters = query.to_parameters(sort=sort, after=after, limit=str(limit))
    path = f"{_of_project(project_id)}?{parameters}"
    return Call("GET", path, page_parser(ImageDetails.read))


def image_count(project_id: str, query: ImageQuery = EVERYTHING) -> Call[int]:
    """How many images are meant."""
    path = f"{_of_project(project_id)}/count?{query.to_parameters()}"
    return Call("GET", path, lambda answer: ImageCount.read(answer.json()).count)


def image_facets(project_id: str, query: ImageQuery = EVERYTHING) -> Call[ImageFacets]:
    """How the images that are meant spread over states, sets, tags, sources, cameras, models."""
    path = f"{_of_project(project_id)}/facets?{query.to_parameters()}"
    return Call("GET", path, lambda answer: ImageFacets.read(answer.json()))


def change_images(project_id: str, chosen: Chosen, change: ImageChange) -> Call[BulkOutcome]:
    """Change many images; raises Conflict where a query finds another number than was expected."""
    body = {**chosen.to_json(), **change.to_json()}
    return _bulk(f"{_of_project(project_id)}/change", body)


def delete_images(project_id: str, chosen: Chosen) -> Call[BulkOutcome]:
    """Delete many images for good; raises Conflict as ``change_images`` does."""
    return _bulk(f"{_of_project(project_id)}/delete", chosen.to_json())


def image(image_id: str) -> Call[ImageDetails]:
    """One image."""
    path = f"{routes.V1}/images/{quote(image_id, safe='')}"
    return Call("GET", path, lambda answer: ImageDetails.read(answer.json()))


def image_content(image_id: str) -> Call[bytes]:
    """The JPEG as it was received."""
    path = f"{routes.V1}/images/{quote(image_id, safe='')}/file"
    return Call("GET", path, lambda answer: answer.content)


def image_thumbnail(image_id: str) -> Call[bytes]:
    """A small JPEG."""
    path = f"{routes.V1}/images/{quote(image_id, safe='')}/thumbnail"
    return Call("GET", path, lambda answer: answer.content)


def image_detections(image_id: str) -> Call[dict[str, Detections]]:
    """What each model saw in an image, by model version."""
    return Call("GET", f"{routes.V1}/images/{image_id}/detections", _detections_by_version)


def _upload_parts(pairs: Iterable[tuple[ImageMetadata, bytes | Path]]) -> list[FilePart]:
    parts: list[FilePart] = []
    for number, (metadata, image) in enumerate(pairs):
        document = json.dumps(image_metadata_to_json(metadata)).encode()
        name = _part_name(number, image)
        stem = name[: name.rfind(".")] if "." in name else name
        parts.append(FilePart(f"{stem}.json", document, "text/plain; charset=utf-8"))
        parts.append(FilePart(name, image, "image/jpeg"))
    return parts


def _part_name(number: int, image: bytes | Path) -> str:
    """A file's own, so that a refusal names it."""
    if isinstance(image, bytes):
        return f"image_{number}.jpg"
    name = str(image).encode(errors="replace").decode()
    return f"{name}.jpg" if name.lower().endswith(".json") else name  # JSON would be metadata


def _receipts(answer: httpx.Response) -> list[UploadReceipt]:
    return [UploadReceipt.read(item) for item in answer.json()["items"]]


def _records(answer: httpx.Response) -> list[ImageRecord]:
    return [read_image_record(image) for image in answer.json()["images"]]


def _detections_by_version(answer: httpx.Response) -> dict[str, Detections]:
    items = answer.json()["items"]
    return {item["model_version"]: read_detections(item) for item in items}


def _uploaded_ids(answer: httpx.Response) -> list[str]:
    # The published loop answers something else: its body is not needed by nodes.
    body = answer.json()
    return [item["id"] for item in body["items"]] if isinstance(body, dict) else []


def _of_project(project_id: str) -> str:
    return f"{routes.V1}/projects/{project_id}/images"


def _bulk(path: str, body: dict[str, Any]) -> Call[BulkOutcome]:
    return Call(
        "POST",
        path,
        lambda answer: BulkOutcome.read(answer.json()),
        json=body,
        timeout_s=_BULK_TIMEOUT_S,
    )
