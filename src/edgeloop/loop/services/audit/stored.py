"""Looks at files and rows side by side: each row has its file, each file a row that needs it."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from edgeloop.loop.db.tables import ImageRow, ModelFileRow
from edgeloop.loop.services import files
from edgeloop.loop.services.audit.findings import Audit, Kind, Progress
from edgeloop.loop.services.workspace import Workspaces
from edgeloop.loop.storage import ObjectStorage, StoredEntry

_PAGE = 5000
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Expected:
    """A file that rows need."""

    key: str
    size_bytes: int
    content_hash: str


async def check_files(
    workspaces: Workspaces, audit: Audit, on_progress: Progress, *, deep: bool
) -> None:
    """Compare all rows with all files, by size; ``deep`` reads the bytes as well."""
    unfinished = {key for keys in (await workspaces.storage.intents()).values() for key in keys}
    drafts = await workspaces.storage.unfinished()
    if unfinished or drafts:
        audit.notes.append(
            f"{drafts + len(unfinished)} files that a killed loop was at: the next start settles it"
        )
    look = _Look(workspaces.storage, audit, on_progress, deep=deep, unfinished=unfinished)
    async with workspaces.read() as workspace:
        session = workspace.session
        images = await session.scalar(select(func.count()).select_from(ImageRow)) or 0
        await look.compare("images", _images(session), files.IMAGES, total=images)
        models = await _models(session)
        await look.compare("models", _each(models), files.MODELS, total=len(models))
        await look.thumbnails(session)
    await look.rest()


class _Look:
    def __init__(
        self,
        storage: ObjectStorage,
        audit: Audit,
        on_progress: Progress,
        *,
        deep: bool,
        unfinished: Collection[str],
    ) -> None:
        self._storage = storage
        self._audit = audit
        self._on_progress = on_progress
        self._deep = deep
        self._unfinished = unfinished

    async def compare(
        self, what: str, rows: AsyncIterator[Expected], folder: str, *, total: int
    ) -> None:
        """Rows and the files of a folder; both come in the order of their keys."""
        whole: list[Expected] = []
        async for row, file in _paired(rows, self._storage.entries(folder)):
            if row is None and file is not None:
                self._orphan(file.key)
                continue
            assert row is not None
            self._audit.checked[what] += 1
            self._on_progress(what, self._audit.checked[what], total)
            if file is None:
                self._audit.add(Kind.MISSING, row.key, f"It has {row.size_bytes} bytes.")
            elif file.size_bytes != row.size_bytes:
                detail = f"It has {file.size_bytes} bytes, not {row.size_bytes}."
                self._audit.add(Kind.DAMAGED, row.key, detail)
            elif self._deep:
                whole.append(row)
            if len(whole) >= _AT_ONCE:
                await self._read(whole)
        await self._read(whole)

    async def thumbnails(self, session: AsyncSession) -> None:
        """Those whose image is gone."""
        async for some in _portions(self._storage.entries(files.THUMBNAILS)):
            self._audit.checked["thumbnails"] += len(some)
            needed = await files.needed_of(session, [entry.key for entry in some])
            for entry in some:
                if entry.key not in needed:
                    self._orphan(entry.key)

    async def rest(self) -> None:
        """What lies where the loop stores nothing."""
        known = (files.IMAGES, files.MODELS, files.THUMBNAILS)
        async for entry in self._storage.entries("", leave_out=known):
            self._orphan(entry.key)

    def _orphan(self, key: str) -> None:
        if key not in self._unfinished:
            self._audit.add(Kind.ORPHAN, key, "No row needs it.")

    async def _read(self, rows: list[Expected]) -> None:
        hashes = await asyncio.gather(*(self._storage.content_hash(row.key) for row in rows))
        for row, found in zip(rows, hashes, strict=True):
            if found != row.content_hash:
                self._audit.add(Kind.DAMAGED, row.key, "Its bytes are not those that were stored.")
        rows.clear()


async def _images(session: AsyncSession) -> AsyncIterator[Expected]:
    last = ""
    while True:
        query = (
            select(ImageRow.content_hash, func.max(ImageRow.size_bytes))
            .where(ImageRow.content_hash > last)
            .group_by(ImageRow.content_hash)
            .order_by(ImageRow.content_hash)
            .limit(_PAGE)
        )
        page = (await session.execute(query)).all()
        for content_hash, size in page:
            yield Expected(files.image_key(content_hash), size, content_hash)
        if len(page) < _PAGE:
            return
        last = page[-1][0]


async def _models(session: AsyncSession) -> Sequence[Expected]:
    rows = await session.scalars(select(ModelFileRow))
    found = [Expected(row.storage_key, row.size_bytes, row.content_hash) for row in rows]
    return sorted(found, key=lambda expected: _order(expected.key))


async def _paired(
    rows: AsyncIterator[Expected], stored: AsyncIterator[StoredEntry]
) -> AsyncIterator[tuple[Expected | None, StoredEntry | None]]:
    """Each row with its file; None where there is none. Both must be in order."""
    row, file = await anext(rows, None), await anext(stored, None)
    while row is not None or file is not None:
        order = _compared(row, file)
        yield (row if order <= 0 else None), (file if order >= 0 else None)
        if order <= 0:
            row = await anext(rows, None)
        if order >= 0:
            file = await anext(stored, None)


def _compared(row: Expected | None, file: StoredEntry | None) -> int:
    """Which comes first: the row (-1), the file (1), or both (0)."""
    if row is None or file is None:
        return 1 if row is None else -1
    first, second = _order(row.key), _order(file.key)
    return (first > second) - (first < second)


def _order(key: str) -> list[str]:
    return key.split("/")


async def _each(items: Sequence[Expected]) -> AsyncIterator[Expected]:
    for item in items:
        yield item


async def _portions(stored: AsyncIterator[StoredEntry]) -> AsyncIterator[list[StoredEntry]]:
    some: list[StoredEntry] = []
    async for entry in stored:
        some.append(entry)
        if len(some) == _PAGE:
            yield some
            some = []
    yield some
