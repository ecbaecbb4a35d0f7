"""Several messages of one layout <-> one message with a first axis more."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

_NUMBERS = (bool, float, complex)
_ARRAYS = (np.ndarray, np.generic)
_ROWS = (np.ndarray, list, tuple)
_INT64 = range(-(1 << 63), 1 << 63)


def layout_of(value: Any) -> Hashable:
    """Messages with equal ones can be stacked: the same keys, dtypes and shapes."""
    if isinstance(value, dict):
        return tuple((key, layout_of(each)) for key, each in value.items())
    if isinstance(value, _ARRAYS):
        return value.dtype, value.shape
    return type(value).__name__ if _is_number(value) else None


def stack(values: Sequence[Any]) -> Any:
    """Arrays and numbers as one array each, all else as a list; values are of one layout."""
    if len(values) == 1:
        return widened(values[0])
    first = values[0]
    if isinstance(first, dict):
        return {key: stack([value[key] for value in values]) for key in first}
    if isinstance(first, np.ndarray):
        return np.stack(values)
    return np.array(values) if _is_number(first) else list(values)


def widened(value: Any) -> Any:
    """A stack of one; arrays are not copied."""
    if isinstance(value, np.ndarray):
        return value[np.newaxis]
    if isinstance(value, dict):
        return {key: widened(each) for key, each in value.items()}
    return np.array([value]) if _is_number(value) else [value]


def part_of(value: Any, index: int, count: int) -> Any:
    """What of a batch's answer belongs to the call ``index`` of ``count``.

    Arrays and lists have an entry for each; numbers, texts and None belong to all. Raises
    ValueError for another number of entries.
    """
    if isinstance(value, dict):
        return {key: part_of(each, index, count) for key, each in value.items()}
    if not isinstance(value, _ROWS) or getattr(value, "ndim", 1) == 0:
        return value
    if len(value) != count:
        raise ValueError(f"a batch's answer has {len(value)} entries for {count} calls")
    return value[index]


def _is_number(value: Any) -> bool:
    if type(value) is int:
        return value in _INT64
    return type(value) in _NUMBERS or isinstance(value, np.generic)
