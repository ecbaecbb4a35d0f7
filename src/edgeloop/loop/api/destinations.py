"""Where the files of a model go, and the files as they come: spooled to the disk, not to memory."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated

from fastapi import Depends, Request

from edgeloop import durable
from edgeloop.loop.api.context import Asking, Context
from edgeloop.loop.api.multipart import Bounds, Sink, receive_parts
from edgeloop.loop.services import projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.archives import ReceivedFile
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.publishing import Upload
from edgeloop.loop.services.unpacking import unpacked

MAX_FILES = 1000
_IN_MEMORY = 1 << 16
"""Smaller files need none on the disk."""


@dataclass(frozen=True, slots=True)
class ModelDestination:
    """A project of the caller and the format that is on its way to it."""

    asking: Context
    request: Request
    project: Project
    model_format: str

    @contextlib.asynccontextmanager
    async def received(self, *, unpack: bool = False) -> AsyncIterator[Upload]:
        """The files of the request, until the block ends; raises TooLarge, InputError, StorageFull.

        With ``unpack`` a zip that came alone stands for the files in it; raises Unprocessable.
        """
        limit = self.asking.parts.settings.max_upload_bytes
        form = _Form()
        try:
            bounds = Bounds(limit, MAX_FILES, "raise --max-upload-bytes of the loop.")
            await receive_parts(self.request, form.open, bounds)
            loop_uri = str(self.request.base_url).rstrip("/")
            async with _unpacked(form.files, max_bytes=limit if unpack else 0) as sent:
                yield Upload(self.model_format, sent, loop_uri)
        finally:
            await asyncio.to_thread(form.close)


def destination_for(right: Right) -> Callable[..., Awaitable[ModelDestination]]:
    """Finds the destination in a request's path, for someone with this right.

    It is checked before the files come.
    """

    async def destination_of(
        asking: Asking, request: Request, organization: str, name: str, model_format: str
    ) -> ModelDestination:
        async with asking.read() as workspace:
            project = await projects.by_names(workspace, organization, name=name, right=right)
        return ModelDestination(asking, request, project, model_format)

    return destination_of


TrainedModel = Annotated[ModelDestination, Depends(destination_for(Right.TRAIN))]
AnyModel = Annotated[ModelDestination, Depends(destination_for(Right.MANAGE_MODELS))]


@contextlib.asynccontextmanager
async def _unpacked(
    files: Sequence[ReceivedFile], *, max_bytes: int
) -> AsyncIterator[Sequence[ReceivedFile]]:
    if not max_bytes or len(files) != 1 or not files[0].name.lower().endswith(".zip"):
        yield files
        return
    with contextlib.ExitStack() as stack:
        archive = unpacked(files[0], max_bytes=max_bytes)
        yield await asyncio.to_thread(stack.enter_context, archive)


class _Form:
    """The files of a request, in temporary files without names."""

    def __init__(self) -> None:
        self.files: list[ReceivedFile] = []
        self._open_files = contextlib.ExitStack()

    def open(self, name: str) -> Sink:
        """A sink for the next file."""
        content: IO[bytes] = self._open_files.enter_context(
            tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - the stack closes it
        )
        self.files.append(ReceivedFile(name, content))
        return _File(content)

    def close(self) -> None:
        """Nobody needs them any more."""
        self._open_files.close()


@dataclass(frozen=True, slots=True)
class _File:
    content: IO[bytes]

    def write(self, data: bytes) -> None:
        with durable.storage_errors(Path(tempfile.gettempdir())):
            self.content.write(data)
