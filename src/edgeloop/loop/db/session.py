"""The connection to the database: reading and writing sessions, migrations."""

import asyncio
import contextlib
import functools
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, ExceptionContext, event, text
from sqlalchemy.exc import ArgumentError, IntegrityError, InvalidRequestError, OperationalError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from edgeloop.errors import ConfigError, Conflict, Overloaded, StorageFull, Unprocessable
from edgeloop.loop.db import driver
from edgeloop.loop.db.memory import Memory

_MIGRATIONS = Path(__file__).parent / "migrations"
_OWN = "sqlite+aiosqlite:"
_CONNECTIONS = 32
"""Kept open for those who read at the same time: opening one takes longer than most readings."""
"""Databases to which our own driver connects."""


class Database:
    """Opens sessions; writers take their turn, readers never wait.

    ``memory`` keeps what readers need again and again.
    """

    def __init__(self, url: str) -> None:
        """Raises ConfigError where ``url`` names no database that can be used."""
        self.url = url
        self._engine = _engine(url)
        event.listen(self._engine.sync_engine, "handle_error", _translate)
        if self._engine.dialect.name == "sqlite":
            _prepare_sqlite(self._engine.sync_engine)
        self.memory = Memory(self._engine)
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        self._turn = asyncio.Lock()  # waiting writers hold no connection that a reader could use

    async def migrate(self) -> None:
        """Bring the tables to the newest version; raises ConfigError where they cannot be."""
        _check_folder(self._engine.url)
        with _storage_errors():
            async with self._engine.connect() as plain:
                connection = await plain.execution_options(begin="IMMEDIATE")
                async with connection.begin():
                    await connection.run_sync(_upgrade)

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session that sees one moment and changes nothing."""
        async with self._sessions() as session:
            yield session

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session that is committed when the block ends well, and undone otherwise.

        Nobody else writes meanwhile: keep files, hashing and other nodes out of the block. Raises
        StorageFull, ConfigError or Overloaded where the database cannot take it.
        """
        with _storage_errors():
            async with self._turn:
                try:
                    async with self._sessions() as session:
                        await session.connection(execution_options={"begin": "IMMEDIATE"})
                        yield session
                        await session.commit()
                finally:
                    self.memory.changed()  # also where nobody knows whether it was committed

    async def check_writable(self) -> None:
        """Take the writers' turn and give it back; raises ConfigError, StorageFull, Overloaded."""
        async with self.write():
            pass

    async def version(self) -> str:
        """The version of the tables that there are."""
        async with self.read() as session:
            found = await session.scalar(text("SELECT version_num FROM alembic_version"))
        return found or "none"

    async def check_migrated(self) -> None:
        """Raise ConfigError where the tables are not those of this version of the loop."""
        found = await self.version()
        if found != newest_version():
            raise ConfigError(
                f"The database has version {found}, the loop {newest_version()}: start the loop "
                "anew, it brings older ones up to date."
            )

    async def size_bytes(self) -> int | None:
        """How large the database is, its journal included; None where nobody can tell."""
        url = self._engine.url
        if url.get_backend_name() != "sqlite" or not url.database:
            return None
        return await asyncio.to_thread(_size_of, Path(url.database))

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


def _engine(url: str) -> AsyncEngine:
    try:
        own = {"async_creator_fn": driver.connect} if url.startswith(_OWN) else {}
        return create_async_engine(
            url, json_serializer=_to_json, connect_args=own, pool_size=_CONNECTIONS
        )
    except (ArgumentError, InvalidRequestError, ModuleNotFoundError) as error:
        raise ConfigError(
            "EDGELOOP_DATABASE_URL is no database that the loop can use "
            f"({error}): it keeps its data in SQLite. Write sqlite+aiosqlite:////path/to/file, or "
            "leave it out."
        ) from error


def _to_json(value: Any) -> str:
    # Half of a surrogate pair is legal in JSON, but no answer could carry it out again.
    return json.dumps(value, ensure_ascii=False).encode(errors="replace").decode()


def _check_folder(url: URL) -> None:
    # Said before connecting: a connection that fails leaves a thread behind that complains later.
    if url.get_backend_name() == "sqlite" and url.database:
        folder = Path(url.database).parent
        if not folder.is_dir():
            raise ConfigError(f"The loop's database cannot be in {folder}: it is no folder.")


def _prepare_sqlite(engine: Any) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we begin transactions ourselves
        connection.execute("PRAGMA busy_timeout=30000").close()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@functools.cache
def newest_version() -> str:
    """The version of the tables that this code works with."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _size_of(file: Path) -> int:
    journals = (file.with_name(f"{file.name}{end}") for end in ("-wal", "-shm"))
    return sum(path.stat().st_size for path in (file, *journals) if path.is_file())


def _translate(context: ExceptionContext) -> None:
    """What a request's values do to the database is said of the request."""
    error = context.original_exception
    if isinstance(error, OverflowError):
        raise Unprocessable("A number is too large to be kept: send a smaller one.") from error
    if isinstance(error, UnicodeEncodeError):
        raise Unprocessable("A text has half a character in it: send whole ones.") from error
    if isinstance(context.sqlalchemy_exception, IntegrityError):
        raise Conflict(
            "What this needs was changed or deleted meanwhile: load it again and repeat."
        ) from error


@contextlib.contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise _meaning_of(error) from error


def _meaning_of(error: OperationalError) -> Exception:
    text = str(error.orig)
    if "full" in text:
        return StorageFull("No space left for the loop's database: free some disk space.")
    if "readonly" in text or "unable to open" in text:
        return ConfigError(f"The loop's database cannot be written ({text}): check its folder.")
    if "locked" in text:
        return Overloaded("The loop's database is busy: wait and repeat.")
    return error
