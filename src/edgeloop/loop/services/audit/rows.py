"""Looks at the database alone: is it whole, of this version, and do its references hold."""

from sqlalchemy.exc import DatabaseError

from edgeloop.errors import ConfigError
from edgeloop.loop.db import integrity
from edgeloop.loop.db.session import newest_version
from edgeloop.loop.services.audit.findings import Audit, Kind
from edgeloop.loop.services.workspace import Workspaces


async def check_version(workspaces: Workspaces, audit: Audit) -> None:
    """The tables are those that this code works with; raises ConfigError where there are none."""
    try:
        found = await workspaces.database.version()
    except DatabaseError as error:
        raise ConfigError(
            f"The loop's database cannot be read ({error.orig}): restore it from a backup."
        ) from error
    if found != newest_version():
        audit.add(Kind.MIGRATION, "database", f"It has version {found}, not {newest_version()}.")


async def check_database(workspaces: Workspaces, audit: Audit, *, deep: bool) -> None:
    """Pages, indexes and references."""
    async with workspaces.read() as workspace:
        for problem in await integrity.problems(workspace.session, deep=deep):
            audit.add(Kind.DATABASE, "database", problem)
        for broken in await integrity.broken_references(workspace.session):
            detail = f"Its {broken.parent} row is gone."
            audit.add(Kind.REFERENCE, f"{broken.table} row {broken.rowid}", detail)
