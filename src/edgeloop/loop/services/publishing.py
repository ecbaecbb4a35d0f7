"""How a model gets its files: one format at a time, all or nothing, and again if need be."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from edgeloop.errors import NotFound, Overloaded
from edgeloop.loop.db.tables import ModelFileRow, ModelRow, TrainingRow
from edgeloop.loop.services import conversions, files, models, trainings
from edgeloop.loop.services.archives import Archive, ReceivedFile, archive_of
from edgeloop.loop.services.files import MODELS
from edgeloop.loop.services.formats import check_format
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.trainings import TrainingState, Wish
from edgeloop.loop.services.workspace import Caller, Workspace, Workspaces
from edgeloop.loop.storage import StoredFile

MAX_SIDE = 1 << 16


@dataclass(frozen=True, slots=True)
class Upload:
    """The files of a model in one format; ``loop_uri`` is where the loop was reached."""

    model_format: str
    files: Sequence[ReceivedFile]
    loop_uri: str


class VersionTaken(Overloaded):
    """Another upload was faster: the version that the files were given is in use."""


async def publish_newest(
    workspaces: Workspaces, caller: Caller, *, project: Project, number: int, upload: Upload
) -> str:
    """Add a format to the newest model of training ``number``; returns the model's id.

    Raises NotFound where there is no such training, or none that is wanted any more.
    """
    async with workspaces.write(caller) as workspace:
        training = await trainings.numbered(workspace, project.id, number)
        if training.state == TrainingState.ABORTED or training.wish == Wish.ABORT:
            raise NotFound(f"Training {number} of {project.address} was aborted.")
        model = await models.newest_of_training(workspace, training.id)
        model = model or await models.add(workspace, training)
    return await publish(workspaces, caller, project=project, model_id=model.id, upload=upload)


async def publish(
    workspaces: Workspaces, caller: Caller, *, project: Project, model_id: str, upload: Upload
) -> str:
    """Add a format to a model, or replace it; returns the model's id.

    The first files give the model its version. Raises NotFound, and Unprocessable for files that
    make no model.
    """
    check_format(upload.model_format)
    async with workspaces.read(caller) as workspace:
        facts = await _facts(workspace, project, model_id=model_id)
    await store(workspaces, caller, facts=facts, upload=upload)
    return model_id


async def store(
    workspaces: Workspaces,
    caller: Caller,
    *,
    facts: Mapping[str, Any],
    upload: Upload,
    new: ModelRow | None = None,
) -> None:
    """Keep files as a format of a model that has a row, or gets ``new`` together with them.

    ``facts`` are what its ``model.json`` must say. Raises VersionTaken, and Unprocessable for
    files that make no model.
    """
    described = {**facts, "host": upload.loop_uri, "format": upload.model_format}
    async with _zipped(upload.files, described) as archive:
        key = f"{MODELS}/{facts['id']}/{upload.model_format}-{archive.content_hash[:16]}.zip"
        async with files.in_doubt(workspaces, [key]) as doubt:
            stored = await workspaces.storage.put(key, archive.content)
            async with workspaces.write(caller) as workspace:
                if new is not None:
                    workspace.session.add(new)
                    await workspace.session.flush()
                replaced = await _record(workspace, upload.model_format, facts=facts, stored=stored)
                await doubt.add(replaced)


async def next_version(
    workspace: Workspace, project_id: str, training: TrainingRow | None = None
) -> str:
    """TRAINING.n for the next model of a training, 0.n for one that no training made."""
    query = select(ModelRow.version).where(
        ModelRow.project_id == project_id,
        ModelRow.training_id == (training.id if training else None),
    )
    given = [version for version in await workspace.session.scalars(query) if version]
    newest = max((int(version.split(".")[-1]) for version in given), default=-1)
    return f"{training.number if training else 0}.{newest + 1}"


async def _facts(workspace: Workspace, project: Project, *, model_id: str) -> dict[str, Any]:
    """What the model's ``model.json`` must say."""
    model = await workspace.session.get(ModelRow, model_id)
    if model is None or model.project_id != project.id:
        raise NotFound(f"{project.address} has no model {model_id}.")
    training = await workspace.session.get(TrainingRow, model.training_id or "")
    parameters = training.hyperparameters if training else {}
    return {
        "organization": project.organization,
        "project": project.name,
        "version": model.version or await next_version(workspace, project.id, training),
        "id": model.id,
        "categories": model.categories,
        "resolution": _resolution(parameters),
        "model_size": training.variant if training else "",
    }


def _resolution(parameters: Mapping[str, Any]) -> int | None:
    def side(name: str) -> int:
        value = parameters.get(name)
        return int(value) if isinstance(value, int | float) and 1 < value < MAX_SIDE else 0

    return side("resolution") or max(side("width"), side("height")) or None


@contextlib.asynccontextmanager
async def _zipped(
    files: Sequence[ReceivedFile], facts: Mapping[str, Any]
) -> AsyncIterator[Archive]:
    archive = archive_of(files, facts)
    opened = await asyncio.to_thread(archive.__enter__)
    try:
        yield opened
    finally:
        await asyncio.to_thread(archive.__exit__, None, None, None)


async def _record(
    workspace: Workspace, model_format: str, *, facts: Mapping[str, Any], stored: StoredFile
) -> Collection[str]:
    """Returns the storage key of the zip that this one replaces, if any."""
    model = await workspace.session.get_one(ModelRow, facts["id"])
    if model.version not in (None, facts["version"]):
        raise VersionTaken(f"The model {model.id} got its version meanwhile: upload again.")
    await _check_version(workspace, model, facts["version"])
    model.version = facts["version"]
    row = await workspace.session.get(ModelFileRow, (model.id, model_format))
    replaced = [row.storage_key] if row else []
    if row is None:
        row = ModelFileRow(model_id=model.id, format=model_format)
        workspace.session.add(row)
    row.storage_key = stored.key
    row.size_bytes = stored.size_bytes
    row.content_hash = stored.content_hash
    row.created = workspace.clock()
    await conversions.forget(workspace, model.id, model_format=model_format)
    return replaced


async def _check_version(workspace: Workspace, model: ModelRow, version: str) -> None:
    query = select(ModelRow.id).where(
        ModelRow.project_id == model.project_id,
        ModelRow.version == version,
        ModelRow.id != model.id,
    )
    if await workspace.session.scalar(query):
        raise VersionTaken(f"Another model got the version {version} meanwhile: upload again.")
