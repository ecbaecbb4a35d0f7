"""The categories of a project: what there is to be seen in its images."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from sqlalchemy import select

from edgeloop.errors import Unprocessable
from edgeloop.loop.db.tables import CategoryRow
from edgeloop.loop.services.workspace import Workspace
from edgeloop.types import Category, CategoryType

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


@dataclass(frozen=True, slots=True)
class CategoryWish:
    """How a category shall be; what is empty or None stays as it is, or as a new one begins.

    One without an id is meant by its name.
    """

    id: str = ""
    name: str = ""
    type: CategoryType | None = None
    color: str = ""
    description: str | None = None
    hotkey: str | None = None
    point_size: int | None = None


def wish_for(category: Category) -> CategoryWish:
    """The wish for a category that is just so, but for its id."""
    return CategoryWish(
        name=category.name,
        type=category.type,
        color=category.color,
        description=category.description,
        hotkey=category.hotkey,
        point_size=category.point_size,
    )


async def put(workspace: Workspace, project_id: str, wishes: Sequence[CategoryWish]) -> None:
    """Change those of a known id, or name, and add the others; raises Unprocessable."""
    query = (
        select(CategoryRow)
        .where(CategoryRow.project_id == project_id)
        .order_by(CategoryRow.position)
    )
    rows = list((await workspace.session.scalars(query)).all())
    _check_names([wish.name for wish in wishes if wish.name or not wish.id])
    await _free_names(workspace, rows, wishes)
    for wish in wishes:
        row = next((r for r in rows if wish.id == r.id), None) or next(
            (r for r in rows if wish.name == r.name and not wish.id), None
        )
        if row is None:
            row = _new_category(project_id, position=len(rows))
            rows.append(row)
        _change(row, wish)
    _check_names([row.name for row in rows])
    workspace.session.add_all(rows)
    await workspace.session.flush()


async def of_projects(
    workspace: Workspace, project_ids: Collection[str]
) -> Mapping[str, tuple[Category, ...]]:
    """The categories of each of these projects, in their order, by the id of the project."""
    query = (
        select(CategoryRow)
        .where(CategoryRow.project_id.in_(project_ids))
        .order_by(CategoryRow.position)
    )
    found: dict[str, list[Category]] = {project_id: [] for project_id in project_ids}
    for row in await workspace.session.scalars(query):
        found[row.project_id].append(_category(row))
    return {project_id: tuple(categories) for project_id, categories in found.items()}


async def _free_names(
    workspace: Workspace, rows: Sequence[CategoryRow], wishes: Sequence[CategoryWish]
) -> None:
    # Rows change one after the other: two that swap their names would meet in the middle.
    names = {wish.id: wish.name for wish in wishes if wish.name}
    for row in rows:
        if names.get(row.id, row.name) != row.name:
            row.name = row.id
    await workspace.session.flush()


def _new_category(project_id: str, *, position: int) -> CategoryRow:
    return CategoryRow(
        id=str(uuid.uuid4()),
        project_id=project_id,
        position=position,
        name="",
        type="box",
        description="",
        hotkey="",
        color=_COLORS[position % len(_COLORS)],
    )


def _change(row: CategoryRow, wish: CategoryWish) -> None:
    row.name = wish.name or row.name
    row.type = wish.type or row.type
    row.color = wish.color or row.color
    row.description = row.description if wish.description is None else wish.description
    row.hotkey = row.hotkey if wish.hotkey is None else wish.hotkey
    row.point_size = row.point_size if wish.point_size is None else wish.point_size


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


def _check_names(names: Sequence[str]) -> None:
    if not all(names):
        raise Unprocessable("A category has no name: give it one.")
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise Unprocessable(f"Two categories are called {double!r}: choose another name for one.")
