"""What is done to a loop's data while no loop runs, or beside it."""

from datetime import UTC, datetime

from edgeloop.errors import ConfigError
from edgeloop.loop.db.session import Database
from edgeloop.loop.services import accounts
from edgeloop.loop.services.fleet import NoFleet
from edgeloop.loop.services.workspace import Workspaces
from edgeloop.loop.settings import LoopSettings
from edgeloop.loop.storage import FolderStorage


async def reset_password(settings: LoopSettings, username: str) -> str:
    """Give an account of the loop with these settings a new password, and return it.

    Raises NotFound where there is no such account, ConfigError where there is no loop.
    """
    if settings.database_url is None and not (settings.data_folder / "loop.sqlite").is_file():
        message = f"{settings.data_folder} is no loop's data folder: name it by --data-folder."
        raise ConfigError(message)
    database = Database(settings.database)
    storage = FolderStorage(settings.data_folder / "files")
    workspaces = Workspaces(database, storage, NoFleet(), _now)
    try:
        await database.migrate()
        return await accounts.reset_password(workspaces, username)
    finally:
        workspaces.passwords.close()
        await database.close()


def _now() -> datetime:
    return datetime.now(UTC)
