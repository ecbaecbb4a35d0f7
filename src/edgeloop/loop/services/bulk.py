"""Many images changed or deleted at once: a few per transaction, so that others get their turn."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, delete, insert, select, update

from edgeloop.errors import Conflict
from edgeloop.loop.db.expressions import Tested
from edgeloop.loop.db.tables import DeletedFrameRow, ImageRow
from edgeloop.loop.services import files, projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.filters import ALL, ImageFilter, conditions
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.workspace import Caller, Workspace, Workspaces
from edgeloop.types import ImageState, Split

T = TypeVar("T")
AT_ONCE = 250
"""So many images change in one transaction: some ten milliseconds."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The images with these ids; or, without ids, those that are ``meant``.

    ``expected``: how many one saw of those that are meant; nothing happens where it is otherwise.
    """

    ids: tuple[str, ...] | None = None
    meant: ImageFilter | None = None
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class BulkChange:
    """What is to be changed of each; None, or no tag: nothing."""

    state: ImageState | None = None
    split: Split | None = None
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many images were ``changed`` (or deleted), how many needed no change.

    ``missing``: the ids of which the project has no image.
    """

    changed: int
    unchanged: int
    missing: tuple[str, ...]


async def change(
    workspaces: Workspaces, caller: Caller, project_id: str, *, chosen: Chosen, wanted: BulkChange
) -> Outcome:
    """Change all that are chosen; raises NotFound, Conflict.

    Some may be changed although it fails later: it can be repeated. An image that is not meant any
    more when its turn comes is left alone.
    """
    async with workspaces.read(caller) as workspace:
        project = await projects.by_id(workspace, project_id, right=Right.ANNOTATE)
        numbers = await _numbers(workspace, project, chosen)
    changed = seen = 0
    for portion in _portions(numbers):
        async with workspaces.write(caller) as workspace:
            rows = await _rows(workspace, project, chosen, portion)
            values = [new for row in rows if (new := _changed(row, wanted)) is not None]
            if values:
                await workspace.session.execute(update(ImageRow), values)
        seen += len(rows)
        changed += len(values)
    return Outcome(changed, seen - changed, _missing(chosen, numbers))


async def remove(
    workspaces: Workspaces, caller: Caller, project_id: str, *, chosen: Chosen
) -> Outcome:
    """Delete all that are chosen for good, with files that nobody else needs; as ``change``.

    Their frames stay known: one that is uploaded again is answered as stored, and is not.
    """
    async with workspaces.read(caller) as workspace:
        project = await projects.by_id(workspace, project_id, right=Right.DELETE_DATA)
        numbers = await _numbers(workspace, project, chosen)
    removed = 0
    for portion in _portions(numbers):
        async with workspaces.read(caller) as workspace:
            rows = await _rows(workspace, project, chosen, portion)
        keys = {files.image_key(row.content_hash) for row in rows}
        async with files.in_doubt(workspaces, keys), workspaces.write(caller) as workspace:
            rows = await _rows(workspace, project, chosen, [row.number for row in rows])
            await _delete(workspace, project, rows)
        removed += len(rows)
    return Outcome(removed, 0, _missing(chosen, numbers))


async def _numbers(workspace: Workspace, project: Project, chosen: Chosen) -> dict[int, str]:
    """The ids of the images that are chosen, by their numbers, the oldest first."""
    found: dict[int, str] = {}
    for meant in _conditions(project, chosen):
        query = select(ImageRow.number, ImageRow.id).where(*meant)
        found |= dict((await workspace.session.execute(query)).all())
    if chosen.expected not in (None, len(found)):
        raise Conflict(
            f"{len(found)} images are meant by now, not {chosen.expected}: look at them again."
        )
    return dict(sorted(found.items()))


def _conditions(project: Project, chosen: Chosen) -> Iterator[Sequence[ColumnElement[bool]]]:
    if chosen.ids is None:
        yield conditions(project.id, chosen.meant or ALL)
        return
    for portion in _portions(chosen.ids):
        yield (Tested(ImageRow.project_id) == project.id, ImageRow.id.in_(portion))


async def _rows(
    workspace: Workspace, project: Project, chosen: Chosen, numbers: Sequence[int]
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Those of these images that are still there, and still meant."""
    _, *meant = conditions(project.id, chosen.meant or ALL)
    query = select(
        ImageRow.id,
        ImageRow.number,
        ImageRow.frame_id,
        ImageRow.content_hash,
        ImageRow.state,
        ImageRow.split,
        ImageRow.tags,
    ).where(ImageRow.number.in_(numbers), Tested(ImageRow.project_id) == project.id, *meant)
    return (await workspace.session.execute(query)).all()


def _changed(row: Row[*tuple[Any, ...]], wanted: BulkChange) -> dict[str, Any] | None:
    """The new values of an image's row, None where they are the old ones."""
    tags = {*row.tags, *wanted.add_tags} - {*wanted.remove_tags}
    new = (wanted.state or row.state, wanted.split or row.split, tuple(sorted(tags)))
    if new == (row.state, row.split, row.tags):
        return None
    return {"id": row.id, "state": new[0], "split": new[1], "tags": new[2]}


async def _delete(
    workspace: Workspace, project: Project, rows: Sequence[Row[*tuple[Any, ...]]]
) -> None:
    if not rows:
        return
    now = workspace.clock()
    frames = [
        {"project_id": project.id, "frame_id": r.frame_id, "image_id": r.id, "deleted": now}
        for r in rows
    ]
    await workspace.session.execute(insert(DeletedFrameRow), frames)
    ids = [row.id for row in rows]
    await workspace.session.execute(delete(ImageRow).where(ImageRow.id.in_(ids)))


def _missing(chosen: Chosen, numbers: dict[int, str]) -> tuple[str, ...]:
    found = set(numbers.values())
    return tuple(id_ for id_ in dict.fromkeys(chosen.ids or ()) if id_ not in found)


def _portions(items: Iterable[T]) -> Iterator[list[T]]:
    rest = list(items)
    for start in range(0, len(rest), AT_ONCE):
        yield rest[start : start + AT_ONCE]
