"""Where the files of a model go, and the files as they come: spooled to the disk, not to memory."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.types import Message

from edgeloop import durable
from edgeloop.errors import TooLarge
from edgeloop.loop.api.context import Asking, Context
from edgeloop.loop.services import projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.archives import ReceivedFile
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.publishing import Upload
from edgeloop.loop.services.unpacking import unpacked

MAX_FILES = 1000


@dataclass(frozen=True, slots=True)
class ModelDestination:
    """A project of the caller and the format that is on its way to it."""

    asking: Context
    request: Request
    project: Project
    model_format: str

    @contextlib.asynccontextmanager
    async def received(self, *, unpack: bool = False) -> AsyncIterator[Upload]:
        """The files of the request, until the block ends; raises TooLarge, StorageFull.

        With ``unpack`` a zip that came alone stands for the files in it; raises Unprocessable.
        """
        limit = self.asking.parts.settings.max_upload_bytes
        with durable.storage_errors(Path(tempfile.gettempdir())):
            form = await _bounded(self.request, limit).form(max_files=MAX_FILES)
        try:
            parts = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
            files = [ReceivedFile(part.filename or "", part.file) for part in parts]
            loop_uri = str(self.request.base_url).rstrip("/")
            async with _unpacked(files, max_bytes=limit if unpack else 0) as sent:
                yield Upload(self.model_format, sent, loop_uri)
        finally:
            await form.close()


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


def _bounded(request: Request, limit: int) -> Request:
    """The request, cut off where its body gets too large, said or not."""
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise MultiPartException(f"The upload has more than {limit} bytes.")
        return message

    said = int(request.headers.get("content-length", "0"))
    if said > limit:
        raise TooLarge(f"The upload has {said} bytes: the loop accepts {limit} at once.")
    return Request(request.scope, receive)
