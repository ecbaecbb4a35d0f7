"""Files and the rows that need them: none is lost and none stays behind, whatever ends a request.

Bytes go into the storage before the row that needs them, and leave it after their row. Meanwhile
an intent in the storage names the files in doubt: by it the next start settles what a killed loop
left undone, without a walk through all files.
"""

import contextlib
import logging
from collections.abc import AsyncIterator, Collection, Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from edgeloop.errors import EdgeloopError
from edgeloop.loop.db.tables import ImageRow, ModelFileRow
from edgeloop.loop.services.workspace import Workspaces

log = logging.getLogger(__name__)

IMAGES, THUMBNAILS, MODELS = "images", "thumbs", "models"
"""The folders of the storage."""
_AT_ONCE = 500


def image_key(content_hash: str) -> str:
    """Where the storage keeps an image."""
    return f"{IMAGES}/{content_hash[:2]}/{content_hash}.jpg"


def thumbnail_key(content_hash: str) -> str:
    """Where the storage keeps the thumbnail of an image."""
    return f"{THUMBNAILS}/{content_hash[:2]}/{content_hash}.jpg"


class Doubt:
    """The files of which it is open whether rows need them."""

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces
        self._intents: list[str] = []
        self._keys: set[str] = set()

    async def add(self, keys: Collection[str]) -> None:
        """These files are about to be stored, or their rows to be deleted; raises StorageFull."""
        new = set(keys) - self._keys
        if not new:
            return
        await self._workspaces.holders.take(new)
        self._keys |= new
        self._intents.append(await self._workspaces.storage.intend(new))

    async def settle(self) -> None:
        """Remove the files that no row needs, unless someone else is at them."""
        alone = self._workspaces.holders.leave(self._keys)
        try:
            await remove_unneeded(self._workspaces, alone)
            for intent in self._intents:
                await self._workspaces.storage.fulfil(intent)
        finally:
            self._workspaces.holders.gone(alone)


@contextlib.asynccontextmanager
async def in_doubt(workspaces: Workspaces, keys: Collection[str] = ()) -> AsyncIterator[Doubt]:
    """Store or remove files together with their rows: both inside the block, committed in it.

    However the block ends, those of the files that no row needs are gone afterwards: storing and
    failing leaves nothing, and a row may be deleted without a look at who else needs its file.
    Raises StorageFull where there is no space for the intent.
    """
    doubt = Doubt(workspaces)
    try:
        await doubt.add(keys)
        yield doubt
    finally:
        with _left_to_the_next_start():
            await doubt.settle()


async def settle_intents(workspaces: Workspaces) -> int:
    """Remove what a killed loop stored for no row, or did not come to remove; says how many."""
    removed = 0
    for intent, keys in (await workspaces.storage.intents()).items():
        removed += len(await remove_unneeded(workspaces, keys))
        await workspaces.storage.fulfil(intent)
    return removed


async def remove_unneeded(workspaces: Workspaces, keys: Collection[str]) -> Sequence[str]:
    """Remove those of these files that exist and no row needs; returns their keys.

    The thumbnail of an image goes with it.
    """
    async with workspaces.read() as workspace:
        needed = await needed_of(workspace.session, keys)
    storage = workspaces.storage
    removed = [key for key in sorted(set(keys) - needed) if await storage.exists(key)]
    for key in removed:
        await storage.delete(key)
        if content_hash := _hash_in(key, IMAGES):
            await storage.delete(thumbnail_key(content_hash))
    return removed


async def needed_of(session: AsyncSession, keys: Collection[str]) -> set[str]:
    """Those of these keys that a row needs; a thumbnail is needed as long as its image."""
    needed: set[str] = set()
    for some in _portions(sorted(keys)):
        hashes = {key: _hash_in(key, IMAGES) or _hash_in(key, THUMBNAILS) for key in some}
        images = select(ImageRow.content_hash).where(ImageRow.content_hash.in_(hashes.values()))
        found = set(await session.scalars(images.distinct()))
        needed |= {key for key, content_hash in hashes.items() if content_hash in found}
        models = select(ModelFileRow.storage_key).where(ModelFileRow.storage_key.in_(some))
        needed |= set(await session.scalars(models))
    return needed


def _hash_in(key: str, folder: str) -> str:
    """The content hash in the key of an image or a thumbnail, else nothing."""
    top, _, rest = key.partition("/")
    return rest.rpartition("/")[2].removesuffix(".jpg") if top == folder else ""


def _portions(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _AT_ONCE):
        yield keys[start : start + _AT_ONCE]


@contextlib.contextmanager
def _left_to_the_next_start() -> Iterator[None]:
    # The request has its own end already; the intent stays, and with it the knowledge.
    try:
        yield
    except (EdgeloopError, SQLAlchemyError, OSError):
        log.exception("Files in doubt could not be settled: the next start does it")
