"""Which model the detectors of a project shall run, now and before."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from edgeloop.errors import Conflict, NotFound
from edgeloop.loop.db.tables import DeploymentRow, ModelFileRow, ModelRow
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model that was made the target, when and by whom."""

    model_id: str
    version: str
    created: datetime
    author: str


async def deploy(workspace: Workspace, project: Project, *, model_id: str) -> Deployment:
    """Make a model the target; raises NotFound, and Conflict for a model without files.

    Deploying the present target again changes nothing.
    """
    model = await workspace.session.get(ModelRow, model_id)
    if model is None or model.project_id != project.id:
        raise NotFound(f"{project.address} has no model {model_id}.")
    files = select(ModelFileRow.format).where(ModelFileRow.model_id == model_id).limit(1)
    if model.version is None or await workspace.session.scalar(files) is None:
        raise Conflict(f"The model {model_id} has no files yet: deploy one that has a version.")
    present = await history(workspace, project, limit=1)
    if present and present[0].model_id == model_id:
        return present[0]
    row = DeploymentRow(
        project_id=project.id,
        model_id=model_id,
        author=workspace.caller.username,
        created=workspace.clock(),
    )
    workspace.session.add(row)
    await workspace.session.flush()
    return Deployment(model_id, model.version, row.created, row.author)


async def target(workspace: Workspace, project: Project) -> Deployment:
    """The present target; raises NotFound where nothing was deployed."""
    present = await history(workspace, project, limit=1)
    if not present:
        raise NotFound(f"No model of {project.address} is deployed.")
    return present[0]


async def history(workspace: Workspace, project: Project, *, limit: int) -> Sequence[Deployment]:
    """The last deployments of a project, newest first."""
    query = (
        select(DeploymentRow, ModelRow.version)
        .join(ModelRow, DeploymentRow.model_id == ModelRow.id)
        .where(DeploymentRow.project_id == project.id)
        .order_by(DeploymentRow.id.desc())
        .limit(limit)
    )
    rows = (await workspace.session.execute(query)).all()
    return [
        Deployment(row.model_id, version or "", row.created, row.author) for row, version in rows
    ]


async def targets(workspace: Workspace, project_ids: Collection[str]) -> set[str]:
    """The ids of the models that are targets in these projects."""
    newest = (
        select(func.max(DeploymentRow.id))
        .where(DeploymentRow.project_id.in_(project_ids))
        .group_by(DeploymentRow.project_id)
    )
    query = select(DeploymentRow.model_id).where(DeploymentRow.id.in_(newest))
    return set(await workspace.session.scalars(query))
