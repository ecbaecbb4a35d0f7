"""A zip that somebody sent -> the files in it: flat, few, and not more than the disk can take."""

import contextlib
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import IO

from edgeloop.errors import Unprocessable
from edgeloop.loop.services.archives import ReceivedFile

MAX_FILES = 1000
_MAX_DIRECTORY_BYTES = 4 << 20
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    struct.error,
)
_END = b"PK\x05\x06"
_END_BYTES = 22
_END_64 = b"PK\x06\x06"
_END_64_BYTES = 56 + 20  # the record and its locator, right before the end
_MAX_COMMENT_BYTES = 1 << 16


@contextlib.contextmanager
def unpacked(packed: ReceivedFile, *, max_bytes: int) -> Iterator[Sequence[ReceivedFile]]:
    """The files of a zip, to be read until the block ends; nothing is written to the disk.

    Entries of folders, and what macOS adds, are passed over. Blocking. Raises Unprocessable for
    files in folders, links, encrypted entries, more than ``MAX_FILES`` files or ``max_bytes`` bytes
    of them, and, also while the block reads, for a broken zip.
    """
    with contextlib.ExitStack() as stack, _told(packed.name, _BROKEN):
        with _told(packed.name, (ValueError,)):
            files = _opened(packed, stack, max_bytes=max_bytes)
        yield files


def _opened(
    packed: ReceivedFile, stack: contextlib.ExitStack, *, max_bytes: int
) -> list[ReceivedFile]:
    _check_directory(packed)
    archive = stack.enter_context(zipfile.ZipFile(packed.content))
    entries = archive.infolist()
    _check_number(packed.name, entries)
    entries = [entry for entry in entries if not _is_passed_over(entry)]
    _check(packed.name, entries, max_bytes=max_bytes)
    return [
        ReceivedFile(entry.filename, stack.enter_context(archive.open(entry))) for entry in entries
    ]


@contextlib.contextmanager
def _told(name: str, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    try:
        yield
    except errors as error:
        raise Unprocessable(f"{name} is no zip that can be read ({error}).") from error


def _is_passed_over(entry: zipfile.ZipInfo) -> bool:
    """Folders hold nothing themselves; macOS adds what only its Finder reads."""
    path = entry.orig_filename
    return path.endswith("/") or path.startswith("__MACOSX/") or path == ".DS_Store"


def _check_number(name: str, entries: Sequence[zipfile.ZipInfo]) -> None:
    if len(entries) > MAX_FILES:
        raise Unprocessable(f"{name} has {len(entries)} files: up to {MAX_FILES} are accepted.")


def _check(name: str, entries: Sequence[zipfile.ZipInfo], *, max_bytes: int) -> None:
    for entry in entries:
        _check_entry(name, entry)
    size = sum(entry.file_size for entry in entries)
    if size > max_bytes:
        raise Unprocessable(f"{name} unpacks to {size} bytes: up to {max_bytes} are accepted.")


def _check_entry(name: str, entry: zipfile.ZipInfo) -> None:
    path = entry.orig_filename.replace("\\", "/")
    if entry.is_dir() or "/" in path or path != entry.filename or path in ("", ".", ".."):
        raise Unprocessable(f"{name} has {path!r} in it: zip the files alone, without folders.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise Unprocessable(f"{name} has a link in it ({path}): zip the file itself.")
    if entry.flag_bits & 1:
        raise Unprocessable(f"{path} in {name} is encrypted: send it as it is.")


def _check_directory(packed: ReceivedFile) -> None:
    """Reading a zip's directory takes memory for each entry: its size is looked at before."""
    size = _directory_bytes(packed.content)
    if size > _MAX_DIRECTORY_BYTES:
        raise Unprocessable(f"{packed.name} has too many files: up to {MAX_FILES} are accepted.")


def _directory_bytes(file: IO[bytes]) -> int:
    length = file.seek(0, 2)
    file.seek(max(0, length - _MAX_COMMENT_BYTES - _END_BYTES - _END_64_BYTES))
    tail = file.read()
    end = _end_of_directory(tail)
    said: int = struct.unpack_from("<L", tail, end + 12)[0]
    start = end - _END_64_BYTES
    if start >= 0 and tail.startswith(_END_64, start):
        large: int = struct.unpack_from("<Q", tail, start + 40)[0]
        return max(large, said if said != 0xFFFFFFFF else 0)
    return said


def _end_of_directory(tail: bytes) -> int:
    """Where the end record begins, found as ``zipfile`` does it: without a comment it is last."""
    if tail[-_END_BYTES:].startswith(_END) and tail.endswith(b"\0\0"):
        return len(tail) - _END_BYTES
    end = tail.rfind(_END)
    if end < 0:
        raise zipfile.BadZipFile("it has no directory")
    return end
