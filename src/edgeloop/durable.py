"""Files and folders that a power cut leaves old or new, never half."""

import contextlib
import errno
import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from edgeloop.errors import StorageFull

DRAFT_PREFIX = ".draft-"
LOCK = "lock"
"""The file by which a folder is one process's alone."""
_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextlib.contextmanager
def draft_of(target: Path) -> Iterator[Path]:
    """A path beside ``target`` to write a file or a folder to; published when the block ends well.

    Publishing syncs all bytes to the disk and renames; an existing file is replaced, a folder with
    something in it is not (``OSError``). On an error the draft is removed. Raises StorageFull where
    the disk is full.
    """
    draft = target.parent / f"{DRAFT_PREFIX}{uuid.uuid4().hex}"
    try:
        with storage_errors(target):
            make_folder(target.parent)
            yield draft
            publish(draft, target)
    finally:
        remove(draft)


def make_folder(folder: Path) -> None:
    """Make ``folder`` and its parents where there are none, and sync that they are there."""
    missing = [path for path in (folder, *folder.parents) if not path.is_dir()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        _sync(path.parent)


def publish(draft: Path, target: Path) -> None:
    """Sync ``draft`` (a file or a folder) and rename it to ``target``."""
    if draft.is_dir():
        for path in sorted(draft.rglob("*"), reverse=True):
            _sync(path)
    _sync(draft)
    draft.rename(target)
    _sync(target.parent)


def publish_all(moves: Mapping[Path, Path], threads: Executor) -> None:
    """Sync many files (draft -> target) and rename them; a target that exists stays as it is.

    All are waited for together: that takes hardly longer than one.
    """
    new = {draft: target for draft, target in moves.items() if not target.exists()}
    _sync_all(new, threads)
    folders = {target.parent for target in moves.values()}
    for folder in folders:
        make_folder(folder)
    for draft, target in new.items():
        draft.rename(target)
    _sync_all(folders, threads)  # also those where another one renames the same file just now


def write_bytes(target: Path, data: bytes) -> None:
    """Replace the content of ``target`` as a whole."""
    with draft_of(target) as draft:
        draft.write_bytes(data)


def write_json(target: Path, value: Any) -> None:
    """Replace the content of ``target`` by ``value`` as JSON."""
    write_bytes(target, json.dumps(value, indent=1).encode())


def remove(path: Path) -> None:
    """Remove a file or a folder; it is no error if there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sweep(folder: Path) -> int:
    """Remove the drafts that a killed process left in ``folder``; says how many."""
    drafts = drafts_in(folder)
    for draft in drafts:
        remove(draft)
    return len(drafts)


def drafts_in(folder: Path) -> list[Path]:
    """The drafts in ``folder``: of writers at work, or of killed ones."""
    return list(folder.glob(f"{DRAFT_PREFIX}*")) if folder.is_dir() else []


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes that ask the same out of ``folder``; BlockingIOError if one is in it."""
    with storage_errors(folder):
        lock = (folder / LOCK).open("w")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield  # closing the file lets go, and so does the end of the process


@contextlib.contextmanager
def storage_errors(where: Path) -> Iterator[None]:
    """Turn 'no space left' of the operating system into StorageFull."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        message = f"No space left for {where}: free some disk space, or choose another data folder."
        raise StorageFull(message) from error


def _sync_all(paths: Iterable[Path], threads: Executor) -> None:
    for _ in threads.map(_sync, paths):
        pass


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
