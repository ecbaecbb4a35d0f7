"""Uploads as published clients send them, for tests."""

import json
from collections.abc import Sequence
from typing import Any

import httpx

from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from fakes import jpeg

IMAGES = routes.images("zoo", "cats")
Part = tuple[str, tuple[str, bytes, str]]


def metadata_part(name: str = "image.json", **fields: Any) -> Part:
    """A JSON part as aiohttp sends it."""
    return ("files", (name, json.dumps(fields).encode(), "text/plain; charset=utf-8"))


def image_part(name: str = "image.jpg", *, seed: int = 0, data: bytes | None = None) -> Part:
    """An image part."""
    return ("files", (name, jpeg(seed=seed) if data is None else data, "image/jpeg"))


def pair(seed: int = 0, *, data: bytes | None = None, **fields: Any) -> list[Part]:
    """A pair whose names no other seed has."""
    return [
        metadata_part(f"image_{seed}.json", **fields),
        image_part(f"image_{seed}.jpg", seed=seed, data=data),
    ]


async def post(client: httpx.AsyncClient, parts: Sequence[Part]) -> httpx.Response:
    """Upload parts."""
    return await client.post(IMAGES, files=list(parts))


async def receipts(client: httpx.AsyncClient, parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Upload parts that must be taken."""
    answer = await post(client, parts)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def image_of(client: httpx.AsyncClient, receipt: dict[str, Any]) -> dict[str, Any]:
    """The image as the loop knows it."""
    image: dict[str, Any] = (await client.get(f"{V1}/images/{receipt['id']}")).json()
    return image
