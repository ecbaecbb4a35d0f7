"""Projects."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from edgeloop.client.calls.records import ProjectRecord
from edgeloop.loop.api.context import Asking
from edgeloop.loop.api.documented import Nothing, answers, page_of
from edgeloop.loop.api.paging import Limit, page
from edgeloop.loop.api.published import ClientProject, ClientProjects, told
from edgeloop.loop.services import projects, removal
from edgeloop.loop.services.categories import CategoryWish
from edgeloop.loop.services.projects import NewProject, Project, ProjectChange
from edgeloop.loop.services.workspace import Workspace
from edgeloop.protocol.payloads.categories import category_to_json
from edgeloop.protocol.payloads.parsing import Payload, Text, shown
from edgeloop.protocol.routes import API, V1
from edgeloop.types import Category, CategoryType, ImageState

router = APIRouter()
MAX_POINT_SIZE = 10_000
MAX_FORMATS = 20


class CategoryBody(Payload):
    """A category that may be new: then it has no id. What is left out stays as it is."""

    id: Text = ""
    name: Annotated[Text, shown("cup")] = ""
    type: CategoryType | None = None
    color: Annotated[Text, shown("#00A0E0")] = ""
    description: str | None = None
    hotkey: Annotated[str | None, shown("c")] = None
    point_size: int | None = Field(default=None, ge=0, le=MAX_POINT_SIZE)

    def to_wish(self) -> CategoryWish:
        """The wish as a value."""
        return CategoryWish(**self.model_dump())

    def to_type(self) -> Category:
        """The new category as a value."""
        return Category(
            id="",
            name=self.name,
            type=self.type or "box",
            color=self.color,
            description=self.description or "",
            hotkey=self.hotkey or "",
            point_size=self.point_size,
        )


class NewProjectBody(Payload):
    """A project to be."""

    organization: Annotated[str, shown("acme")]
    name: Annotated[str, shown("cups")]
    categories: tuple[CategoryBody, ...] = ()
    open_to_devices: bool = False
    has_val_split: bool = False

    def to_type(self) -> NewProject:
        """The project to be as a value."""
        return NewProject(
            organization=self.organization,
            name=self.name,
            categories=tuple(category.to_type() for category in self.categories),
            open_to_devices=self.open_to_devices,
            has_val_split=self.has_val_split,
        )


class ProjectChangeBody(Payload):
    """What of a project is to be changed."""

    open_to_devices: Annotated[bool | None, shown(True)] = None
    has_val_split: bool | None = None
    wanted_formats: Annotated[list[str] | None, shown(["onnx"])] = Field(
        default=None, max_length=MAX_FORMATS
    )
    categories: tuple[CategoryBody, ...] = ()

    def to_change(self) -> ProjectChange:
        """The change as a value."""
        return ProjectChange(
            open_to_devices=self.open_to_devices,
            has_val_split=self.has_val_split,
            wanted_formats=self.wanted_formats,
            categories=[category.to_wish() for category in self.categories],
        )


@router.get(f"{V1}/projects", **answers(page_of(ProjectRecord)))
async def find(
    asking: Asking,
    organization: str | None = None,
    name: str | None = None,
    limit: Limit = 100,
    after: str | None = None,
) -> dict[str, Any]:
    """All projects, or those of these names, by organization and name."""
    async with asking.read() as workspace:
        found = await projects.find(
            workspace, organization=organization, name=name, limit=limit + 1, after=after
        )
        counts = await projects.image_counts(workspace, [project.id for project in found])
    return page(
        found,
        limit=limit,
        encode=lambda project: _to_json(project, counts[project.id]),
        cursor=lambda project: project.address,
    )


@router.post(f"{V1}/projects", **answers(ProjectRecord, errors=(409,)))
async def create(asking: Asking, body: NewProjectBody) -> dict[str, Any]:
    """Add a project, its organization included."""
    async with asking.write() as workspace:
        return await _counted(workspace, await projects.create(workspace, body.to_type()))


@router.get(f"{V1}/projects/{{project_id}}", **answers(ProjectRecord))
async def get(asking: Asking, project_id: str) -> dict[str, Any]:
    """One project."""
    async with asking.read() as workspace:
        return await _counted(workspace, await projects.by_id(workspace, project_id))


@router.patch(f"{V1}/projects/{{project_id}}", **answers(ProjectRecord))
async def change(asking: Asking, project_id: str, body: ProjectChangeBody) -> dict[str, Any]:
    """Change what is given: devices, split, wanted formats; add or change categories."""
    async with asking.write() as workspace:
        changed = await projects.update(workspace, project_id, body.to_change())
        return await _counted(workspace, changed)


@router.delete(f"{V1}/projects/{{project_id}}", **answers(Nothing))
async def delete(asking: Asking, project_id: str) -> dict[str, Any]:
    """Delete a project with all that is in it, for good."""
    await removal.delete_project_by_id(asking.parts.workspaces, asking.caller, project_id)
    asking.parts.on_training()
    return {}


@router.get(f"{API}/projects", **told(ClientProjects))
async def list_for_clients(asking: Asking) -> dict[str, Any]:
    """All projects, as published clients read them."""
    async with asking.read() as workspace:
        found = await projects.find(workspace)
    return {"projects": [_to_client_json(project) for project in found]}


clients = APIRouter()
"""Routes below an organization: registered after all fixed paths."""


@clients.get(f"{API}/{{organization}}/projects/{{name}}", **told(ClientProject))
async def get_for_clients(asking: Asking, organization: str, name: str) -> dict[str, Any]:
    """One project, as published clients read it."""
    async with asking.read() as workspace:
        return _to_client_json(await projects.by_names(workspace, organization, name=name))


@clients.delete(f"{API}/{{organization}}/projects/{{name}}", **told(Nothing))
async def delete_for_clients(asking: Asking, organization: str, name: str) -> dict[str, Any]:
    """Delete a project with all that is in it, for good."""
    workspaces = asking.parts.workspaces
    await removal.delete_project(workspaces, asking.caller, organization, name=name)
    asking.parts.on_training()
    return {}


async def _counted(workspace: Workspace, project: Project) -> dict[str, Any]:
    counts = await projects.image_counts(workspace, [project.id])
    return _to_json(project, counts[project.id])


def _to_json(project: Project, counts: Mapping[ImageState, int]) -> dict[str, Any]:
    return {
        "id": project.id,
        "organization": project.organization,
        "name": project.name,
        "categories": [category_to_json(category) for category in project.categories],
        "open_to_devices": project.open_to_devices,
        "has_val_split": project.has_val_split,
        "promoted_model_id": project.promoted_model_id,
        "wanted_formats": list(project.wanted_formats),
        "created": project.created.isoformat(),
        "image_counts": dict(counts),
    }


def _to_client_json(project: Project) -> dict[str, Any]:
    return {
        "organization_id": project.organization,
        "project_id": project.name,
        "resource": f"/{project.organization}/projects/{project.name}",
        "categories": [category_to_json(category) for category in project.categories],
    }
