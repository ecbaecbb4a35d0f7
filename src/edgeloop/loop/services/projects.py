"""Projects and their categories."""

import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar, get_args

from sqlalchemy import ColumnElement, func, or_, select, true, tuple_

from edgeloop.errors import Conflict, Forbidden, NotFound, Unauthenticated, Unprocessable
from edgeloop.loop.db.tables import CategoryRow, ImageRow, OrganizationRow, ProjectRow
from edgeloop.loop.services import access, categories
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.categories import CategoryWish, wish_for
from edgeloop.loop.services.formats import check_format
from edgeloop.loop.services.workspace import Caller, Workspace
from edgeloop.types import Category, ImageState

RESERVED_ORGANIZATIONS = frozenset({"v1", "login", "logout", "status", "projects"})


class OfProject(Protocol):
    """A row that belongs to a project."""

    @property
    def project_id(self) -> str | None:
        """Whose it is."""
        ...


Owned = TypeVar("Owned", bound=OfProject)
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Project:
    """A project with its categories, in their order.

    New trainings start from the promoted model; every model shall have the wanted formats.
    """

    id: str
    organization: str
    name: str
    categories: tuple[Category, ...]
    open_to_devices: bool
    has_val_split: bool
    created: datetime
    promoted_model_id: str | None = None
    wanted_formats: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """ORGANIZATION/PROJECT."""
        return f"{self.organization}/{self.name}"

    @property
    def ids_by_name(self) -> Mapping[str, str]:
        """The id of each category, by its name."""
        return {category.name: category.id for category in self.categories}


@dataclass(frozen=True, slots=True)
class NewProject:
    """A project to be; its categories get ids of their own."""

    organization: str
    name: str
    categories: tuple[Category, ...] = ()
    open_to_devices: bool = False
    has_val_split: bool = False


@dataclass(frozen=True, slots=True)
class ProjectChange:
    """What of a project is to be changed; None leaves it as it is."""

    open_to_devices: bool | None = None
    has_val_split: bool | None = None
    wanted_formats: Sequence[str] | None = None
    categories: Sequence[CategoryWish] = ()


async def by_names(
    workspace: Workspace, organization: str, *, name: str, right: Right = Right.READ
) -> Project:
    """The project of these names for someone with this right; raises NotFound.

    Who may not see it is told the same whether it exists or not: without an account to log in
    (Unauthenticated, Forbidden), with one that there is none.
    """
    address = f"{organization}/{name}"
    found = await workspace.remembered(
        ("project", organization, name),
        (ProjectRow, CategoryRow, OrganizationRow),
        lambda: _named(workspace, organization, name),
    )
    is_open = found is not None and found.open_to_devices
    try:
        access.check(workspace.caller, right, address=address, is_open=is_open)
    except (Unauthenticated, Forbidden):
        if found is not None:
            _note_refusal(workspace, address, right)
        raise
    if found is None:
        raise NotFound(f"There is no project {organization}/{name}.")
    return found


async def _named(workspace: Workspace, organization: str, name: str) -> Project | None:
    condition = (ProjectRow.organization_id == organization, ProjectRow.name == name)
    row = await workspace.session.scalar(select(ProjectRow).where(*condition))
    return None if row is None else (await _with_categories(workspace, [row]))[0]


def _note_refusal(workspace: Workspace, address: str, right: Right) -> None:
    caller = workspace.caller
    if caller.is_device and right in access.DEVICE_RIGHTS:
        now = workspace.clock()
        workspace.refusals.note(address, peer=caller.peer, wanted=right, now=now)


async def by_id(workspace: Workspace, project_id: str, *, right: Right = Right.READ) -> Project:
    """The project of this id for someone with this right; raises as ``by_names`` does."""
    row = await _row(workspace, project_id, right=right)
    return (await _with_categories(workspace, [row]))[0]


async def owned(workspace: Workspace, row: Owned | None, *, right: Right, unseen: str) -> Owned:
    """A row for someone with this right in its project; None stands for a row that there is not.

    Raises as ``by_names`` does; NotFound says ``unseen``.
    """
    project_id = row.project_id if row is not None else None
    await _allowed(workspace, project_id, right=right, unseen=unseen)
    if row is None:
        raise NotFound(unseen)
    return row


def visible(caller: Caller) -> ColumnElement[bool]:
    """The condition on ``ProjectRow`` for projects that the caller may see."""
    if "" in caller.grants:
        return true()
    organizations = [address for address in caller.grants if "/" not in address]
    names = [address.split("/") for address in caller.grants if "/" in address]
    place = tuple_(ProjectRow.organization_id, ProjectRow.name)
    return or_(ProjectRow.organization_id.in_(organizations), place.in_(names))


async def find(
    workspace: Workspace,
    *,
    organization: str | None = None,
    name: str | None = None,
    limit: int | None = None,
    after: str | None = None,
) -> tuple[Project, ...]:
    """All projects that the caller may see, or those of these names, by organization and name.

    Up to ``limit``, if that is given, behind the address ``after``.
    """
    access.check_account(workspace.caller)
    query = select(ProjectRow).where(visible(workspace.caller))
    query = query.order_by(ProjectRow.organization_id, ProjectRow.name)
    if organization is not None:
        query = query.where(ProjectRow.organization_id == organization)
    if name is not None:
        query = query.where(ProjectRow.name == name)
    if after is not None:
        behind_organization, _, behind_name = after.partition("/")
        place = tuple_(ProjectRow.organization_id, ProjectRow.name)
        query = query.where(place > (behind_organization, behind_name))
    query = query.limit(limit)
    return await _with_categories(workspace, (await workspace.session.scalars(query)).all())


