"""What was read from the database, remembered until a table that it came from is changed."""

import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, TextClause, event
from sqlalchemy.ext.asyncio import AsyncEngine

from edgeloop.loop.db.columns import Base

Tables = Sequence[type[Base]]
T = TypeVar("T")

MAX_VALUES = 10_000
TRUSTED_FOR_S = 30.0
"""Another program may write to the database, too."""


class Memory:
    """Values by key, each with the tables that it was read from.

    Rows that are deleted along with others are not seen to change: name the tables of those, too.
    Whoever writes says ``changed`` when that has ended, before anybody is told.
    """

    def __init__(self, engine: AsyncEngine, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._values: OrderedDict[Hashable, tuple[tuple[int, ...], float, Any]] = OrderedDict()
        self._changes: Counter[str] = Counter()
        self._unseen = 0
        self._writing: set[str] = set()
        event.listen(engine.sync_engine, "before_execute", self._note)

    async def get(self, key: Hashable, tables: Tables, read: Callable[[], Awaitable[T]]) -> T:
        """What ``read`` returns now, or returned before if the tables are as they were then.

        None is never remembered.
        """
        version, now = self.version(tables), self._clock()
        found = self._values.get(key)
        if found is not None and found[0] == version and now - found[1] < TRUSTED_FOR_S:
            value: T = found[2]
            return value
        value = await read()
        if value is not None:
            self._keep(key, (version, now, value))  # of before: what came meanwhile is read again
        return value

    def version(self, tables: Tables) -> tuple[int, ...]:
        """Another one after each change of one of these tables."""
        return (self._unseen, *(self._changes[table.__tablename__] for table in tables))

    def changed(self) -> None:
        """A transaction has ended: what it wrote to is read again."""
        self._changes.update(self._writing)
        self._writing.clear()

    def _keep(self, key: Hashable, kept: tuple[tuple[int, ...], float, Any]) -> None:
        self._values[key] = kept
        self._values.move_to_end(key)
        while len(self._values) > MAX_VALUES:
            self._values.popitem(last=False)

    def _note(self, _connection: Connection, statement: Any, *_: Any) -> None:
        if getattr(statement, "is_dml", False):
            self._writing.add(statement.table.name)
        elif isinstance(statement, TextClause):  # nobody knows what it does
            self._unseen += 1
