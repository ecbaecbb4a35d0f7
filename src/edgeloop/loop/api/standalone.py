"""Models that people bring: one zip, or its files, in a format of their own."""

from fastapi import APIRouter

from edgeloop.loop.api.destinations import AnyModel
from edgeloop.loop.api.published import NEW_MODEL, NewModelReceipt, told
from edgeloop.loop.services import standalone
from edgeloop.loop.services.formats import check_format
from edgeloop.protocol.routes import API

clients = APIRouter()
"""Routes that would swallow all others below a project: registered last."""

PROJECT = f"{API}/{{organization}}/projects/{{name}}"
_TOLD = told(NewModelReceipt, files=NEW_MODEL, errors=(409, 413, 507))


@clients.post(f"{PROJECT}/models/{{model_format}}", **_TOLD)
async def upload_files(destination: AnyModel) -> dict[str, str]:
    """Make a model of files, or of one zip with them, that no training made."""
    return await _published(destination)


@clients.post(f"{PROJECT}/{{model_format}}", **_TOLD)
async def upload_zip(destination: AnyModel) -> dict[str, str]:
    """Make a model of one zip, or of files, that no training made."""
    return await _published(destination)


async def _published(destination: AnyModel) -> dict[str, str]:
    asking = destination.asking
    check_format(destination.model_format)  # before its files come
    async with destination.received(unpack=True) as upload:
        model = await standalone.publish_alone(
            asking.parts.workspaces, asking.caller, project=destination.project, upload=upload
        )
    return {"id": model.id, "version": model.version}
