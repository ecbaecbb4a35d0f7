"""Images and their metadata in a multipart body: bytes go to drafts of the storage as they come."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from fastapi import Request

from edgeloop.errors import TooLarge, Unprocessable
from edgeloop.loop.api.context import Parts
from edgeloop.loop.api.multipart import Bounds, Sink, receive_parts
from edgeloop.loop.api.pairing import is_metadata, pair_parts
from edgeloop.loop.services.uploads import Draft, Upload

MAX_METADATA_BYTES = 4 * 1024 * 1024
"""Parsing JSON holds up everybody else: this much takes a good third of a second."""
MAX_PARTS = 2000


@contextlib.asynccontextmanager
async def uploads_of(request: Request, parts: Parts) -> AsyncIterator[Sequence[Upload]]:
    """The pairs of image and metadata in a request, until the block ends.

    Raises Unprocessable also for a request that is too large: clients then send halves; and for one
    without any, since a device takes 200 for leave to delete its copies.
    """
    form = _Form(parts)
    try:
        bounds = Bounds(parts.settings.max_upload_bytes, MAX_PARTS, "send fewer images at once.")
        try:
            await receive_parts(request, form.open, bounds)
        except TooLarge as error:
            raise Unprocessable(str(error)) from error
        yield form.pairs()
    finally:
        await asyncio.to_thread(form.discard)


class _Form:
    """The parts of a request: documents in memory, images in drafts."""

    def __init__(self, parts: Parts) -> None:
        self._storage = parts.workspaces.storage
        self._max_image_bytes = parts.settings.max_image_bytes
        self._parts: list[_Document | _Image] = []

    def open(self, name: str) -> Sink:
        """A sink for the next part."""
        part: _Document | _Image
        if is_metadata(name):
            part = _Document(name)
        else:
            part = _Image(name, self._storage.draft(), self._max_image_bytes)
        self._parts.append(part)
        return part

    def pairs(self) -> list[Upload]:
        """Which belong together; raises Unprocessable."""
        if not self._parts:
            raise Unprocessable(
                "No image came: send multipart/form-data with pairs of a .json and a .jpg file."
            )
        documents = {i: part for i, part in enumerate(self._parts) if isinstance(part, _Document)}
        images = {i: part for i, part in enumerate(self._parts) if isinstance(part, _Image)}
        return [
            Upload(images[image].name, bytes(documents[metadata].content), images[image].draft)
            for metadata, image in pair_parts([part.name for part in self._parts])
        ]

    def discard(self) -> None:
        """Remove what was not published."""
        for part in self._parts:
            if isinstance(part, _Image):
                part.draft.discard()


class _Document:
    def __init__(self, name: str) -> None:
        self.name = name
        self.content = bytearray()

    def write(self, data: bytes) -> None:
        self.content += data
        _check_size(self.name, len(self.content), MAX_METADATA_BYTES)


class _Image:
    def __init__(self, name: str, draft: Draft, max_bytes: int) -> None:
        self.name = name
        self.draft = draft
        self._max_bytes = max_bytes

    def write(self, data: bytes) -> None:
        self.draft.write(data)
        _check_size(self.name, self.draft.size_bytes, self._max_bytes)


def _check_size(name: str, size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise Unprocessable(f"{name} has more than {max_bytes} bytes: send a smaller one.")
