"""What is done to a loop's data while no loop runs, or beside it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from edgeloop.errors import ConfigError
from edgeloop.loop.db.session import Database
from edgeloop.loop.folder import own_folder, sweep
from edgeloop.loop.services import accounts, files
from edgeloop.loop.services.audit.derived import check_derived
from edgeloop.loop.services.audit.findings import Audit, Kind, Progress, Verdict
from edgeloop.loop.services.audit.repair import repair as repaired
from edgeloop.loop.services.audit.rows import check_database, check_version
from edgeloop.loop.services.audit.stored import check_files
from edgeloop.loop.services.fleet import NoFleet
from edgeloop.loop.services.workspace import Workspaces
from edgeloop.loop.settings import LoopSettings
from edgeloop.loop.storage import FolderStorage

_BASIC = (Kind.DATABASE, Kind.MIGRATION)


async def reset_password(settings: LoopSettings, username: str) -> str:
    """Give an account of the loop with these settings a new password, and return it.

    Raises NotFound where there is no such account, ConfigError where there is no loop.
    """
    async with _opened(settings) as workspaces:
        await workspaces.database.migrate()
        return await accounts.reset_password(workspaces, username)


async def check(
    settings: LoopSettings, *, repair: bool, deep: bool, on_progress: Progress
) -> Verdict:
    """Look whether the database and the files of a loop agree; changes nothing but for ``repair``.

    ``deep`` reads every file and every index. Raises ConfigError where another loop is at the
    folder, where there is no loop, and where its database cannot be read.
    """
    async with _opened(settings) as workspaces:
        with own_folder(settings.data_folder):
            if repair:
                await asyncio.to_thread(sweep, _storage(settings), settings.data_folder)
            found = await _audit(workspaces, on_progress, deep=deep, settle=repair)
            if not repair or not found.findings or found.of(*_BASIC):
                return Verdict(found, left=found)
            left, done = found, list[str]()
            for _ in range(2 if found.of(Kind.REFERENCE) else 1):  # rows leave their files behind
                done += await repaired(workspaces, left, settings.data_folder)
                left = await _audit(workspaces, on_progress, deep=False)
            return Verdict(found, left, tuple(done))


async def _audit(
    workspaces: Workspaces, on_progress: Progress, *, deep: bool, settle: bool = False
) -> Audit:
    audit = Audit()
    await check_version(workspaces, audit)
    if audit.findings:
        return audit
    if settle:
        await files.settle_intents(workspaces)
    await check_database(workspaces, audit, deep=deep)
    if not audit.of(*_BASIC):  # what is asked of a damaged database has no sound answer
        await check_derived(workspaces, audit, on_progress)
        await check_files(workspaces, audit, on_progress, deep=deep)
    return audit


@contextlib.asynccontextmanager
async def _opened(settings: LoopSettings) -> AsyncIterator[Workspaces]:
    if settings.database_url is None and not (settings.data_folder / "loop.sqlite").is_file():
        message = f"{settings.data_folder} is no loop's data folder: name it by --data-folder."
        raise ConfigError(message)
    database = Database(settings.database)
    workspaces = Workspaces(database, _storage(settings), NoFleet(), _now)
    try:
        yield workspaces
    finally:
        workspaces.passwords.close()
        await database.close()


def _storage(settings: LoopSettings) -> FolderStorage:
    return FolderStorage(settings.data_folder / "files")


def _now() -> datetime:
    return datetime.now(UTC)
