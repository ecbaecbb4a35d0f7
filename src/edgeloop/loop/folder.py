"""The loop's data folder: made, kept for one loop alone, free of unfinished files."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from edgeloop import durable
from edgeloop.errors import ConfigError
from edgeloop.loop.storage import FolderStorage

log = logging.getLogger(__name__)

_PASSWORD_FILE = "admin-password"


@contextlib.contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Make the data folder and keep other loops out of it; they would sweep each other's drafts.

    Raises ConfigError where it cannot be written, or another loop works in it.
    """
    with contextlib.ExitStack() as stack, _told(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stack.enter_context(durable.alone_in(folder))
        keep = stack.pop_all()
    with keep:
        yield


def sweep(storage: FolderStorage, folder: Path) -> None:
    """Make the storage ready, without what a killed loop left half written in it.

    Blocking. Raises ConfigError where the folder cannot be written.
    """
    with _told(folder):
        swept = storage.prepare()
    if swept:
        log.info("Removed %d unfinished files of an earlier run", swept)


def keep_password(folder: Path, password: str) -> None:
    """Leave the password that was made up for the first account in a file for its owner alone."""
    file = folder / _PASSWORD_FILE
    with durable.draft_of(file) as draft:
        draft.touch(mode=0o600)
        draft.write_text(f"{password}\n")
    log.warning("Made the account admin; its password is in %s: delete it when read", file)


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except BlockingIOError as error:
        message = f"Another loop works in {folder}: end it, or choose another --data-folder."
        raise ConfigError(message) from error
    except OSError as error:
        message = (
            f"The loop cannot write to its data folder {folder} ({error.strerror}): "
            "choose another one with --data-folder."
        )
        raise ConfigError(message) from error
