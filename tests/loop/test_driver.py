"""Our connections to SQLite: what is quick is done at once, what is slow keeps nobody waiting."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from edgeloop.loop.db import driver
from edgeloop.loop.db.driver import Connection

Story = Callable[[Connection], Awaitable[None]]
SLOW = "SELECT count(*) FROM many AS a, many AS b"


def run(folder: Path, story: Story) -> None:
    async def whole() -> None:
        connection = await driver.connect(str(folder / "db.sqlite"), isolation_level=None)
        try:
            await connection.done("CREATE TABLE many (number INTEGER PRIMARY KEY)", ())
            await connection.done("BEGIN IMMEDIATE", ())
            numbers = [(number,) for number in range(1000)]
            await connection.done_often("INSERT INTO many VALUES (?)", numbers)
            await connection.commit()
            await story(connection)
        finally:
            await connection.close()

    asyncio.run(whole())


async def threads_of(connection: Connection, statement: str) -> list[bool]:
    """Whether what SQLite calls for each row of a statement was in this thread."""
    here: list[bool] = []

    def note(number: int) -> int:
        here.append(threading.current_thread() is threading.main_thread())
        return number

    await connection.create_function("note", 1, note)
    await connection.done(statement, ())
    return here


def test_quick_reading_takes_no_other_thread(tmp_path: Path) -> None:
    async def story(connection: Connection) -> None:
        assert await threads_of(connection, "SELECT note(1)") == [True]

    run(tmp_path, story)


def test_writing_is_done_in_the_thread_of_the_connection(tmp_path: Path) -> None:
    async def story(connection: Connection) -> None:
        assert await threads_of(connection, "INSERT INTO many VALUES (note(5000))") == [False]

    run(tmp_path, story)


def test_slow_reading_is_done_in_the_thread_of_the_connection(tmp_path: Path) -> None:
    async def story(connection: Connection) -> None:
        rows = "SELECT note(a.number) FROM many AS a, many AS b WHERE b.number < 20"
        first, *_, last = await threads_of(connection, rows)
        assert (first, last) == (True, False)
        assert True not in await threads_of(connection, rows)

    run(tmp_path, story)


def test_slow_reading_has_all_its_rows(tmp_path: Path) -> None:
    async def story(connection: Connection) -> None:
        for _ in range(2):
            assert (await connection.done(SLOW, ())).rows == [(1_000_000,)]

    run(tmp_path, story)


def test_reading_again_sees_the_same_moment(tmp_path: Path) -> None:
    async def story(connection: Connection) -> None:
        await connection.done("PRAGMA journal_mode=WAL", ())
        await connection.done("BEGIN DEFERRED", ())
        await connection.done("SELECT number FROM many LIMIT 1", ())
        with closing(sqlite3.connect(tmp_path / "db.sqlite")) as other, other:
            other.execute("DELETE FROM many")
        assert (await connection.done(SLOW, ())).rows == [(1_000_000,)]
        await connection.rollback()
        assert (await connection.done(SLOW, ())).rows == [(0,)]

    run(tmp_path, story)


def test_going_back_undoes_what_was_written(tmp_path: Path) -> None:
    async def story(connection: Connection) -> None:
        await connection.done("BEGIN IMMEDIATE", ())
        await connection.done("DELETE FROM many", ())
        await connection.done("SELECT number FROM many", ())
        await connection.rollback()
        assert (await connection.done("SELECT count(*) FROM many", ())).rows == [(1000,)]

    run(tmp_path, story)


def test_a_wrong_statement_says_what_is_wrong(tmp_path: Path) -> None:
    async def story(connection: Connection) -> None:
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            await connection.done("SELECT 1 FROM nowhere", ())

    run(tmp_path, story)


def test_a_closed_connection_says_so(tmp_path: Path) -> None:
    async def story(connection: Connection) -> None:
        await connection.close()
        with pytest.raises(ValueError, match="no active connection"):
            await connection.done("SELECT 1", ())

    run(tmp_path, story)


def test_a_cursor_knows_its_columns_and_what_it_changed(tmp_path: Path) -> None:
    async def story(connection: Connection) -> None:
        cursor = connection.cursor()
        await cursor.execute("SELECT number AS n FROM many WHERE number < ?", (3,))
        assert [column[0] for column in cursor.description] == ["n"]
        assert await cursor.fetchall() == [(0,), (1,), (2,)]
        await cursor.execute("DELETE FROM many WHERE number < ?", (3,))
        assert (cursor.description, cursor.rowcount) == (None, 3)

    run(tmp_path, story)
