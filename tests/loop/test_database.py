"""The loop's database: migrations, transactions, what its errors mean."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError, StatementError

from edgeloop.errors import ConfigError, EdgeloopError, Overloaded, StorageFull
from edgeloop.loop.db.session import Database
from edgeloop.loop.db.tables import ImageRow, OrganizationRow

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
Story = Callable[[Database], Awaitable[None]]


def run(folder: Path, story: Story) -> None:
    async def whole() -> None:
        database = Database(f"sqlite+aiosqlite:///{folder / 'loop.sqlite'}")
        try:
            await database.migrate()
            await story(database)
        finally:
            await database.close()

    asyncio.run(whole())


def test_the_migrated_database_has_exactly_the_tables_of_the_code(tmp_path: Path) -> None:
    async def story(database: Database) -> None:
        async with database.read() as session:
            connection = await session.connection()
            assert await connection.run_sync(differences) == []

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), ImageRow.metadata))

    run(tmp_path, story)


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    async def story(database: Database) -> None:
        async with database.write() as session:
            session.add(OrganizationRow(id="zoo", created=NOW))
        await database.migrate()
        async with database.read() as session:
            row = await session.get(OrganizationRow, "zoo")
            assert row is not None
            assert row.created == NOW

    run(tmp_path, story)


def test_a_writing_block_that_fails_leaves_nothing(tmp_path: Path) -> None:
    async def story(database: Database) -> None:
        async def fail() -> None:
            async with database.write() as session:
                session.add(OrganizationRow(id="zoo", created=NOW))
                await session.flush()
                raise ValueError("stop")

        with pytest.raises(ValueError, match="stop"):
            await fail()
        async with database.read() as session:
            assert await session.get(OrganizationRow, "zoo") is None

    run(tmp_path, story)


def test_many_writers_take_their_turn_while_readers_go_on(tmp_path: Path) -> None:
    async def story(database: Database) -> None:
        async def add(number: int) -> None:
            async with database.write() as session:
                session.add(OrganizationRow(id=f"o{number}", created=NOW))

        async with asyncio.TaskGroup() as group, database.write() as session:
            session.add(OrganizationRow(id="first", created=NOW))
            await session.flush()
            for number in range(30):
                group.create_task(add(number))
            async with database.read() as reader:
                assert await reader.get(OrganizationRow, "first") is None
        async with database.read() as reader:
            assert await reader.scalar(text("SELECT count(*) FROM organizations")) == 31

    run(tmp_path, story)


def test_a_time_without_a_zone_is_refused(tmp_path: Path) -> None:
    async def story(database: Database) -> None:
        naive = datetime(2026, 1, 2)  # noqa: DTZ001 - that is the point
        with pytest.raises(StatementError, match="needs a zone"):
            async with database.write() as session:
                session.add(OrganizationRow(id="zoo", created=naive))

    run(tmp_path, story)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("database or disk is full", StorageFull),
        ("attempt to write a readonly database", ConfigError),
        ("unable to open database file", ConfigError),
        ("database is locked", Overloaded),
    ],
)
def test_what_sqlite_says_becomes_an_error_of_ours(
    tmp_path: Path, said: str, error: type[EdgeloopError]
) -> None:
    async def story(database: Database) -> None:
        with pytest.raises(error):
            async with database.write():
                raise OperationalError("INSERT", {}, sqlite3.OperationalError(said))

    run(tmp_path, story)


def test_other_errors_of_the_database_stay_what_they_are(tmp_path: Path) -> None:
    async def story(database: Database) -> None:
        with pytest.raises(OperationalError, match="no such table"):
            async with database.write() as session:
                await session.execute(text("SELECT * FROM nowhere"))

    run(tmp_path, story)


def test_a_database_in_a_folder_that_is_none_says_what_to_check(tmp_path: Path) -> None:
    async def story() -> None:
        database = Database(f"sqlite+aiosqlite:///{tmp_path / 'none' / 'loop.sqlite'}")
        with pytest.raises(ConfigError, match="it is no folder"):
            await database.migrate()
        await database.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense", "Could not parse"),
        ("oracle+none://x/y", "oracle.none"),
        ("sqlite:///plain", "not async"),
        ("mysql+asyncmy://x/y", "asyncmy"),
    ],
)
def test_a_url_that_is_no_usable_database_is_told_with_what_to_write(url: str, reason: str) -> None:
    told = f"EDGELOOP_DATABASE_URL is no database .*{reason}.* in SQLite. Write sqlite"
    with pytest.raises(ConfigError, match=told):
        Database(url)
