"""Models that no training of this loop made: people bring them, in one format at first."""

import contextlib
import uuid
from dataclasses import dataclass

from edgeloop.errors import Overloaded
from edgeloop.loop.db.tables import ModelRow
from edgeloop.loop.services import publishing
from edgeloop.loop.services.formats import check_format
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.publishing import Upload, VersionTaken
from edgeloop.loop.services.workspace import Caller, Workspaces
from edgeloop.protocol.payloads.categories import category_to_json

_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class NewModel:
    """The id and the version that a model was given."""

    id: str
    version: str


async def publish_alone(
    workspaces: Workspaces, caller: Caller, *, project: Project, upload: Upload
) -> NewModel:
    """Make a model of files; returns its id and its version, 0.n.

    Raises Unprocessable for files that make no model: then there is no model either.
    """
    check_format(upload.model_format)
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(VersionTaken):
            return await _publish(workspaces, caller, project=project, upload=upload)
    raise Overloaded(f"Too many models are on their way to {project.address}: wait and repeat.")


async def _publish(
    workspaces: Workspaces, caller: Caller, *, project: Project, upload: Upload
) -> NewModel:
    async with workspaces.read(caller) as workspace:
        version = await publishing.next_version(workspace, project.id)
        now = workspace.clock()
    categories = [category_to_json(category) for category in project.categories]
    model = ModelRow(
        id=str(uuid.uuid4()),
        project_id=project.id,
        categories=categories,
        counts={},
        metrics={},
        comment=f"uploaded at {now:%Y-%m-%d %H:%M:%S.%f}",
        created=now,
    )
    facts = {
        "organization": project.organization,
        "project": project.name,
        "version": version,
        "id": model.id,
        "categories": categories,
    }
    await publishing.store(workspaces, caller, facts=facts, upload=upload, new=model)
    return NewModel(model.id, version)
