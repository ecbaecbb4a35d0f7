"""Images in pages, in an order, with counts: quick however many there are."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, func, select, tuple_

from edgeloop.errors import Unprocessable
from edgeloop.loop.db.expressions import Column, Tested
from edgeloop.loop.db.tables import DetectionsRow, ImageRow
from edgeloop.loop.services import images
from edgeloop.loop.services.filters import (
    ALL,
    ImageFilter,
    conditions,
    conditions_of_model,
    detected_by,
)
from edgeloop.loop.services.images import Image
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.workspace import Workspace

SortKey = Literal["received", "created", "confidence", "novelty"]
_COLUMNS: Mapping[SortKey, Column] = {
    "received": ImageRow.received,
    "created": ImageRow.taken,
    "confidence": ImageRow.confidence,
    "novelty": ImageRow.novelty,
}
_RARE = 10_000
_MAX_NUMBER = (1 << 63) - 1
_NULLABLE = (ImageRow.confidence, ImageRow.novelty)


@dataclass(frozen=True, slots=True)
class Order:
    """By what images are ordered; those without a confidence or novelty come last."""

    by: SortKey = "received"
    descending: bool = False

    @property
    def reversed(self) -> "Order":
        """The same, the other way."""
        return Order(self.by, not self.descending)

    def __str__(self) -> str:
        return f"-{self.by}" if self.descending else self.by


OLDEST_FIRST = Order()
NEWEST_FIRST = Order(descending=True)


@dataclass(frozen=True, slots=True)
class Slice:
    """Up to ``limit`` of the images that are meant, those that come ``after`` a cursor in order."""

    which: ImageFilter = ALL
    order: Order = OLDEST_FIRST
    limit: int = 100
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Facets:
    """How many images there are of each state, split, tag, source, camera and model version.

    Images without a source count as ``""``.
    """

    states: Mapping[str, int]
    sets: Mapping[str, int]
    tags: Mapping[str, int]
    sources: Mapping[str, int]
    cameras: Mapping[str, int]
    model_versions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page begins: after the image of this number, whose key this is."""

    key: Any
    number: int


async def page(workspace: Workspace, project: Project, wanted: Slice) -> Sequence[Image]:
    """The images of a slice; raises Unprocessable where ``after`` is no cursor of its order."""
    found: list[Image] = []
    is_rare = await _is_rare(workspace, project, wanted)
    for part in _parts(project.id, wanted, is_rare=is_rare):
        found += await images.read(workspace, part.limit(wanted.limit - len(found)))
        if len(found) == wanted.limit:
            break
    return found


def cursor_of(image: Image, order: Order = OLDEST_FIRST) -> str:
    """What to pass as ``after`` for the images that come after this one, whatever becomes of it."""
    key = _key_of(image, order)
    text = key.isoformat() if isinstance(key, datetime) else key
    document = json.dumps([str(order), text, image.number])
    return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")


async def count(workspace: Workspace, project: Project, which: ImageFilter) -> int:
    """How many images are meant."""
    query = select(func.count()).select_from(ImageRow).where(*conditions(project.id, which))
    return await workspace.session.scalar(query) or 0


async def facets(workspace: Workspace, project: Project, which: ImageFilter) -> Facets:
    """What there is among the images that are meant."""
    meant = conditions(project.id, which)
    columns = (ImageRow.state, ImageRow.split, ImageRow.source, ImageRow.camera_id)
    query = select(*columns, func.count()).where(*meant).group_by(*columns)
    counts: tuple[dict[str, int], ...] = ({}, {}, {}, {})
    for *values, number in await workspace.session.execute(query):
        for counted, value in zip(counts, values, strict=True):
            counted[value or ""] = counted.get(value or "", 0) + number
    states, splits, sources, cameras = counts
    return Facets(
        states=states,
        sets=splits,
        tags=await _tags(workspace, meant),
        sources=sources,
        cameras=cameras,
        model_versions=await _model_versions(workspace, project, which),
    )


