"""The end of a project: its rows, the files that nobody else needs, and what trainers do for it."""

from sqlalchemy import delete, select, update

from edgeloop.loop.db.tables import ImageRow, ModelFileRow, ModelRow, NodeRow, ProjectRow
from edgeloop.loop.services import dismissals, files, projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.workspace import Caller, Workspace, Workspaces


async def delete_project(
    workspaces: Workspaces, caller: Caller, organization: str, *, name: str
) -> None:
    """Delete a project with all that is in it, for good; raises NotFound.

    The trainers at work for it are told to abort, those that are away when they come back. Nodes
    are remembered, without a project.
    """
    async with files.in_doubt(workspaces) as doubt, workspaces.write(caller) as workspace:
        project = await projects.by_names(
            workspace, organization, name=name, right=Right.ADMINISTER
        )
        await _delete(workspace, project, doubt)


async def delete_project_by_id(workspaces: Workspaces, caller: Caller, project_id: str) -> None:
    """The same, of the project with this id."""
    async with files.in_doubt(workspaces) as doubt, workspaces.write(caller) as workspace:
        project = await projects.by_id(workspace, project_id, right=Right.ADMINISTER)
        await _delete(workspace, project, doubt)


async def _delete(workspace: Workspace, project: Project, doubt: files.Doubt) -> None:
    await doubt.add(await _keys(workspace, project))
    await dismissals.dismiss(workspace, project)
    session = workspace.session
    theirs = NodeRow.project_id == project.id
    await session.execute(update(NodeRow).where(theirs).values(project_id=None))
    await session.execute(delete(ProjectRow).where(ProjectRow.id == project.id))


async def _keys(workspace: Workspace, project: Project) -> set[str]:
    """Where the storage keeps the project's images and models."""
    images = select(ImageRow.content_hash).where(ImageRow.project_id == project.id)
    models = select(ModelFileRow.storage_key).join(ModelRow)
    hashes = await workspace.session.scalars(images)
    keys = await workspace.session.scalars(models.where(ModelRow.project_id == project.id))
    return {*(files.image_key(content_hash) for content_hash in hashes), *keys}
