"""Columns of numbers and images <-> columns of Arrow."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from edgeloop.errors import InputError
from edgeloop.rl.episodes.pixels import decode_all, encode_all
from edgeloop.stream.stores.layout import Array

_IMAGE = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def to_arrow(column: Array) -> Any:
    """(count, *shape) -> scalars, lists of fixed length, or lists of lists."""
    flat = pa.array(np.ascontiguousarray(column).reshape(-1))
    if column.ndim == 1:
        return flat
    if column.ndim == 2:
        return pa.FixedSizeListArray.from_arrays(flat, column.shape[1])
    for axis in range(column.ndim - 1, 0, -1):
        count = int(np.prod(column.shape[:axis]))
        offsets = np.arange(count + 1, dtype=np.int32) * column.shape[axis]
        flat = pa.ListArray.from_arrays(pa.array(offsets), flat)
    return flat


def from_arrow(column: Any, shape: Sequence[int]) -> Array:
    """The opposite; raises ValueError where the count does not fit."""
    chunk = column.combine_chunks()
    while pa.types.is_nested(chunk.type):
        chunk = chunk.flatten()
    flat: Array = chunk.to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), *shape)


def images_to_arrow(column: Array, kind: str) -> Any:
    """(count, height, width, 3) uint8 -> bytes of images, with the names of their files."""
    ending = "jpg" if kind == "jpeg" else "png"
    names = [f"frame-{number:06d}.{ending}" for number in range(len(column))]
    files = pa.array(encode_all(column, kind), pa.binary())
    return pa.StructArray.from_arrays([files, pa.array(names)], fields=list(_IMAGE))


def images_from_arrow(column: Any, where: str) -> Array:
    """The opposite; raises InputError where an image is damaged or lies outside."""
    values = column.to_pylist()
    files = [value["bytes"] for value in values if value and value["bytes"]]
    if len(files) < len(values):
        raise InputError(f"{where}: its images are not in the parquet file.")
    return decode_all(files, where)
