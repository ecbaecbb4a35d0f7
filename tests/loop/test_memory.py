"""What is remembered of the database, and for how long."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import create_async_engine

from edgeloop.loop.db.memory import MAX_VALUES, TRUSTED_FOR_S, Memory
from edgeloop.loop.db.session import Database
from edgeloop.loop.db.tables import AccountRow, OrganizationRow

NOW = datetime(2026, 1, 2, tzinfo=UTC)
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


async def counted(database: Database) -> int | None:
    """How many organizations there are, or were when it was asked before."""

    async def read() -> int | None:
        async with database.read() as session:
            return await session.scalar(select(func.count()).select_from(OrganizationRow))

    return await database.memory.get("organizations", (OrganizationRow,), read)


async def add(database: Database, name: str) -> None:
    async with database.write() as session:
        session.add(OrganizationRow(id=name, created=NOW))


async def remembers(database: Database) -> bool:
    """Whether what is remembered is used: then nobody reads."""

    async def read() -> int | None:
        return -1

    return await database.memory.get("organizations", (OrganizationRow,), read) != -1


@pytest.mark.parametrize(
    "statement",
    [
        update(OrganizationRow).values(created=NOW),
        delete(OrganizationRow).where(OrganizationRow.id == "nobody"),
        text("DELETE FROM organizations WHERE id = 'nobody'"),
    ],
)
def test_a_value_is_remembered_until_its_table_is_written_to(
    tmp_path: Path, statement: object
) -> None:
    async def story(database: Database) -> None:
        await counted(database)
        assert await remembers(database)
        async with database.write() as session:
            await session.execute(statement)  # type: ignore[call-overload]
        assert not await remembers(database)

    run(tmp_path, story)


def test_a_value_is_never_older_than_what_was_written(tmp_path: Path) -> None:
    async def story(database: Database) -> None:
        for number in range(3):
            assert await counted(database) == number
            await add(database, f"zoo-{number}")

    run(tmp_path, story)


def test_what_other_tables_say_is_still_remembered(tmp_path: Path) -> None:
    async def story(database: Database) -> None:
        await counted(database)
        async with database.write() as session:
            await session.execute(delete(AccountRow))
        assert await remembers(database)

    run(tmp_path, story)


def test_a_write_that_fails_counts_as_one(tmp_path: Path) -> None:
    async def story(database: Database) -> None:
        async def fail() -> None:
            async with database.write() as session:
                await session.execute(delete(OrganizationRow))
                raise ZeroDivisionError

        await counted(database)
        with pytest.raises(ZeroDivisionError):
            await fail()
        assert not await remembers(database)

    run(tmp_path, story)


def test_what_was_read_while_somebody_wrote_is_read_again(tmp_path: Path) -> None:
    async def story(database: Database) -> None:
        async def read_slowly() -> int:
            await add(database, "zoo")
            return 0  # as of before

        await database.memory.get("organizations", (OrganizationRow,), read_slowly)
        assert await counted(database) == 1

    run(tmp_path, story)


def test_nothing_is_not_remembered(tmp_path: Path) -> None:
    async def story(database: Database) -> None:
        async def find_nothing() -> int | None:
            return None

        assert await database.memory.get("organizations", (OrganizationRow,), find_nothing) is None
        assert await counted(database) == 0

    run(tmp_path, story)


def test_a_value_is_not_trusted_for_long(tmp_path: Path) -> None:
    async def story(database: Database) -> None:
        seconds = [0.0]
        memory = Memory(create_async_engine("sqlite+aiosqlite://"), clock=lambda: seconds[0])
        numbers = iter(range(10))

        async def count_on() -> int:
            return next(numbers)

        async def get() -> int:
            return await memory.get("number", (OrganizationRow,), count_on)

        assert [await get(), await get()] == [0, 0]
        seconds[0] = TRUSTED_FOR_S
        assert await get() == 1

    run(tmp_path, story)


def test_only_so_many_values_are_remembered(tmp_path: Path) -> None:
    async def story(database: Database) -> None:
        asked: list[int] = []

        async def get(number: int) -> None:
            async def read() -> int:
                asked.append(number)
                return number

            await database.memory.get(number, (OrganizationRow,), read)

        for number in range(MAX_VALUES + 1):
            await get(number)
        asked.clear()
        await get(MAX_VALUES)
        await get(0)
        assert asked == [0]

    run(tmp_path, story)
