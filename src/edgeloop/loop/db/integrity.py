"""Is the database whole: what SQLite says of its pages, indexes and references.

Other databases look after these themselves: nothing is found in them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from edgeloop.loop.db.columns import Base


@dataclass(frozen=True, slots=True)
class BrokenReference:
    """A row that needs a row of another table which is not there."""

    table: str
    rowid: int
    parent: str


async def problems(session: AsyncSession, *, deep: bool) -> Sequence[str]:
    """What is damaged; ``deep`` also compares each index with its table."""
    if not _is_sqlite(session):
        return []
    pragma = "integrity_check" if deep else "quick_check"
    found = (await session.scalars(text(f"PRAGMA {pragma}"))).all()
    return [line for line in found if line != "ok"]


async def broken_references(session: AsyncSession) -> Sequence[BrokenReference]:
    """All rows whose parent is gone."""
    if not _is_sqlite(session):
        return []
    found = await session.execute(text("PRAGMA foreign_key_check"))
    return [BrokenReference(table, rowid, parent) for table, rowid, parent, _ in found]


async def take_out(session: AsyncSession, broken: BrokenReference) -> dict[str, Any]:
    """Delete such a row, and those that need it; returns what stood in it."""
    table = Base.metadata.tables[broken.table].name  # a name of ours, whatever was found
    which = {"rowid": broken.rowid}
    found = await session.execute(text(f"SELECT * FROM {table} WHERE rowid = :rowid"), which)
    row = found.mappings().one_or_none()
    await session.execute(text(f"DELETE FROM {table} WHERE rowid = :rowid"), which)
    return dict(row or {})


def _is_sqlite(session: AsyncSession) -> bool:
    return session.get_bind().dialect.name == "sqlite"
