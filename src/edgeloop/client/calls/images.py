"""Calls about images, their annotations and detections."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import httpx

from edgeloop.client.call import Call, FilePart, nothing
from edgeloop.client.calls.page import Page, page_parser
from edgeloop.protocol import routes
from edgeloop.protocol.payloads.annotations import annotations_to_json
from edgeloop.protocol.payloads.detections import detections_to_json, read_detections
from edgeloop.protocol.payloads.images import image_metadata_to_json, read_image_record
from edgeloop.types import (
    Annotations,
    Detections,
    ImageMetadata,
    ImageRecord,
    ImageState,
    Split,
)


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
    pairs: Iterable[tuple[ImageMetadata, bytes]],
    *,
    login: bool = False,
) -> Call[list[str]]:
    """Up to 20 JPEGs with what is known of them; answers the images' ids. All or none are stored.

    States other than inbox and trash, annotations and ``split`` need a ``login``.
    """
    parts: list[FilePart] = []
    for number, (metadata, image) in enumerate(pairs):
        document = json.dumps(image_metadata_to_json(metadata)).encode()
        parts.append(FilePart(f"image_{number}.json", document, "text/plain; charset=utf-8"))
        parts.append(FilePart(f"image_{number}.jpg", image, "image/jpeg"))
    path = routes.images(organization, project)
    return Call("POST", path, _uploaded_ids, files=parts, login=login)


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
    *,
    state: ImageState | None = None,
    tag: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> Call[Page[ImageRecord]]:
    """One page of a project's images, oldest first."""
    query = {"state": state, "tag": tag, "after": after, "limit": str(limit)}
    parameters = httpx.QueryParams({key: value for key, value in query.items() if value})
    path = f"{routes.V1}/projects/{project_id}/images?{parameters}"
    return Call("GET", path, page_parser(read_image_record))


def image_detections(image_id: str) -> Call[dict[str, Detections]]:
    """What each model saw in an image, by model version."""
    return Call("GET", f"{routes.V1}/images/{image_id}/detections", _detections_by_version)


def annotate(
    image_id: str,
    annotations: Annotations,
    *,
    state: ImageState | None = None,
    split: Split | None = None,
    version: int | None = None,
) -> Call[ImageRecord]:
    """Replace an image's annotations; Conflict where ``version`` is not the present one."""
    wishes: dict[str, Any] = {"state": state, "set": split, "version": version}
    body = annotations_to_json(annotations) | {
        key: value for key, value in wishes.items() if value is not None
    }
    path = f"{routes.V1}/images/{image_id}/annotations"
    return Call("PUT", path, lambda answer: read_image_record(answer.json()), json=body)


def _records(answer: httpx.Response) -> list[ImageRecord]:
    return [read_image_record(image) for image in answer.json()["images"]]


def _detections_by_version(answer: httpx.Response) -> dict[str, Detections]:
    items = answer.json()["items"]
    return {item["model_version"]: read_detections(item) for item in items}


def _uploaded_ids(answer: httpx.Response) -> list[str]:
    # The published loop answers something else: its body is not needed by nodes.
    body = answer.json()
    return [item["id"] for item in body["items"]] if isinstance(body, dict) else []
