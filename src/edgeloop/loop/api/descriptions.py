"""Images as JSON text, quickly: their shapes are JSON already."""

from collections.abc import Iterable
from typing import Any

import orjson
from fastapi import Response

from edgeloop.loop.services.detections import NOTHING_SEEN
from edgeloop.loop.services.images import Image
from edgeloop.loop.services.projects import Project


def image_json(image: Image) -> bytes:
    """An image as our own API describes it."""
    facts = {
        **_facts(image),
        "annotation_version": image.annotation_version,
        "received": image.received,
        "camera_id": image.camera_id,
        "size_bytes": image.size_bytes,
        "confidence": image.confidence,
        "novelty": image.novelty,
    }
    return joined(orjson.dumps(facts), image.shapes.encode())


def client_image_json(image: Image, project: Project, detections: str | None) -> bytes:
    """An image as published clients read it, with detections that are JSON already."""
    resource = f"/{project.organization}/projects/{project.name}/images/{image.id}"
    places = {"resource": f"{resource}/main", "thumbnail": f"{resource}/thumb"}
    return joined(
        orjson.dumps({**_facts(image), **places}),
        image.shapes.encode(),
        (detections or NOTHING_SEEN).encode(),
    )


def joined(*objects: bytes) -> bytes:
    """JSON objects, none of them empty and with no key in common, as one object."""
    return b"{" + b",".join(text[1:-1] for text in objects) + b"}"


def listed(items: Iterable[bytes], *, after: str | None) -> Response:
    """A page of JSON texts; ``after`` is where the next one begins."""
    ending = orjson.dumps({"next": after})[1:]
    return json_response(b'{"items":[' + b",".join(items) + b"]," + ending)


def json_response(text: bytes) -> Response:
    """JSON that is written already."""
    return Response(text, media_type="application/json")


def _facts(image: Image) -> dict[str, Any]:
    return {
        "id": image.id,
        "set": image.split,
        "width": image.width,
        "height": image.height,
        "state": image.state,
        "frame_id": image.frame_id,
        "tags": image.tags,
        "source": image.source,
        "created": image.created,
    }
