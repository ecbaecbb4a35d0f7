"""SQLite's connections: what is read quickly is read at once, all else in the connection's thread.

aiosqlite goes to that thread and back four times for each statement; for most that costs more than
the statement.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import aiosqlite

QUICK_STEPS = 20_000
"""How much SQLite may do at once while all others wait: about a millisecond."""
MAX_SLOW = 1000
_BEGIN_READING = "BEGIN DEFERRED"
_QUICK = ("SELECT ", _BEGIN_READING)
_FETCHED_AT_ONCE = 64


async def connect(database: str, **options: Any) -> "Connection":
    """An open connection; takes what ``sqlite3.connect`` takes."""

    def connector() -> sqlite3.Connection:
        opened: sqlite3.Connection
        opened = sqlite3.connect(database, **{**options, "check_same_thread": False})
        return opened

    connection = Connection(connector, _FETCHED_AT_ONCE)
    connection._thread.daemon = True  # as SQLAlchemy does it for its own
    await connection
    return connection


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a statement did, its rows included."""

    description: Any
    rows: Sequence[Any]
    row_count: int
    last_row_id: int | None


Work = Callable[[sqlite3.Connection, str, Sequence[Any]], Outcome]


class Connection(aiosqlite.Connection):
    """For one task at a time, as SQLAlchemy uses it."""

    _slow: set[str] = set()  # noqa: RUF012 - shared: statements that are not quick anywhere
    _is_reading = False

    def cursor(self) -> "Cursor":  # type: ignore[override]
        """A cursor that gets its rows along with its statement."""
        return Cursor(self)

    async def done(self, statement: str, parameters: Sequence[Any]) -> Outcome:
        """The outcome of a statement."""
        is_quick = statement.startswith(_QUICK)
        if not is_quick or statement == _BEGIN_READING:
            self._is_reading = is_quick
        if is_quick and statement not in self._slow:
            try:
                return self._done_quickly(statement, parameters)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                    raise
            self._remember_slow(statement)
        return await self._in_thread(_done, statement, parameters)

    async def done_often(self, statement: str, rows: Sequence[Sequence[Any]]) -> Outcome:
        """The outcome of a statement for each of these parameters."""
        self._is_reading = False
        return await self._in_thread(_done_often, statement, rows)

    async def rollback(self) -> None:
        """End the transaction: nothing is to be done where it only read."""
        if self._is_reading:
            self._conn.rollback()
        else:
            await super().rollback()

    async def _in_thread(self, work: Work, statement: str, parameters: Sequence[Any]) -> Outcome:
        done = self._execute(work, self._conn, statement, parameters)  # type: ignore[no-untyped-call]
        outcome: Outcome = await done
        return outcome

    def _done_quickly(self, statement: str, parameters: Sequence[Any]) -> Outcome:
        """Raises OperationalError where it takes too long: it can be done again."""
        connection = self._conn
        connection.set_progress_handler(_enough, QUICK_STEPS)
        try:
            return _done(connection, statement, parameters)
        finally:
            connection.set_progress_handler(None, 0)

    def _remember_slow(self, statement: str) -> None:
        if len(self._slow) >= MAX_SLOW:
            self._slow.clear()
        self._slow.add(statement)


class Cursor:
    """What SQLAlchemy's adapter uses of a cursor."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._outcome = Outcome(None, (), -1, None)

    async def __aenter__(self) -> Self:
        """Nothing is to be opened."""
        return self

    @property
    def description(self) -> Any:
        """The columns of the rows; None where there are none."""
        return self._outcome.description

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        return self._outcome.row_count

    @property
    def lastrowid(self) -> int | None:
        """The number of the row that was added last."""
        return self._outcome.last_row_id

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Do a statement."""
        self._outcome = await self._connection.done(statement, parameters)

    async def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Do a statement for each of these parameters."""
        self._outcome = await self._connection.done_often(statement, rows)

    async def fetchall(self) -> Sequence[Any]:
        """The rows, which are here already."""
        return self._outcome.rows

    async def close(self) -> None:
        """Nothing is open."""


def _enough() -> int:
    return 1


def _done(connection: sqlite3.Connection, statement: str, parameters: Sequence[Any]) -> Outcome:
    return _outcome_of(connection.execute(statement, parameters))


def _done_often(
    connection: sqlite3.Connection, statement: str, rows: Sequence[Sequence[Any]]
) -> Outcome:
    return _outcome_of(connection.executemany(statement, rows))


def _outcome_of(cursor: sqlite3.Cursor) -> Outcome:
    try:
        rows = cursor.fetchall() if cursor.description else ()
        return Outcome(cursor.description, rows, cursor.rowcount, cursor.lastrowid)
    finally:
        cursor.close()
