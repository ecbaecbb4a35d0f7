"""What lists of images are filtered and ordered by; the history of annotations; deleted frames."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from edgeloop.loop.db.columns import UtcDateTime, Words

revision = "0005"
down_revision = "0004"

_AT_ONCE = 1000
_SURE = 0.25
_ORDERS = ("received", "taken", "confidence", "novelty")
_TESTED = (
    *("state", "split", "camera_id", "source", "received", "confidence"),
    *("tags", "annotated", "detected"),
)
_images = sa.table(
    "images",
    *(sa.column(name) for name in ("id", "project_id", "created", "number", "confidence")),
    *(sa.column(name, UtcDateTime) for name in ("received", "taken")),
    *(sa.column(name, Words) for name in ("tags", "annotated", "detected")),
)
_detections = sa.table(
    "detections",
    *(sa.column(name) for name in ("image_id", "model_version", "project_id", "number")),
    sa.column("max_confidence", sa.Double),
    sa.column("shapes", sa.JSON),
    sa.column("updated", UtcDateTime),
    sa.column("categories", Words),
)
_annotations = sa.table("annotations", sa.column("image_id"), sa.column("shapes", sa.JSON))
_tags = sa.table("image_tags", sa.column("image_id"), sa.column("name"))


def upgrade() -> None:
    """Add the columns and fill them, then the indexes; tags move into the images' rows."""
    _add_columns()
    _create_tables()
    for name, table in (
        ("ix_images_project_state", "images"),
        ("ix_detections_model_version", "detections"),
    ):
        op.drop_index(name, table)
    connection = op.get_bind()
    counter = itertools.count(1)
    for image_ids in _portions(connection):
        _fill(connection, image_ids, counter)
    op.drop_table("image_tags")
    _create_indexes()


