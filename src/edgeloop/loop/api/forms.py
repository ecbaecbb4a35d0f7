"""Multipart bodies with a bound: their parts lie in temporary files while they are looked at."""

import contextlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.types import Message

from edgeloop import durable
from edgeloop.errors import Unprocessable
from edgeloop.loop.api.pairing import pair_parts
from edgeloop.loop.services.uploads import Upload
from edgeloop.loop.settings import LoopSettings

MAX_METADATA_BYTES = 4 * 1024 * 1024
"""Parsing JSON holds up everybody else: this much takes a good third of a second."""
_MAX_PARTS = 2000
_READ_ON = 4
"""Up to so many times the bound is read and dropped, so that the sender gets to the answer."""


@contextlib.asynccontextmanager
async def uploads_of(request: Request, settings: LoopSettings) -> AsyncIterator[Sequence[Upload]]:
    """The pairs of image and metadata in a request, until the block ends; raises Unprocessable."""
    async with _files(request, settings.max_upload_bytes) as files:
        pairs = pair_parts([file.filename or "" for file in files])
        for metadata, image in pairs:
            _check_size(files[metadata], MAX_METADATA_BYTES)
            _check_size(files[image], settings.max_image_bytes)
        yield [await _upload(files[metadata], files[image]) for metadata, image in pairs]


@contextlib.asynccontextmanager
async def _files(request: Request, max_bytes: int) -> AsyncIterator[list[UploadFile]]:
    body = _BoundedBody(request, max_bytes)
    bounded = Request(request.scope, body.receive)
    with durable.storage_errors(Path(tempfile.gettempdir())):
        try:
            form = await bounded.form(max_files=_MAX_PARTS)
        except HTTPException as error:
            if body.is_too_large:
                await body.read_on()
                raise Unprocessable(
                    f"The upload has more than {max_bytes} bytes: send fewer images at once."
                ) from error
            raise
    try:
        yield [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
    finally:
        await form.close()


def _check_size(file: UploadFile, max_bytes: int) -> None:
    size = file.size or 0
    if size > max_bytes:
        raise Unprocessable(f"{file.filename} has {size} bytes: up to {max_bytes} are accepted.")


async def _upload(metadata: UploadFile, image: UploadFile) -> Upload:
    async def read() -> bytes:
        await image.seek(0)
        return await image.read()

    return Upload(image.filename or "", await metadata.read(), read)


class _BoundedBody:
    def __init__(self, request: Request, max_bytes: int) -> None:
        self._request = request
        self._max_bytes = max_bytes
        self._received = 0
        self._is_read = False

    @property
    def is_too_large(self) -> bool:
        return self._received > self._max_bytes

    async def receive(self) -> Message:
        message = await self._request.receive()
        self._received += len(message.get("body", b""))
        self._is_read = not message.get("more_body", False)
        if self.is_too_large:
            raise MultiPartException("too large")
        return message

    async def read_on(self) -> None:
        while not self._is_read and self._received < _READ_ON * self._max_bytes:
            with contextlib.suppress(MultiPartException):
                await self.receive()
