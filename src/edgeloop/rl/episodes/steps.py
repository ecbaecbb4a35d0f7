"""What the steps of a log are made of: the first episode decides, all others must fit."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np

from edgeloop.errors import InputError
from edgeloop.rl.episodes.episode import Columns, Fact
from edgeloop.stream.stores.layout import (
    Array,
    Field,
    Layout,
    layout_from_json,
    layout_of,
    leaves_of,
)

Images = Literal["png", "jpeg", "raw"]
"""How uint8 observations (height, width, 3) are kept: as PNG, as JPEG (lossy), or as numbers."""

Step = Mapping[str, Any]

SIGNALS = {
    "reward": np.dtype(np.float32),
    "discount": np.dtype(np.float32),
    "is_first": np.dtype(np.bool_),
    "is_last": np.dtype(np.bool_),
    "is_terminal": np.dtype(np.bool_),
}
"""What each step has beside its observation and its action, as scalars of these types."""

_REQUIRED = ("observation", "action", "reward")
_KNOWN = ("observation", "action", *SIGNALS)
_TYPES = {
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64"),
}
_SEPARATORS = "/."
_FACTS: dict[type, str] = {str: "text", bool: "bool", int: "int", float: "float"}


class StepLayout:
    """The fields of a step, of the types that both layouts on disk can hold."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.fields = layout.fields

    @classmethod
    def of(cls, step: Step) -> Self:
        """The layout of a step; raises InputError for a type or a name that cannot be kept."""
        example = layout_of(_complete(step, 0, 1))
        return cls(Layout([_checked(field) for field in example.fields]))

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """What ``to_json`` gave; raises InputError where it is not that."""
        return cls(layout_from_json(value))

    def to_json(self) -> list[dict[str, Any]]:
        """The fields as plain values."""
        return self._layout.to_json()

    def stack(self, steps: Sequence[Step]) -> Columns:
        """Single steps of one episode as columns.

        Raises InputError where a step does not fit, or says that the episode begins or ends where
        it does not.
        """
        whole = [_complete(step, number, len(steps)) for number, step in enumerate(steps)]
        _, columns = self._layout.stack(whole)
        return self.nest(columns)

    def nest(self, columns: Sequence[Array]) -> Columns:
        """Columns in the order of the fields as nested dicts."""
        return self._layout.nest(columns)

    def leaves(self, columns: Mapping[str, Any]) -> list[Array]:
        """Nested columns in the order of the fields."""
        return self._layout.leaves(columns)


def is_image(field: Field, images: Images) -> bool:
    """Whether the values of a field are kept as encoded images."""
    if images == "raw" or field.path[0] != "observation" or field.dtype != np.uint8:
        return False
    return len(field.shape) == 3 and field.shape[2] == 3


def kinds_of(metadata: Mapping[str, Fact]) -> dict[str, str]:
    """The kind of each fact: text, bool, int or float; raises InputError for any other."""
    for key, value in metadata.items():
        _check_name(key, "metadata")
        if type(value) not in _FACTS:
            raise InputError(
                f"metadata: {key} is a {type(value).__name__}: give a text, a bool or a number."
            )
    return {key: _FACTS[type(value)] for key, value in metadata.items()}


def fit_metadata(metadata: Mapping[str, Fact], kinds: Mapping[str, str]) -> dict[str, Fact]:
    """The facts in the order of ``kinds``; raises InputError where others are given."""
    given = kinds_of(metadata)
    fits = given.keys() == kinds.keys() and all(
        given[key] == kind or (given[key], kind) == ("int", "float") for key, kind in kinds.items()
    )
    if not fits:
        raise InputError(f"metadata has {given}, expected {dict(kinds)}, as in the first episode.")
    return {key: float(metadata[key]) if kinds[key] == "float" else metadata[key] for key in kinds}


def put(tree: Columns, path: Sequence[str], value: Any) -> None:
    """Set a leaf of nested dicts."""
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
    tree[path[-1]] = value


def complete_columns(columns: Columns, where: str) -> Columns:
    """The columns of somebody's episode with what they left out at its usual value.

    Raises InputError, naming ``where`` they come from, without an observation or an action.
    """
    missing = [key for key in ("observation", "action") if key not in columns]
    if missing:
        raise InputError(f"{where}: its steps have no {missing[0]}.")
    count = len(next(leaf for _, leaf in leaves_of(columns)))
    usual = {
        "reward": np.zeros(count),
        "discount": np.ones(count),
        "is_first": np.arange(count) == 0,
        "is_last": np.arange(count) == count - 1,
        "is_terminal": np.zeros(count),
    }
    signals = {
        key: np.asarray(columns.get(key, usual[key])).astype(dtype, copy=False)
        for key, dtype in SIGNALS.items()
    }
    return {"observation": columns["observation"], "action": columns["action"], **signals}


def _complete(step: Step, number: int, count: int) -> Columns:
    """A step with all its keys in order: where it stands is known, the rest has defaults."""
    missing = [key for key in _REQUIRED if key not in step]
    unknown = sorted(str(key) for key in step if key not in _KNOWN)
    if missing or unknown:
        raise InputError(f"Step {number} lacks {missing} and has {unknown}, expected {_KNOWN}.")
    place = {"is_first": number == 0, "is_last": number == count - 1}
    given: Columns = {"discount": 1.0, **place, "is_terminal": False, **step}
    for key, expected in place.items():
        if bool(given[key]) is not expected:
            raise InputError(f"Step {number} of {count} has {key}={given[key]}: check the order.")
    if bool(given["is_terminal"]) and not place["is_last"]:
        raise InputError(f"Step {number} of {count} is terminal, but others follow.")
    return {
        "observation": step["observation"],
        "action": step["action"],
        **{key: _signal(key, dtype, given[key]) for key, dtype in SIGNALS.items()},
    }


def _signal(key: str, dtype: np.dtype[Any], value: Any) -> Any:
    array = np.asarray(value)
    if array.shape or array.dtype.kind not in "biuf":
        raise InputError(f"{key} is {value!r}: give a single number.")
    return array.astype(dtype)[()]


def _checked(field: Field) -> Field:
    for key in field.path:
        _check_name(key, field.name)
    if field.dtype.name not in _TYPES:
        raise InputError(
            f"{field.name} has the type {field.dtype}: an episode holds bools, whole numbers and "
            "floats of up to 64 bits."
        )
    if 0 in field.shape:
        raise InputError(f"{field.name} has the shape {field.shape}: leave out what is empty.")
    return Field(field.path, field.shape, np.dtype(field.dtype.name), field.kind)


def _check_name(key: str, where: str) -> None:
    if not key or any(mark in key for mark in _SEPARATORS):
        raise InputError(f"{where}: the key '{key}' is empty or has '/' or '.' in it: rename it.")
