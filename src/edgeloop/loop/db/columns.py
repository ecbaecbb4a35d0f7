"""What all tables are made of: their base, the types of their columns, ids and references."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    MetaData,
    String,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """A time with zone UTC, also where the database keeps none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Naive times are refused."""
        if value is not None and value.tzinfo is None:
            raise ValueError("A time for the database needs a zone: use datetime.now(UTC).")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """SQLite gives naive times back."""
        return value.replace(tzinfo=UTC) if value is not None else None


class Words(TypeDecorator[tuple[str, ...]]):
    """Short texts in one column, each between separators, so that one can be looked for."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str:
        """A separator within a text becomes a space."""
        return words_to_text(value or ())

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...]:
        """The texts."""
        return tuple(value.split(_SEPARATOR)[1:-1]) if value else ()


_SEPARATOR = "\x1f"


def words_to_text(words: Iterable[str]) -> str:
    """What the database holds for these texts."""
    plain = [word.replace(_SEPARATOR, " ") for word in words]
    return _SEPARATOR.join(["", *plain, ""]) if plain else ""


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's way
        dict[str, Any]: JSON,
        list[Any]: JSON,
        datetime: UtcDateTime,
        float: Double,
        tuple[str, ...]: Words,
    }


def identity() -> Mapped[str]:
    """A uuid as primary key."""
    return mapped_column(String(36), primary_key=True)


def belongs_to(table: str, **options: Any) -> Mapped[Any]:
    """A reference to a row of ``table``, with which this row is deleted."""
    return mapped_column(ForeignKey(f"{table}.id", ondelete="CASCADE"), **options)
