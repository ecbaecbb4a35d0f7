"""Where the loop keeps files: images and models, by key."""

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from edgeloop import durable
from edgeloop.errors import NotFound

INTENT_PREFIX = ".intent-"
_PROBE_BYTES = 1 << 16
_SYNCS_AT_ONCE = 8
"""File systems write what several threads wait for in one go."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as it was stored: its key, size and the SHA-256 of its bytes in hex."""

    key: str
    size_bytes: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A file in a listing."""

    key: str
    size_bytes: int


class Draft:
    """A file that is being written and has no key yet; for one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        self._digest = hashlib.sha256()
        self._file: IO[bytes] | None = None

    @property
    def content_hash(self) -> str:
        """The SHA-256 of the bytes so far, in hex."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        """Add bytes; raises StorageFull."""
        with durable.storage_errors(self.path):
            if self._file is None:
                self._file = self.path.open("xb", buffering=0)
            rest = memoryview(data)
            while rest:  # a disk that fills up takes a part first, and only then refuses
                rest = rest[self._file.write(rest) :]
        self._digest.update(data)
        self.size_bytes += len(data)

    def read(self) -> bytes:
        """All bytes; closes it."""
        self.close()
        return self.path.read_bytes() if self.size_bytes else b""

    def discard(self) -> None:
        """Remove it; it is no error if it was published."""
        self.close()
        durable.remove(self.path)

    def close(self) -> None:
        """Nothing is written any more."""
        if self._file is not None:
            self._file.close()


class ObjectStorage(Protocol):
    """Files by key; a key is a relative path with forward slashes."""

    def draft(self) -> Draft:
        """A file to be written before it is known whether it will be stored."""
        ...

    async def publish(self, drafts: Mapping[str, Draft]) -> None:
        """Store drafts durably, all at once, by key; what is there already stays as it is.

        Raises StorageFull.
        """
        ...

    async def put(self, key: str, source: IO[bytes] | bytes) -> StoredFile:
        """Store the bytes, or those of a file from its start, durably; replaces what was there."""
        ...

    async def read(self, key: str) -> bytes:
        """All bytes; raises NotFound."""
        ...

    def stream(self, key: str) -> AsyncIterator[bytes]:
        """The bytes in chunks; raises NotFound."""
        ...

    async def exists(self, key: str) -> bool:
        """Whether there are bytes under ``key``."""
        ...

    async def delete(self, key: str) -> None:
        """Remove the bytes; it is no error if there are none."""
        ...

    def entries(
        self, folder: str, *, leave_out: Collection[str] = ()
    ) -> AsyncIterator[StoredEntry]:
        """All files below a folder (``""``: all there are), in the order of their keys' parts."""
        ...

    async def content_hash(self, key: str) -> str:
        """The SHA-256 of the bytes in hex; raises NotFound."""
        ...

    async def set_aside(self, key: str, name: str) -> None:
        """Take a file out of the storage, but keep it in a place of this name for people to see."""
        ...

    async def unfinished(self) -> int:
        """How many files of a killed process are half written."""
        ...

    async def check_writable(self) -> None:
        """Write something and remove it again; raises StorageFull, OSError."""
        ...

    async def free_bytes(self) -> int | None:
        """How much more fits in; None where nobody can tell."""
        ...

    async def intend(self, keys: Collection[str]) -> str:
        """Note durably that these files are about to be stored or removed; returns a name for it.

        What a killed process left undone is found by these notes, not by a walk through all files.
        """
        ...

    async def fulfil(self, intent: str) -> None:
        """Drop the note of this name: its files are as they shall be."""
        ...

    async def intents(self) -> Mapping[str, Sequence[str]]:
        """The keys of all notes that were not dropped, by name."""
        ...


