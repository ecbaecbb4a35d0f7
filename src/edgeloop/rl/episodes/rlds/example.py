"""The protocol buffer tf.train.Example: named lists of bytes, of floats or of whole numbers.

Packed lists are arrays here, so that a million numbers cost no million objects.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from edgeloop.stream.stores.layout import Array

Values = list[bytes] | Array
"""A list of bytes, or float32 (count,), or int64 (count,)."""

_BYTES, _FLOATS, _INTEGERS = 1, 2, 3
_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5
_LIST = 1
_MAX_VARINT = 10


def pack_example(features: Mapping[str, Values]) -> bytes:
    """The message's bytes."""
    entries = [
        _delimited(1, [*_delimited(1, [name.encode()]), *_delimited(2, _pack_feature(values))])
        for name, values in features.items()
    ]
    return b"".join(_delimited(1, [part for entry in entries for part in entry]))


def unpack_example(data: bytes) -> dict[str, Values]:
    """What the message holds; raises ValueError for bytes that are none."""
    found: dict[str, Values] = {}
    for _, features in _fields(memoryview(data)):
        for _, entry in _fields(features):
            parts = dict(_fields(entry))
            found[bytes(parts.get(1, b"")).decode()] = _unpack_feature(parts.get(2, b""))
    return found


def _pack_feature(values: Values) -> list[bytes]:
    if isinstance(values, list):
        return _delimited(_BYTES, [part for value in values for part in _delimited(_LIST, [value])])
    if values.dtype == np.float32:
        return _delimited(_FLOATS, _delimited(_LIST, [values.astype("<f4", copy=False).tobytes()]))
    return _delimited(_INTEGERS, _delimited(_LIST, [_pack_varints(values)]))


def _unpack_feature(feature: Any) -> Values:
    for kind, content in _fields(feature):
        items = [part for number, part in _fields(content) if number == _LIST]
        if kind == _BYTES:
            return [bytes(item) for item in items]
        whole = b"".join(items)
        return np.frombuffer(whole, "<f4") if kind == _FLOATS else _unpack_varints(whole)
    return []


def _delimited(number: int, parts: Sequence[bytes]) -> list[bytes]:
    head = _varint(number << 3 | _DELIMITED) + _varint(sum(map(len, parts)))
    return [head, *parts]


def _fields(data: Any) -> Iterator[tuple[int, memoryview]]:
    """(number, content) of each field; single numbers as the bytes that they have in a list."""
    view, at = memoryview(data), 0
    while at < len(view):
        tag, at = _read_varint(view, at)
        kind = tag & 7
        if kind == _DELIMITED:
            length, at = _read_varint(view, at)
            end = at + length
        elif kind == _VARINT:
            end = _read_varint(view, at)[1]
        elif kind in (_FIXED32, _FIXED64):
            end = at + (4 if kind == _FIXED32 else 8)
        else:
            raise ValueError(f"a field of the unknown kind {kind}")
        if end > len(view):
            raise ValueError("it ends within a field")
        yield tag >> 3, view[at:end]
        at = end


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _read_varint(view: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 7 * _MAX_VARINT, 7):
        if at >= len(view):
            break
        value |= (view[at] & 127) << shift
        at += 1
        if view[at - 1] < 128:
            return value, at
    raise ValueError("a number without an end")


def _pack_varints(values: Array) -> bytes:
    """int64 (count,) -> seven bits a byte, the lowest first, all but the last with the 8th set."""
    left = values.astype(np.uint64)
    if not left.size or left.max() < 128:
        return left.astype(np.uint8).tobytes()
    shifts = np.arange(0, 7 * _MAX_VARINT, 7, dtype=np.uint64)
    groups = (left[:, None] >> shifts).astype(np.uint8) & 127
    lengths = np.maximum(1, _MAX_VARINT - np.argmax(groups[:, ::-1] != 0, axis=1))
    lengths[left == 0] = 1
    places = np.arange(_MAX_VARINT)
    groups[places < lengths[:, None] - 1] |= 128
    packed: bytes = groups[places < lengths[:, None]].tobytes()
    return packed


def _unpack_varints(data: bytes) -> Array:
    groups = np.frombuffer(data, np.uint8)
    if not groups.size:
        return np.empty(0, np.int64)
    ends = np.flatnonzero(groups < 128)
    if not len(ends) or ends[-1] != len(groups) - 1:
        raise ValueError("a number without an end")
    starts = np.concatenate([[0], ends[:-1] + 1])
    places = np.arange(len(groups)) - np.repeat(starts, ends - starts + 1)
    if places.max() >= _MAX_VARINT:
        raise ValueError("a number of more than 64 bits")
    parts = (groups & 127).astype(np.uint64) << (7 * places).astype(np.uint64)
    return np.bitwise_or.reduceat(parts, starts).view(np.int64)
