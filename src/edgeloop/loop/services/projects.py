"""Projects and their categories."""

import re
import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar, get_args

from sqlalchemy import ColumnElement, func, or_, select, true, tuple_

from edgeloop.errors import Conflict, Forbidden, NotFound, Unprocessable
from edgeloop.loop.db.tables import CategoryRow, ImageRow, OrganizationRow, ProjectRow
from edgeloop.loop.services import access
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.workspace import Caller, Workspace
from edgeloop.types import Category, CategoryType, ImageState

RESERVED_ORGANIZATIONS = frozenset({"v1", "login", "logout", "status", "projects"})
_COLORS = (
    "#00A0E0",
    "#E0561B",
    "#3FA34D",
    "#C2185B",
    "#F2B705",
    "#7B4FB5",
    "#00897B",
    "#8D6E63",
)
"""Given in turn to categories that come without a colour."""


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
    """A project with its categories, in their order."""

    id: str
    organization: str
    name: str
    categories: tuple[Category, ...]
    open_to_devices: bool
    has_val_split: bool
    created: datetime

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


async def by_names(
    workspace: Workspace, organization: str, *, name: str, right: Right = Right.READ
) -> Project:
    """The project of these names for someone with this right; raises NotFound.

    Who may not see it is told the same whether it exists or not: without an account to log in
    (Unauthenticated, Forbidden), with one that there is none.
    """
    condition = (ProjectRow.organization_id == organization, ProjectRow.name == name)
    row = await workspace.session.scalar(select(ProjectRow).where(*condition))
    is_open = row is not None and row.open_to_devices
    access.check(workspace.caller, right, address=f"{organization}/{name}", is_open=is_open)
    if row is None:
        raise NotFound(f"There is no project {organization}/{name}.")
    return (await _with_categories(workspace, [row]))[0]


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
    workspace: Workspace, *, organization: str | None = None, name: str | None = None
) -> tuple[Project, ...]:
    """All projects that the caller may see, or those of these names, by organization and name."""
    access.check_account(workspace.caller)
    query = select(ProjectRow).where(visible(workspace.caller))
    query = query.order_by(ProjectRow.organization_id, ProjectRow.name)
    if organization is not None:
        query = query.where(ProjectRow.organization_id == organization)
    if name is not None:
        query = query.where(ProjectRow.name == name)
    return await _with_categories(workspace, (await workspace.session.scalars(query)).all())


async def create(workspace: Workspace, new: NewProject) -> Project:
    """Add a project, its organization included; raises Unprocessable, Conflict.

    That takes a manager of the organization, an admin of the loop where it is new, and an admin of
    the organization to open the project to devices (Unauthenticated, Forbidden).
    """
    await _check_creator(workspace, new)
    _check_names(new)
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
        created=workspace.clock(),
    )
    await session.flush()
    session.add(row)
    await session.flush()
    await _put_categories(workspace, row.id, new.categories)
    return await by_id(workspace, row.id)


async def update(
    workspace: Workspace,
    project_id: str,
    *,
    open_to_devices: bool | None = None,
    has_val_split: bool | None = None,
    categories: Sequence[Category] = (),
) -> Project:
    """Change what is given. A category of a known id, or name, is changed; others are added.

    That takes a manager, and to open or close the project an admin.
    """
    row = await _row(workspace, project_id, right=Right.EDIT_PROJECT)
    if open_to_devices not in (None, row.open_to_devices):
        await _row(workspace, project_id, right=Right.ADMINISTER)
    if open_to_devices is not None:
        row.open_to_devices = open_to_devices
    if has_val_split is not None:
        row.has_val_split = has_val_split
    await _put_categories(workspace, project_id, categories)
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
    query = (
        select(CategoryRow)
        .where(CategoryRow.project_id.in_([row.id for row in rows]))
        .order_by(CategoryRow.position)
    )
    categories: dict[str, list[Category]] = defaultdict(list)
    for category in await workspace.session.scalars(query):
        categories[category.project_id].append(_category(category))
    return tuple(
        Project(
            id=row.id,
            organization=row.organization_id,
            name=row.name,
            categories=tuple(categories[row.id]),
            open_to_devices=row.open_to_devices,
            has_val_split=row.has_val_split,
            created=row.created,
        )
        for row in rows
    )


async def _put_categories(
    workspace: Workspace, project_id: str, categories: Sequence[Category]
) -> None:
    query = (
        select(CategoryRow)
        .where(CategoryRow.project_id == project_id)
        .order_by(CategoryRow.position)
    )
    rows = list((await workspace.session.scalars(query)).all())
    _check_category_names([category.name for category in categories])
    await _free_names(workspace, rows, categories)
    for category in categories:
        row = next((r for r in rows if category.id == r.id), None) or next(
            (r for r in rows if category.name == r.name and not category.id), None
        )
        if row is None:
            row = _new_category(project_id, position=len(rows))
            rows.append(row)
        _change(row, category)
    _check_category_names([row.name for row in rows])
    workspace.session.add_all(rows)
    await workspace.session.flush()


async def _free_names(
    workspace: Workspace, rows: Sequence[CategoryRow], categories: Sequence[Category]
) -> None:
    # Rows change one after the other: two that swap their names would meet in the middle.
    names = {category.id: category.name for category in categories}
    for row in rows:
        if names.get(row.id, row.name) != row.name:
            row.name = row.id
    await workspace.session.flush()


def _new_category(project_id: str, *, position: int) -> CategoryRow:
    return CategoryRow(
        id=str(uuid.uuid4()),
        project_id=project_id,
        position=position,
        color=_COLORS[position % len(_COLORS)],
    )


def _change(row: CategoryRow, category: Category) -> None:
    row.name = category.name
    row.type = category.type
    row.color = category.color or row.color
    row.description = category.description
    row.hotkey = category.hotkey
    row.point_size = category.point_size


def _category(row: CategoryRow) -> Category:
    return Category(
        id=row.id,
        name=row.name,
        type=next(kind for kind in get_args(CategoryType) if kind == row.type),
        color=row.color,
        description=row.description,
        hotkey=row.hotkey,
        point_size=row.point_size,
    )


def _check_names(new: NewProject) -> None:
    for what, name in (("organization", new.organization), ("project", new.name)):
        if not _SLUG.fullmatch(name):
            raise Unprocessable(
                f"{name!r} is no name for a{'n' * (what[0] == 'o')} {what}: use up to 64 of "
                "a-z, 0-9, '-' and '_', a letter or digit first."
            )
    if new.organization in RESERVED_ORGANIZATIONS:
        raise Unprocessable(
            f"The organization cannot be called {new.organization!r}: choose another name."
        )


def _check_category_names(names: Sequence[str]) -> None:
    if not all(names):
        raise Unprocessable("A category has no name: give it one.")
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise Unprocessable(f"Two categories are called {double!r}: choose another name for one.")