def _add_columns() -> None:
    words = ("tags", "annotated", "detected")
    columns: tuple[sa.Column[Any], ...] = (
        sa.Column(
            "taken",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default="1970-01-01 00:00:00.000000",
        ),
        sa.Column("number", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("confidence", sa.Double(), nullable=True),
        *(sa.Column(name, sa.String(), nullable=False, server_default="") for name in words),
    )
    for column in columns:
        op.add_column("images", column)
    columns = (
        sa.Column("project_id", sa.String(36), nullable=False, server_default=""),
        sa.Column("number", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("categories", sa.String(), nullable=False, server_default=""),
    )
    for column in columns:
        op.add_column("detections", column)


def _create_tables() -> None:
    op.create_table(
        "deleted_frames",
        sa.Column(
            "project_id", sa.String(36), _key("projects", "deleted_frames"), primary_key=True
        ),
        sa.Column("frame_id", sa.String(), primary_key=True),
        sa.Column("image_id", sa.String(36), nullable=False),
        sa.Column("deleted", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "annotation_history",
        sa.Column(
            "image_id", sa.String(36), _key("images", "annotation_history"), primary_key=True
        ),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("shapes", sa.JSON(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
    )


def _key(table: str, of: str) -> sa.ForeignKey:
    name = f"fk_{of}_{table[:-1]}_id_{table}"
    return sa.ForeignKey(f"{table}.id", name=name, ondelete="CASCADE")


def _create_indexes() -> None:
    op.create_index("ix_images_number", "images", ["number"], unique=True)
    op.create_index(
        "ix_images_project_state", "images", ["project_id", "state", "received", "number"]
    )
    for order in _ORDERS:
        tested = [column for column in _TESTED if column != order]
        op.create_index(f"ix_images_by_{order}", "images", ["project_id", order, "number", *tested])
    op.create_index(
        "ix_detections_of_model",
        "detections",
        ["project_id", "model_version", "number", "max_confidence", "categories"],
    )
    op.create_index(
        "ix_detections_by_confidence",
        "detections",
        ["project_id", "model_version", "max_confidence", "number"],
    )


def _portions(connection: sa.Connection) -> Iterator[list[str]]:
    query = sa.select(_images.c.id).order_by(_images.c.received, _images.c.id)
    ids = list(connection.scalars(query))
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]


def _fill(connection: sa.Connection, image_ids: list[str], counter: Iterator[int]) -> None:
    tags = _tags_of(connection, image_ids)
    annotated = _annotated(connection, image_ids)
    query = sa.select(
        _images.c.id, _images.c.project_id, _images.c.created, _images.c.received
    ).where(_images.c.id.in_(image_ids))
    rows = {row.id: row for row in connection.execute(query)}
    numbers = {image_id: next(counter) for image_id in image_ids}
    newest = _fill_detections(connection, image_ids, rows, numbers)
    nothing: tuple[float | None, tuple[str, ...]] = (None, ())
    values = [
        {
            "wanted": image_id,
            "number": numbers[image_id],
            "taken": _time_of(rows[image_id].created) or rows[image_id].received,
            "tags": tuple(sorted(tags.get(image_id, ()))),
            "annotated": annotated.get(image_id, ()),
            "confidence": newest.get(image_id, nothing)[0],
            "detected": newest.get(image_id, nothing)[1],
        }
        for image_id in image_ids
    ]
    names = ("number", "taken", "tags", "annotated", "confidence", "detected")
    update = _images.update().where(_images.c.id == sa.bindparam("wanted"))
    connection.execute(update.values({name: sa.bindparam(name) for name in names}), values)


def _tags_of(connection: sa.Connection, image_ids: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    query = sa.select(_tags.c.image_id, _tags.c.name).where(_tags.c.image_id.in_(image_ids))
    for image_id, name in connection.execute(query):
        found.setdefault(image_id, []).append(name)
    return found


def _annotated(connection: sa.Connection, image_ids: list[str]) -> dict[str, tuple[str, ...]]:
    query = sa.select(_annotations.c.image_id, _annotations.c.shapes).where(
        _annotations.c.image_id.in_(image_ids)
    )
    return {
        image_id: _categories_of(_shapes(shapes)) for image_id, shapes in connection.execute(query)
    }


def _fill_detections(
    connection: sa.Connection,
    image_ids: list[str],
    rows: Mapping[str, Any],
    numbers: Mapping[str, int],
) -> dict[str, tuple[float | None, tuple[str, ...]]]:
    """Returns the confidence and the categories of what was detected last, by image id."""
    columns = _detections.c
    query = (
        sa.select(columns.image_id, columns.model_version, columns.shapes, columns.max_confidence)
        .where(columns.image_id.in_(image_ids))
        .order_by(columns.updated, columns.model_version)
    )
    newest: dict[str, tuple[float | None, tuple[str, ...]]] = {}
    values = []
    for row in connection.execute(query).all():
        sure = [shape for shape in _shapes(row.shapes) if shape.get("confidence", 0) >= _SURE]
        categories = _categories_of(sure)
        newest[row.image_id] = (row.max_confidence, categories)
        values.append(
            {
                "image": row.image_id,
                "version": row.model_version,
                "project_id": rows[row.image_id].project_id,
                "number": numbers[row.image_id],
                "categories": categories,
            }
        )
    if values:
        update = _detections.update().where(
            columns.image_id == sa.bindparam("image"),
            columns.model_version == sa.bindparam("version"),
        )
        names = ("project_id", "number", "categories")
        connection.execute(update.values({name: sa.bindparam(name) for name in names}), values)
    return newest


def _shapes(document: Any) -> Iterator[dict[str, Any]]:
    content = json.loads(document) if isinstance(document, str) else document
    for shapes in content.values():
        yield from shapes if isinstance(shapes, list) else [shapes] if shapes else []


def _categories_of(shapes: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(sorted({shape["category_id"] for shape in shapes if shape.get("category_id")}))


def _time_of(created: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(created or "")
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
