"""Where the arrays of a store live: in RAM, or in the files of a folder beyond RAM."""

import contextlib
import mmap
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

import numpy as np

from edgeloop import durable
from edgeloop.errors import Conflict, InputError
from edgeloop.stream.stores.layout import Array

_MAP_NORESERVE = 0x4000  # Linux; the mmap module names it from Python 3.13 on
_HUGE = 4 * 1024 * 1024
_STEP = 64 * 1024 * 1024


class Memory(Protocol):
    """Gives arrays that start as zeros and cost nothing until they are written to."""

    def array(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """A new array, or the one that was kept under ``name``."""

    def reserve(self, name: str, rows: int) -> None:
        """Make sure that the first ``rows`` rows can be written; raises StorageFull."""


class Ram:
    """Arrays in RAM; the machine gives pages as they are first written to."""

    def array(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """A new array of zeros; ``name`` is of no consequence."""
        del name
        size = _size_of(shape, dtype)
        if size < _HUGE:
            return np.zeros(shape, dtype)
        # A ring may be larger than what is free: pages that are never written are never taken.
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
        pages = mmap.mmap(-1, size, flags=flags)
        with contextlib.suppress(OSError):
            pages.madvise(mmap.MADV_HUGEPAGE)
        return np.ndarray(shape, dtype, buffer=pages)

    def reserve(self, name: str, rows: int) -> None:
        """RAM is taken as it is written to."""


class Folder:
    """Arrays as memory-mapped files: what was written survives the process, however it ends.

    One process at a time. Disk space is taken in steps before it is written to, so that a full
    disk is StorageFull where rows are inserted, and not the end of the process.
    """

    def __init__(self, path: Path) -> None:
        durable.make_folder(path)
        self._path = path
        self._files: dict[str, _MappedFile] = {}
        self._alone = contextlib.ExitStack()
        try:
            self._alone.enter_context(durable.alone_in(path))
        except BlockingIOError as error:
            raise Conflict(
                f"{path} is open already, here or in another process: close it there, or choose "
                "another folder."
            ) from error

    @property
    def path(self) -> Path:
        """The folder."""
        return self._path

    def array(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """The array that was kept under ``name``, or zeros; raises InputError for another size."""
        file = _MappedFile(self._path / f"{name}.bin", shape, dtype)
        self._files[name] = file
        return file.array

    def reserve(self, name: str, rows: int) -> None:
        """Take disk space for the first ``rows`` rows; raises StorageFull."""
        self._files[name].reserve(rows)

    def flush(self) -> None:
        """Write to the disk what so far only the system's memory holds."""
        for file in self._files.values():
            file.flush()

    def close(self) -> None:
        """Flush, and let other processes in."""
        self.flush()
        self._alone.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _MappedFile:
    """A file as an array, mapped as a whole, sparse where nothing was written yet."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._path = path
        self._size = _size_of(shape, dtype)
        self._row_bytes = self._size // max(1, shape[0])
        with path.open("ab") as file:
            present = file.tell()
            if present not in (0, self._size):
                raise InputError(
                    f"{path} is damaged: {present} bytes, expected {self._size}. "
                    "Delete the folder, or restore a copy of it."
                )
            file.truncate(self._size)
        with path.open("r+b") as file:
            self._pages = mmap.mmap(file.fileno(), self._size)
        # What an earlier process reserved is reserved again, which costs little.
        self._reserved = 0
        self.array: Array = np.ndarray(shape, dtype, buffer=self._pages)

    def reserve(self, rows: int) -> None:
        """Take disk space up to this row."""
        wanted = min(rows * self._row_bytes, self._size)
        if wanted <= self._reserved:
            return
        generous = min(self._size, max(wanted, self._reserved + _STEP))
        with durable.storage_errors(self._path), self._path.open("r+b") as file:
            try:
                self._take(file, generous)
            except OSError:  # the disk is nearly full
                self._take(file, wanted)

    def _take(self, file: IO[bytes], size: int) -> None:
        os.posix_fallocate(file.fileno(), self._reserved, size - self._reserved)
        self._reserved = size

    def flush(self) -> None:
        """Sync all pages."""
        with durable.storage_errors(self._path):
            self._pages.flush()


def _size_of(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    return max(1, int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