async def _tags(workspace: Workspace, meant: Sequence[ColumnElement[bool]]) -> Mapping[str, int]:
    query = select(ImageRow.tags, func.count()).where(*meant).group_by(ImageRow.tags)
    counted: dict[str, int] = {}
    for tags, number in await workspace.session.execute(query):
        for tag in tags:
            counted[tag] = counted.get(tag, 0) + number
    return counted


async def _model_versions(
    workspace: Workspace, project: Project, which: ImageFilter
) -> Mapping[str, int]:
    query = select(DetectionsRow.model_version, func.count()).where(
        DetectionsRow.project_id == project.id
    )
    if which != ALL:
        meant = select(ImageRow.number).where(*conditions(project.id, which))
        query = query.where(DetectionsRow.number.in_(meant))
    found = await workspace.session.execute(query.group_by(DetectionsRow.model_version))
    return dict(found.all())


async def _is_rare(workspace: Workspace, project: Project, wanted: Slice) -> bool:
    """Whether the model that is named detected what is meant in few images."""
    if wanted.which.model_version is None or wanted.order.by == "confidence":
        return False
    detected = select(DetectionsRow.number).where(*detected_by(project.id, wanted.which))
    some = detected.limit(_RARE + 1).subquery()
    found = await workspace.session.scalar(select(func.count()).select_from(some))
    return (found or 0) <= _RARE


def _parts(project_id: str, wanted: Slice, *, is_rare: bool) -> Iterator[Select[*tuple[Any, ...]]]:
    """The queries that give the images in order, one after the other."""
    which, order = wanted.which, wanted.order
    place = _read_cursor(wanted.after, order) if wanted.after else None
    if order.by == "confidence" and which.model_version is not None:
        keys = (DetectionsRow.max_confidence, DetectionsRow.number)
        yield _ordered(_of_model(project_id, which), keys, order, place)
        return
    column = _COLUMNS[order.by]
    meant = conditions(project_id, which, walked=column, is_rare=is_rare)
    query = images.query().where(*meant)
    if column not in _NULLABLE:
        yield _ordered(query, (column, ImageRow.number), order, place)
        return
    if place is None or place.key is not None:
        with_key = query.where(column.is_not(None))
        yield _ordered(with_key, (column, ImageRow.number), order, place)
    rest = place if place is not None and place.key is None else None
    yield _ordered(query.where(column.is_(None)), (ImageRow.number,), order, rest)


def _of_model(project_id: str, which: ImageFilter) -> Select[*tuple[Any, ...]]:
    """Images with the confidence of the model that is named; its detections are walked."""
    same = Tested(DetectionsRow.number) == ImageRow.number
    query = images.query(DetectionsRow.max_confidence).join(DetectionsRow, same)
    return query.where(*conditions_of_model(project_id, which))


def _ordered(
    query: Select[*tuple[Any, ...]],
    keys: tuple[Column, ...],
    order: Order,
    place: _Place | None,
) -> Select[*tuple[Any, ...]]:
    if place is not None:
        values = (place.key, place.number)[-len(keys) :]
        here, there = tuple_(*keys), tuple_(*values)
        query = query.where(here < there if order.descending else here > there)
    return query.order_by(*(key.desc() if order.descending else key for key in keys))


def _key_of(image: Image, order: Order) -> Any:
    return image.taken if order.by == "created" else getattr(image, order.by)


def _read_cursor(text: str, order: Order) -> _Place:
    try:
        document = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        said, key, number = json.loads(document)
        if said == str(order):
            return _Place(_read_key(key, order), max(0, min(int(number), _MAX_NUMBER)))
    except (ValueError, TypeError, OverflowError, RecursionError):
        pass
    raise Unprocessable(
        f"after: {text!r} is no cursor of this list: pass what came as next, with the same sort."
    )


def _read_key(key: Any, order: Order) -> Any:
    if order.by in ("received", "created"):
        return datetime.fromisoformat(key).astimezone(UTC)
    return None if key is None else float(key)
