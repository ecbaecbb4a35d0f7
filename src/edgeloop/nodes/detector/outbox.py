"""Frames that wait on the disk until the loop has them."""

import contextlib
import errno
import json
import logging
import os
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from edgeloop import durable
from edgeloop.errors import InputError, StorageFull
from edgeloop.imaging import PNG_START
from edgeloop.protocol.payloads.images import image_metadata_to_json, read_image_metadata
from edgeloop.types import ImageMetadata

log = logging.getLogger(__name__)

METADATA = "image.json"
REASON = "reason.txt"
_NAME = re.compile(r"(?P<rank>[pn])-(?P<number>\d+)")
_MAX_BATCH_BYTES = 64 * 1024 * 1024
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""What the machine lacks for a moment says nothing about the frame."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One waiting frame: its name in the outbox, its metadata and its bytes as received."""

    name: str
    metadata: ImageMetadata
    image: bytes


@dataclass(frozen=True, slots=True)
class OutboxCounts:
    """How many frames wait; how many were dropped by the bound or set aside since the start."""

    waiting: int
    dropped: int
    refused: int


class Outbox:
    """A folder per frame, numbered, each published as a whole; safe to use from several threads.

    People may delete what they like while it runs: ``counts`` looks for what is left. Beyond
    ``max_size`` frames the oldest go, those without priority first: counted and logged. What can
    never be uploaded is set aside in ``refused`` beside the outbox, at most ``max_refused`` frames.
    """

    def __init__(self, folder: Path, *, max_size: int = 10_000, max_refused: int = 1000) -> None:
        self._folder = folder
        self._refused_folder = folder.parent / "refused"
        self._max_size = max_size
        self._max_refused = max_refused
        self._lock = threading.Lock()
        self._urgent: dict[str, None] = {}
        self._normal: dict[str, None] = {}
        self._listeners: list[Callable[[], None]] = []
        self._dropped = 0
        self._refused = 0
        folder.mkdir(parents=True, exist_ok=True)
        durable.sweep(folder)
        self._last_number = self._read_names()

    def __len__(self) -> int:
        return len(self._urgent) + len(self._normal)

    @property
    def counts(self) -> OutboxCounts:
        """What waits, after a look at the disk, and what was lost."""
        self._forget_deleted()
        return OutboxCounts(waiting=len(self), dropped=self._dropped, refused=self._refused)

    def on_put(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each new frame, from the thread that put it."""
        self._listeners.append(listener)

    def put(self, metadata: ImageMetadata, image: bytes, *, priority: bool = False) -> str:
        """Keep a frame durably and say its name; raises StorageFull where it cannot be kept."""
        if len(self) >= self._max_size:
            self._forget_deleted()  # they shall cost no frame its place
        name = self._next_name(priority=priority)
        with durable.draft_of(self._folder / name) as draft:
            draft.mkdir()
            (draft / _image_name(image)).write_bytes(image)
            (draft / METADATA).write_text(json.dumps(image_metadata_to_json(metadata)))
        with self._lock:
            (self._urgent if priority else self._normal)[name] = None
            surplus = self._pop_surplus()
        for old in surplus:
            self._drop(old)
        for listener in self._listeners:
            listener()
        return name

    def next(self, limit: int, *, max_bytes: int = _MAX_BATCH_BYTES) -> list[Entry]:
        """Up to ``limit`` of the oldest frames, those with priority first; they stay until removed.

        At least one, but no more than ``max_bytes`` of images, is read.
        """
        while names := self._oldest(limit):
            if entries := self._read_some(names, max_bytes):
                return entries
        return []

    def remove(self, name: str) -> None:
        """Forget a frame that the loop has; it is no error if it is already gone."""
        self._forget(name)
        path = self._folder / name
        draft = path.with_name(f"{durable.DRAFT_PREFIX}{name}")
        with contextlib.suppress(FileNotFoundError):
            path.rename(draft)  # in one step: a kill in between leaves no half frame
        durable.remove(draft)

    def refuse(self, name: str, reason: str) -> None:
        """Set a frame aside that can never be uploaded, with the reason beside it."""
        self._forget(name)
        target = self._refused_folder / name
        self._refused_folder.mkdir(parents=True, exist_ok=True)
        durable.remove(target)
        try:
            (self._folder / name).rename(target)
            durable.write_bytes(target / REASON, reason.encode())
        except FileNotFoundError:
            return  # somebody deleted it meanwhile
        self._refused += 1
        log.warning("frame set aside in %s: %s", target, reason)
        self._bound_refused()

    def clear(self) -> None:
        """Forget and delete all that waits."""
        with self._lock:
            names = [*self._urgent, *self._normal]
        for name in names:
            self.remove(name)

    def _read_names(self) -> int:
        found = [match for path in self._folder.iterdir() if (match := _NAME.fullmatch(path.name))]
        for match in sorted(found, key=lambda match: int(match["number"])):
            names = self._urgent if match["rank"] == "p" else self._normal
            names[match.string] = None
        # Nor may a new frame take the place of one that was set aside under its number.
        aside = self._refused_folder.iterdir() if self._refused_folder.is_dir() else ()
        found += [match for path in aside if (match := _NAME.fullmatch(path.name))]
        return max((int(match["number"]) for match in found), default=0)

    def _next_name(self, *, priority: bool) -> str:
        with self._lock:
            if not priority and len(self._urgent) >= self._max_size:
                raise StorageFull(
                    f"The outbox is full: {self._max_size} frames with priority wait already. "
                    "Let them upload, or raise MAX_OUTBOX_SIZE."
                )
            self._last_number += 1
            return f"{'p' if priority else 'n'}-{self._last_number:012d}"

    def _pop_surplus(self) -> list[str]:
        surplus = []
        while len(self) > self._max_size:
            names = self._normal or self._urgent
            oldest = next(iter(names))
            del names[oldest]
            surplus.append(oldest)
        return surplus

    def _drop(self, name: str) -> None:
        self._dropped += 1
        self.remove(name)
        log.warning(
            "outbox full (%d frames): dropped the oldest, %s; %d dropped since the start",
            self._max_size,
            name,
            self._dropped,
        )

    def _forget_deleted(self) -> None:
        """Forget the frames whose folders somebody deleted."""
        known = self._oldest(None)  # before the look: what comes meanwhile is not missed there
        if not known:
            return
        present: set[str] = set()
        try:
            with os.scandir(self._folder) as entries:
                present.update(entry.name for entry in entries)
        except FileNotFoundError:
            pass
        except OSError:
            return  # that says nothing about the frames
        for name in known:
            if name not in present:
                self._forget(name)

    def _forget(self, name: str) -> None:
        with self._lock:
            self._urgent.pop(name, None)
            self._normal.pop(name, None)

    def _oldest(self, limit: int | None) -> list[str]:
        with self._lock:
            return list(islice(chain(self._urgent, self._normal), limit))

    def _read_some(self, names: Sequence[str], max_bytes: int) -> list[Entry]:
        entries: list[Entry] = []
        size = 0
        for name in names:
            entry = self._read(name)
            if entry is None:
                continue
            size += len(entry.image)
            if entries and size > max_bytes:
                break
            entries.append(entry)
        return entries

    def _read(self, name: str) -> Entry | None:
        path = self._folder / name
        try:
            if _is_deleted(path):
                self._forget(name)
                return None
            return _read_entry(path)
        except (OSError, ValueError, InputError) as error:
            if isinstance(error, OSError) and error.errno in _EXHAUSTED:
                raise
            self.refuse(name, f"The frame on the disk is not whole ({error}).")
            return None

    def _bound_refused(self) -> None:
        refused = sorted(self._refused_folder.iterdir(), key=lambda path: path.name[1:])
        for path in refused[: max(0, len(refused) - self._max_refused)]:
            durable.remove(path)
            log.warning("more than %d frames set aside: deleted %s", self._max_refused, path.name)


def _image_name(image: bytes) -> str:
    return "image.png" if image.startswith(PNG_START) else "image.jpg"


def _is_deleted(path: Path) -> bool:
    """Whether somebody deleted the frame, or all files in it."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if any(path.iterdir()):
            return False
        path.rmdir()
    return True


def _read_entry(path: Path) -> Entry:
    metadata = read_image_metadata(json.loads((path / METADATA).read_text()))
    for name in ("image.jpg", "image.png"):
        with contextlib.suppress(FileNotFoundError):
            return Entry(path.name, metadata, (path / name).read_bytes())
    raise FileNotFoundError(f"there is no image in {path}")