class FolderStorage:
    """Object storage in a folder: one file per key, written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._syncing = ThreadPoolExecutor(_SYNCS_AT_ONCE, "sync")

    def draft(self) -> Draft:
        """A file among the drafts."""
        durable.make_folder(self._folder)
        return Draft(self._draft_path())

    async def publish(self, drafts: Mapping[str, Draft]) -> None:
        """Store drafts durably, all at once, by key; what is there already stays as it is."""
        await asyncio.to_thread(self._publish, drafts)

    async def put(self, key: str, source: IO[bytes] | bytes) -> StoredFile:
        """Store the bytes, or those of a file from its start, durably under ``key``."""
        return await asyncio.to_thread(self._put, key, source)

    async def read(self, key: str) -> bytes:
        """All bytes; raises NotFound."""
        return await asyncio.to_thread(self._existing(key).read_bytes)

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """The bytes in chunks of 1 MiB; raises NotFound."""
        with self._existing(key).open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, 1 << 20):
                yield chunk

    async def exists(self, key: str) -> bool:
        """Whether there are bytes under ``key``."""
        return await asyncio.to_thread(self._path(key).is_file)

    async def delete(self, key: str) -> None:
        """Remove the bytes; it is no error if there are none."""
        await asyncio.to_thread(durable.remove, self._path(key))

    async def entries(
        self, folder: str, *, leave_out: Collection[str] = ()
    ) -> AsyncIterator[StoredEntry]:
        """All files below a folder (``""``: all there are), in the order of their keys' parts."""
        for name, size in await asyncio.to_thread(_listed, self._folder / folder):
            key = f"{folder}/{name}" if folder else name
            if size is not None:
                yield StoredEntry(key, size)
            elif key not in leave_out:
                async for entry in self.entries(key):
                    yield entry

    async def content_hash(self, key: str) -> str:
        """The SHA-256 of the bytes in hex; raises NotFound."""
        return await asyncio.to_thread(_hash_of, self._existing(key))

    async def set_aside(self, key: str, name: str) -> None:
        """Move a file out of the storage, to the folder of this name beside it."""
        await asyncio.to_thread(self._set_aside, key, name)

    async def unfinished(self) -> int:
        """How many drafts a killed process left."""
        return len(await asyncio.to_thread(durable.drafts_in, self._folder))

    async def check_writable(self) -> None:
        """Write something and remove it again; raises StorageFull, OSError."""
        await asyncio.to_thread(self._probe)

    async def free_bytes(self) -> int | None:
        """How much more fits on the folder's disk."""
        return (await asyncio.to_thread(shutil.disk_usage, self._folder)).free

    async def intend(self, keys: Collection[str]) -> str:
        """Note durably that these files are about to be stored or removed; returns its name."""
        intent = f"{INTENT_PREFIX}{uuid.uuid4().hex}"
        await asyncio.to_thread(durable.write_json, self._folder / intent, sorted(keys))
        return intent

    async def fulfil(self, intent: str) -> None:
        """Drop a note; it is no error if it is gone."""
        await asyncio.to_thread(durable.remove, self._folder / intent)

    async def intents(self) -> Mapping[str, Sequence[str]]:
        """The keys of all notes that were not dropped, by name."""
        return await asyncio.to_thread(self._intents)

    def prepare(self) -> int:
        """Make the folder and remove the drafts that a killed process left; says how many.

        Raises OSError where the folder cannot be written.
        """
        durable.make_folder(self._folder)
        swept = durable.sweep(self._folder)
        self._probe()
        return swept

    def _probe(self) -> None:
        probe = self._folder / f"{durable.DRAFT_PREFIX}probe-{uuid.uuid4().hex}"
        try:
            with durable.storage_errors(self._folder):
                probe.write_bytes(bytes(_PROBE_BYTES))
        finally:
            durable.remove(probe)

    def _put(self, key: str, source: IO[bytes] | bytes) -> StoredFile:
        digest = hashlib.sha256()
        size = 0
        with self._draft_of(self._path(key)) as draft, draft.open("wb") as target:
            for chunk in _chunks(source):
                digest.update(chunk)
                size += target.write(chunk)
        return StoredFile(key, size, digest.hexdigest())

    def _publish(self, drafts: Mapping[str, Draft]) -> None:
        for draft in drafts.values():
            draft.close()
        moves = {draft.path: self._path(key) for key, draft in drafts.items()}
        with durable.storage_errors(self._folder):
            durable.publish_all(moves, self._syncing)

    def _draft_path(self) -> Path:
        return self._folder / f"{durable.DRAFT_PREFIX}{uuid.uuid4().hex}"

    @contextlib.contextmanager
    def _draft_of(self, target: Path) -> Iterator[Path]:
        # All drafts lie in one folder: sweeping need not walk through a million images.
        draft = self._draft_path()
        try:
            with durable.storage_errors(target):
                durable.make_folder(target.parent)
                yield draft
                durable.publish(draft, target)
        finally:
            durable.remove(draft)

    def _set_aside(self, key: str, name: str) -> None:
        target = self._folder.parent / name / key
        with durable.draft_of(target) as draft:
            shutil.move(self._folder / key, draft)  # also from one disk to another

    def _intents(self) -> dict[str, list[str]]:
        notes = sorted(self._folder.glob(f"{INTENT_PREFIX}*"))
        return {note.name: json.loads(note.read_bytes()) for note in notes}

    def _existing(self, key: str) -> Path:
        path = self._path(key)
        if not path.is_file():
            raise NotFound(f"The storage has nothing under {key!r}.")
        return path

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if not all(parts) or any(part.startswith(".") for part in parts):
            raise NotFound(f"{key!r} is no key of the storage.")
        return self._folder.joinpath(*parts)


def _listed(folder: Path) -> list[tuple[str, int | None]]:
    """What is in a folder, by name: files with their size, folders without one."""
    own = (durable.DRAFT_PREFIX, INTENT_PREFIX)
    if not folder.is_dir():
        return []
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    return [
        (entry.name, None if entry.is_dir() else _size_of(entry))
        for entry in entries
        if not entry.name.startswith(own)
    ]


def _size_of(entry: "os.DirEntry[str]") -> int:
    return entry.stat(follow_symlinks=entry.is_file()).st_size  # a link to nowhere has one, too


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _chunks(source: IO[bytes] | bytes) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    source.seek(0)
    while chunk := source.read(1 << 20):
        yield chunk
