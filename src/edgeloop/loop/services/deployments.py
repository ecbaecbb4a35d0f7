"""Which model the detectors of a project shall run, now and before."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select

from edgeloop.errors import Conflict, NotFound
from edgeloop.loop.db.tables import DeploymentRow, ModelFileRow, ModelRow, ProjectRow
from edgeloop.loop.services import projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.workspace import Caller, Workspace, Workspaces


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model that was made the target, when and by whom.

    ``restores`` is the id of the deployment that a rollback went back to.
    """

    model_id: str
    version: str
    created: datetime
    author: str
    id: int = field(default=0, compare=False)
    restores: int | None = None


async def make_target(
    workspaces: Workspaces, caller: Caller, project_id: str, *, model_id: str
) -> Deployment:
    """Make a model the target; raises NotFound, and Conflict for a retired model and for one
    whose files are missing.

    Deploying the present target again changes nothing.
    """
    async with workspaces.read(caller) as workspace:
        project = await projects.by_id(workspace, project_id, right=Right.DEPLOY)
        await _check_files(workspace, project, model_id)
    async with workspaces.write(caller) as workspace:
        return await deploy(workspace, project, model_id=model_id)


async def roll_back(
    workspaces: Workspaces, caller: Caller, project_id: str, *, model_id: str | None = None
) -> Deployment:
    """Go back to the deployment before the present one, or to the last one of a model.

    Again and again it goes further back. Raises NotFound, and Conflict where there is nothing to
    go back to, and as ``make_target`` does.
    """
    async with workspaces.read(caller) as workspace:
        project = await projects.by_id(workspace, project_id, right=Right.DEPLOY)
        former = await _former(workspace, project, model_id)
        await _check_files(workspace, project, former.model_id)
    restores = former.restores or former.id
    async with workspaces.write(caller) as workspace:
        return await deploy(workspace, project, model_id=former.model_id, restores=restores)


async def deploy(
    workspace: Workspace, project: Project, *, model_id: str, restores: int | None = None
) -> Deployment:
    """The same for whoever knows that the files are there; ``restores`` is noted with it."""
    model = await _deployable(workspace, project, model_id)
    present = await history(workspace, project, limit=1)
    if present and present[0].model_id == model_id:
        return present[0]
    row = DeploymentRow(
        project_id=project.id,
        model_id=model_id,
        author=workspace.caller.username,
        restores=restores,
        created=workspace.clock(),
    )
    workspace.session.add(row)
    await workspace.session.flush()
    return _deployment(row, model.version)


async def target(workspace: Workspace, project: Project) -> Deployment:
    """The present target; raises NotFound where nothing was deployed."""
    present = await workspace.remembered(
        ("target", project.id),
        (DeploymentRow, ModelRow, ProjectRow),
        lambda: history(workspace, project, limit=1),
    )
    if not present:
        raise NotFound(f"No model of {project.address} is deployed.")
    return present[0]


async def history(
    workspace: Workspace, project: Project, *, limit: int, before: int | None = None
) -> Sequence[Deployment]:
    """The last deployments of a project, newest first, those with an id below ``before``."""
    query = (
        select(DeploymentRow, ModelRow.version)
        .join(ModelRow, DeploymentRow.model_id == ModelRow.id)
        .where(DeploymentRow.project_id == project.id)
    )
    if before is not None:
        query = query.where(DeploymentRow.id < before)
    rows = await workspace.session.execute(query.order_by(DeploymentRow.id.desc()).limit(limit))
    return [_deployment(row, version) for row, version in rows]


async def targets(workspace: Workspace, project_ids: Collection[str]) -> set[str]:
    """The ids of the models that are targets in these projects."""
    newest = (
        select(func.max(DeploymentRow.id))
        .where(DeploymentRow.project_id.in_(project_ids))
        .group_by(DeploymentRow.project_id)
    )
    query = select(DeploymentRow.model_id).where(DeploymentRow.id.in_(newest))
    return set(await workspace.session.scalars(query))


async def _former(workspace: Workspace, project: Project, model_id: str | None) -> Deployment:
    present = await target(workspace, project)
    query = select(DeploymentRow).where(
        DeploymentRow.project_id == project.id, DeploymentRow.model_id != present.model_id
    )
    if model_id is None:
        # What a rollback restored stands where it stood before.
        query = query.where(DeploymentRow.id < (present.restores or present.id))
    else:
        query = query.where(DeploymentRow.model_id == model_id)
    found = await workspace.session.scalar(query.order_by(DeploymentRow.id.desc()).limit(1))
    if found is None:
        what = "No other model" if model_id is None else f"The model {model_id}"
        raise Conflict(
            f"{what} was deployed in {project.address} before {present.version}: deploy one."
        )
    return _deployment(found, None)


async def _deployable(workspace: Workspace, project: Project, model_id: str) -> ModelRow:
    model = await workspace.session.get(ModelRow, model_id)
    if model is None or model.project_id != project.id:
        raise NotFound(f"{project.address} has no model {model_id}.")
    files = select(ModelFileRow.format).where(ModelFileRow.model_id == model_id).limit(1)
    if model.version is None or await workspace.session.scalar(files) is None:
        raise Conflict(f"The model {model_id} has no files yet: deploy one that has a version.")
    if model.retired:
        raise Conflict(f"The model {model.version} is retired: deploy another one.")
    return model


async def _check_files(workspace: Workspace, project: Project, model_id: str) -> None:
    model = await _deployable(workspace, project, model_id)
    files = await workspace.session.scalars(
        select(ModelFileRow).where(ModelFileRow.model_id == model_id)
    )
    missing = [
        file.format for file in files.all() if not await workspace.storage.exists(file.storage_key)
    ]
    if missing:
        raise Conflict(
            f"The {', '.join(missing)} files of model {model.version} of {project.address} are "
            "lost: upload them again, or deploy another one."
        )


def _deployment(row: DeploymentRow, version: str | None) -> Deployment:
    return Deployment(
        row.model_id, version or "", row.created, row.author, id=row.id, restores=row.restores
    )
