"""A dtype and a shape as a few bytes, and back; refuses what is not plain."""

import re
from math import prod
from typing import Any

import msgspec
import numpy as np

from edgeloop.errors import CodecError
from edgeloop.stream.codec.kinds import AnyArray

MAX_DIMENSIONS = 32
MAX_FIELDS = 256
_REMEMBERED = 1024
_PLAIN = re.compile(
    r"[<>|](?:[biufcSV]|U)[1-9][0-9]{0,8}"
    r"|[<>][mM]8(?:\[[0-9]{0,6}(?:Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?"
)
_KINDS = frozenset("biufcSUVmM")

Field = tuple[str, str, tuple[int, ...]]


Layout = tuple[np.dtype[Any], tuple[int, ...], int]
"""dtype, shape, and how many bytes that takes"""

_described: dict[tuple[np.dtype[Any], tuple[int, ...]], bytes] = {}
_layouts: dict[bytes, Layout] = {}


def describe(array: AnyArray) -> bytes:
    """The layout of ``array`` as bytes; raises CodecError for dtypes that are not plain."""
    key = (array.dtype, array.shape)
    known = _described.get(key)
    if known is None:
        if array.ndim > MAX_DIMENSIONS:
            raise CodecError(f"arrays of more than {MAX_DIMENSIONS} dimensions cannot be sent")
        known = msgspec.msgpack.encode((dtype_name(array.dtype), array.shape))
        _remember(_described, key, known)
    return known


def layout_of(description: bytes) -> Layout:
    """The layout that ``describe`` described; raises CodecError."""
    known = _layouts.get(description)
    if known is None:
        known = _read(description)
        _remember(_layouts, description, known)
    return known


def dtype_name(dtype: np.dtype[Any]) -> str | list[Field]:
    """The name of a plain dtype, or the fields of a structured one; raises CodecError."""
    if dtype.fields is not None:
        return _fields_of(dtype)
    if (
        dtype.hasobject
        or dtype.kind not in _KINDS
        or (dtype.kind == "V" and dtype.type is not np.void)
    ):
        raise CodecError(f"arrays of dtype {dtype} cannot be sent: convert them to numbers")
    if not _PLAIN.fullmatch(dtype.str):
        raise CodecError(f"arrays of dtype {dtype} cannot be sent: their items have no size")
    return dtype.str


def dtype_from(name: object) -> np.dtype[Any]:
    """The dtype with this name or these fields; raises CodecError."""
    if isinstance(name, str):
        return _plain_dtype(name)
    if not isinstance(name, list) or not 0 < len(name) <= MAX_FIELDS:
        raise CodecError("The message names a dtype that does not exist.")
    try:
        fields = [(str(field), _plain_dtype(kind), _shape(shape)) for field, kind, shape in name]
        return np.dtype(fields)
    except (ValueError, TypeError) as error:
        raise CodecError(f"The message names a dtype that does not exist ({error}).") from error


def _remember(memory: dict[Any, Any], key: object, value: object) -> None:
    # Shapes can come from a stranger: the memory must not grow with them.
    if len(memory) >= _REMEMBERED:
        memory.clear()
    memory[key] = value


def _read(description: bytes) -> Layout:
    try:
        name, lengths = msgspec.msgpack.decode(description)
        shape = _shape(lengths)
    except (ValueError, TypeError, RecursionError) as error:
        raise CodecError(f"The message describes an array badly ({error}).") from error
    dtype = dtype_from(name)
    return dtype, shape, prod(shape) * dtype.itemsize


def _shape(lengths: object) -> tuple[int, ...]:
    if not isinstance(lengths, list) or len(lengths) > MAX_DIMENSIONS:
        raise ValueError("a shape is a short list of lengths")
    if not all(type(length) is int and 0 <= length < 1 << 48 for length in lengths):
        raise ValueError("a length is a number of items")
    return tuple(lengths)


def _plain_dtype(name: object) -> np.dtype[Any]:
    if not isinstance(name, str) or not _PLAIN.fullmatch(name):
        raise CodecError("The message names a dtype that cannot be received.")
    try:
        return np.dtype(name)
    except (ValueError, TypeError) as error:
        raise CodecError(f"The message names a dtype that does not exist ({error}).") from error


def _fields_of(dtype: np.dtype[Any]) -> list[Field]:
    fields: list[Field] = []
    fields_by_name: Any = dtype.fields
    end = 0
    for name in dtype.names or ():
        kind, offset = fields_by_name[name][:2]
        if offset != end or kind.base.fields is not None:
            raise CodecError(
                f"arrays of dtype {dtype} cannot be sent: use a packed dtype without nested fields"
            )
        fields.append((name, str(dtype_name(kind.base)), kind.shape))
        end += kind.itemsize
    if not 0 < len(fields) <= MAX_FIELDS or end != dtype.itemsize:
        raise CodecError(f"arrays of dtype {dtype} cannot be sent: use a packed dtype")
    return fields
