"""Calls about annotations and their history."""

from typing import Any
from urllib.parse import quote

from edgeloop.client.call import Call
from edgeloop.client.calls.image_records import AnnotationVersion, ImageAnnotations, ImageDetails
from edgeloop.client.calls.page import Page, page_parser, paging
from edgeloop.protocol import routes
from edgeloop.protocol.payloads.annotations import annotations_to_json
from edgeloop.types import Annotations, ImageState, Split


def annotations(image_id: str) -> Call[ImageAnnotations]:
    """What people say is in an image, and in which version."""
    return Call("GET", _path(image_id), lambda answer: ImageAnnotations.read(answer.json()))


def annotate(
    image_id: str,
    made: Annotations,
    *,
    state: ImageState | None = None,
    split: Split | None = None,
    version: int | None = None,
) -> Call[ImageDetails]:
    """Replace an image's annotations; Conflict where ``version`` is not the present one."""
    wishes: dict[str, Any] = {"state": state, "set": split, "version": version}
    body = annotations_to_json(made) | {
        key: value for key, value in wishes.items() if value is not None
    }
    path = _path(image_id)
    return Call("PUT", path, lambda answer: ImageDetails.read(answer.json()), json=body)


def annotation_history(
    image_id: str, *, after: str | None = None, limit: int = 100
) -> Call[Page[AnnotationVersion]]:
    """The versions of an image's annotations, the newest first."""
    path = f"{_path(image_id)}/history?{paging(after, limit)}"
    return Call("GET", path, page_parser(AnnotationVersion.read))


def restore_annotations(
    image_id: str, version: int, *, seen: int | None = None
) -> Call[ImageDetails]:
    """Make an earlier version the newest; Conflict where ``seen`` is not the newest until now."""
    path = f"{_path(image_id)}/restore"
    body = {"version": version, "seen": seen}
    return Call("POST", path, lambda answer: ImageDetails.read(answer.json()), json=body)


def _path(image_id: str) -> str:
    return f"{routes.V1}/images/{quote(image_id, safe='')}/annotations"