async def create(workspace: Workspace, new: NewProject) -> Project:
    """Add a project, its organization included; raises Unprocessable, Conflict.

    That takes a manager of the organization, an admin of the loop where it is new, and an admin of
    the organization to open the project to devices (Unauthenticated, Forbidden).
    """
    await _check_creator(workspace, new)
    check_organization(new.organization)
    _check_name("a project", new.name)
    session = workspace.session
    condition = (ProjectRow.organization_id == new.organization, ProjectRow.name == new.name)
    if await session.scalar(select(ProjectRow.id).where(*condition)):
        raise Conflict(f"There is a project {new.organization}/{new.name} already.")
    if await session.get(OrganizationRow, new.organization) is None:
        session.add(OrganizationRow(id=new.organization, created=workspace.clock()))
    row = ProjectRow(
        id=str(uuid.uuid4()),
        organization_id=new.organization,
        name=new.name,
        open_to_devices=new.open_to_devices,
        has_val_split=new.has_val_split,
        wanted_formats=[],
        created=workspace.clock(),
    )
    await session.flush()
    session.add(row)
    await session.flush()
    await categories.put(workspace, row.id, [wish_for(category) for category in new.categories])
    return await by_id(workspace, row.id)


async def update(workspace: Workspace, project_id: str, change: ProjectChange) -> Project:
    """Change what is given. A category of a known id, or name, is changed; others are added.

    That takes a manager, and to open or close the project an admin. Raises Unprocessable.
    """
    row = await _row(workspace, project_id, right=Right.EDIT_PROJECT)
    if change.open_to_devices not in (None, row.open_to_devices):
        await _row(workspace, project_id, right=Right.ADMINISTER)
    if change.open_to_devices is not None:
        row.open_to_devices = change.open_to_devices
        workspace.refusals.forget(f"{row.organization_id}/{row.name}")
    if change.has_val_split is not None:
        row.has_val_split = change.has_val_split
    if change.wanted_formats is not None:
        for name in change.wanted_formats:
            check_format(name)
        row.wanted_formats = list(dict.fromkeys(change.wanted_formats))
    await categories.put(workspace, project_id, change.categories)
    return await by_id(workspace, project_id)


async def image_counts(
    workspace: Workspace, project_ids: Collection[str]
) -> Mapping[str, Mapping[ImageState, int]]:
    """How many images of each state, by project id."""
    query = (
        select(ImageRow.project_id, ImageRow.state, func.count())
        .where(ImageRow.project_id.in_(project_ids))
        .group_by(ImageRow.project_id, ImageRow.state)
    )
    counts = {project_id: dict.fromkeys(get_args(ImageState), 0) for project_id in project_ids}
    for project_id, state, count in await workspace.session.execute(query):
        counts[project_id][state] = count
    return counts


async def _row(workspace: Workspace, project_id: str, *, right: Right) -> ProjectRow:
    unseen = f"There is no project with the id {project_id}."
    return await _allowed(workspace, project_id, right=right, unseen=unseen)


async def _allowed(
    workspace: Workspace, project_id: str | None, *, right: Right, unseen: str
) -> ProjectRow:
    row = await workspace.session.get(ProjectRow, project_id) if project_id else None
    if row is None:
        access.check_account(workspace.caller, right)
        raise NotFound(unseen)
    address = f"{row.organization_id}/{row.name}"
    is_open = row.open_to_devices
    access.check(workspace.caller, right, address=address, is_open=is_open, unseen=unseen)
    return row


async def _check_creator(workspace: Workspace, new: NewProject) -> None:
    caller = workspace.caller
    access.check_account(caller, Right.EDIT_PROJECT)
    is_new = await workspace.session.get(OrganizationRow, new.organization) is None
    if not (
        access.may(caller, Right.EDIT_PROJECT, address="" if is_new else new.organization)
    ):  # the same whether the organization exists or not
        raise Forbidden(
            f"A project in {new.organization} can be made by a manager of that organization, and "
            "by an admin of the loop where the organization is new."
        )
    if new.open_to_devices:
        access.check(caller, Right.ADMINISTER, address=new.organization)


async def _with_categories(workspace: Workspace, rows: Sequence[ProjectRow]) -> tuple[Project, ...]:
    found = await categories.of_projects(workspace, [row.id for row in rows])
    return tuple(
        Project(
            id=row.id,
            organization=row.organization_id,
            name=row.name,
            categories=found[row.id],
            open_to_devices=row.open_to_devices,
            has_val_split=row.has_val_split,
            created=row.created,
            promoted_model_id=row.promoted_model_id,
            wanted_formats=tuple(row.wanted_formats),
        )
        for row in rows
    )


def check_organization(name: str) -> None:
    """Raises Unprocessable for what cannot be the name of an organization."""
    _check_name("an organization", name)
    if name in RESERVED_ORGANIZATIONS:
        raise Unprocessable(f"The organization cannot be called {name!r}: choose another name.")


def _check_name(what: str, name: str) -> None:
    if not _SLUG.fullmatch(name):
        raise Unprocessable(
            f"{name!r} is no name for {what}: use up to 64 of a-z, 0-9, '-' and '_', a letter or "
            "digit first."
        )
