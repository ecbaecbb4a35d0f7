"""TFRecord files: records one after the other, each with its length and two checksums."""

import struct
from collections.abc import Sequence
from pathlib import Path

import google_crc32c

from edgeloop.errors import InputError

_LENGTH = struct.Struct("<Q")
_CHECKSUM = struct.Struct("<I")
_HEAD_BYTES = _LENGTH.size + _CHECKSUM.size
_FRAME_BYTES = _HEAD_BYTES + _CHECKSUM.size


def framed(data: bytes) -> Sequence[bytes]:
    """What stands in the file for one record."""
    length = _LENGTH.pack(len(data))
    return (length, _masked(length), data, _masked(data))


def record_starts(path: Path, count: int) -> list[int]:
    """Where the first ``count`` records start in bytes, and where the last of them ends.

    Raises InputError where the file ends before.
    """
    starts = [0]
    size = path.stat().st_size if path.is_file() else 0
    if not size:
        raise InputError(f"{path} is missing or empty, but should hold {count} episodes.")
    with path.open("rb") as file:
        for number in range(count):
            file.seek(starts[-1])
            length = _checked_length(file.read(_HEAD_BYTES), path, number)
            starts.append(starts[-1] + length + _FRAME_BYTES)
            if starts[-1] > size:
                raise InputError(f"{path} ends within record {number} of {count}: {_ADVICE}")
    return starts


def read_record(path: Path, number: int, start: int) -> bytes:
    """The record that starts at this byte; raises InputError where it is damaged."""
    with path.open("rb") as file:
        file.seek(start)
        length = _checked_length(file.read(_HEAD_BYTES), path, number)
        data = file.read(length)
        if len(data) != length or file.read(_CHECKSUM.size) != _masked(data):
            raise _damaged(path, number)
        return data


def _checked_length(head: bytes, path: Path, number: int) -> int:
    length, checksum = head[: _LENGTH.size], head[_LENGTH.size :]
    if len(head) != _HEAD_BYTES or checksum != _masked(length):
        raise _damaged(path, number)
    found: int = _LENGTH.unpack(length)[0]
    return found


def _masked(data: bytes) -> bytes:
    checksum = int(google_crc32c.value(data))
    rotated = (checksum >> 15 | checksum << 17) & 0xFFFFFFFF
    return _CHECKSUM.pack((rotated + 0xA282EAD8) & 0xFFFFFFFF)


_ADVICE = "restore a copy of the file, or leave this episode out."


def _damaged(path: Path, number: int) -> InputError:
    return InputError(f"{path}: record {number} is damaged (its checksum differs): {_ADVICE}")
