"""A file of named arrays with checksums, written in one go and read block by block.

The arrays' bytes come one after the other; then a JSON footer with their names, types, shapes,
offsets and CRC-32s; then the footer's own length and CRC-32. No code can be in it.
"""

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from edgeloop import durable
from edgeloop.errors import InputError
from edgeloop.stream.stores.layout import PLAIN_KINDS, Array

_MAGIC = b"edgeloop snapshot 1\n"
_END = struct.Struct("<QI")


@dataclass(frozen=True, slots=True)
class Block:
    """Where one array lies in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    crc: int


class SnapshotWriter:
    """Appends arrays; made by ``writing``."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._blocks: list[dict[str, Any]] = []
        self._offset = file.write(_MAGIC)

    def add(self, name: str, array: Array) -> None:
        """Append an array; a name may come more than once."""
        data = np.ascontiguousarray(array)
        raw = data.reshape(-1).view(np.uint8).data if data.size else b""
        crc = zlib.crc32(raw)
        block = Block(name, data.dtype.str, array.shape, self._offset, crc)
        self._blocks.append({key: getattr(block, key) for key in Block.__slots__})
        self._offset += self._file.write(raw)

    def finish(self, info: Mapping[str, Any]) -> None:
        """Write the footer with ``info`` (plain values) in it."""
        footer = json.dumps({"info": dict(info), "blocks": self._blocks}).encode()
        self._file.write(footer + _END.pack(len(footer), zlib.crc32(footer)) + _MAGIC)


@contextmanager
def writing(path: Path) -> Iterator[SnapshotWriter]:
    """A writer to ``path``, which is replaced as a whole when the block ends well.

    Raises StorageFull where the disk is full; the old file is still there then.
    """
    with durable.draft_of(path) as draft, draft.open("wb") as file:
        yield SnapshotWriter(file)


class Snapshot:
    """A snapshot file, open for reading; raises InputError, with its name, where it is damaged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb")
        try:
            self.info, self.blocks = self._read_footer()
        except BaseException:
            self._file.close()
            raise

    def read(self, block: Block) -> Array:
        """The array of this block."""
        dtype = np.dtype(block.dtype)
        size = int(np.prod(block.shape, dtype=np.int64)) * dtype.itemsize
        self._file.seek(block.offset)
        raw = bytearray(self._file.read(size))
        if len(raw) != size or zlib.crc32(raw) != block.crc:
            raise self._damaged(f"the checksum of '{block.name}' at {block.offset} is wrong")
        return np.ndarray(block.shape, dtype, buffer=raw)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read_footer(self) -> tuple[dict[str, Any], list[Block]]:
        tail = _END.size + len(_MAGIC)
        begin = self._file.read(len(_MAGIC))
        size = self._file.seek(0, 2)
        if begin != _MAGIC or size < tail + len(_MAGIC):
            raise self._damaged(f"it does not begin as one ({size} bytes)")
        self._file.seek(size - tail)
        length, crc = _END.unpack(self._file.read(_END.size))
        if self._file.read() != _MAGIC or length > size - tail:
            raise self._damaged("its end is missing")
        self._file.seek(size - tail - length)
        footer = self._file.read(length)
        if zlib.crc32(footer) != crc:
            raise self._damaged("the checksum of its footer is wrong")
        return self._parse(footer, size)

    def _parse(self, footer: bytes, size: int) -> tuple[dict[str, Any], list[Block]]:
        try:
            content = json.loads(footer)
            blocks = [Block(**{**b, "shape": tuple(b["shape"])}) for b in content["blocks"]]
            fits = all(_is_within(block, size) for block in blocks)
            info = dict(content["info"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged(f"its footer is not one ({error})") from error
        if not fits:
            raise self._damaged("its footer names what is not in it")
        return info, blocks

    def _damaged(self, what: str) -> InputError:
        return InputError(f"{self._path} is damaged or no snapshot: {what}. Use an older snapshot.")


def _is_within(block: Block, size: int) -> bool:
    dtype = np.dtype(block.dtype)
    if dtype.kind not in PLAIN_KINDS or min(block.shape, default=0) < 0:
        return False
    length = int(np.prod(block.shape, dtype=np.float64)) * dtype.itemsize
    return block.offset >= 0 and block.offset + length <= size
