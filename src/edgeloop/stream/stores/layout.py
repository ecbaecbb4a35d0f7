"""What a transition is made of: nested dicts of arrays, with their paths, shapes and types."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edgeloop.errors import InputError

Array = npt.NDArray[Any]
Item = Mapping[str, Any]
"""One transition: a dict of arrays and numbers, or of such dicts."""

Columns = Mapping[str, Any]
"""Many transitions: the same dict with stacked arrays, (count, *shape) each."""

Kind = Literal["array", "scalar", "number"]
"""What a leaf was: a numpy array, a numpy scalar, or a Python bool, int or float."""

PLAIN_KINDS = "biufcSUMm"
_NUMBERS = {bool: np.dtype(np.bool_), int: np.dtype(np.int64), float: np.dtype(np.float64)}


@dataclass(frozen=True, slots=True)
class Field:
    """One leaf of a transition; ``shape`` is that of one value, without the row axis."""

    path: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    kind: Kind = "array"

    @property
    def name(self) -> str:
        """The path as people read it."""
        return "/".join(self.path)

    @property
    def size_bytes(self) -> int:
        """Bytes of one value."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


class Layout:
    """The fields of one kind of transition, in the order in which they were met."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = tuple(fields)
        if not self.fields:
            raise InputError("A transition without a single value: insert dicts of arrays.")
        self.names = {field.name: index for index, field in enumerate(self.fields)}
        """Where in the order of the fields each path, with "/" between, is."""

        self._flat = all(len(field.path) == 1 for field in self.fields)
        self._keys = [field.path[0] for field in self.fields]
        self._tree = _nest([(field.path, index) for index, field in enumerate(self.fields)])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layout) and self.fields == other.fields

    def __hash__(self) -> int:
        return hash(self.fields)

    @property
    def row_bytes(self) -> int:
        """Bytes of one transition, at least 1."""
        return max(1, sum(field.size_bytes for field in self.fields))

    def leaves(self, tree: Mapping[str, Any]) -> list[Any]:
        """The leaves of nested dicts with the keys of this layout, unchecked, in its order."""
        if self._flat:
            try:
                if len(tree) == len(self._keys):
                    return [tree[key] for key in self._keys]
            except (KeyError, TypeError, IndexError):
                pass  # the way below says what is wrong
        found: list[Any] = [None] * len(self.fields)
        _collect(self._tree, tree, found, ())
        return found

    def values(self, item: Item) -> list[Any]:
        """The leaves of one transition in the order of the fields.

        Raises InputError, naming the path, where one is missing, unknown, of another shape, or of
        a type that does not fit: float32 takes float64, but whole numbers and bools take only what
        they can hold.
        """
        found = self.leaves(item)
        for index, field in enumerate(self.fields):
            value = found[index]
            if getattr(value, "dtype", None) is not field.dtype or value.shape != field.shape:
                found[index] = fit(field, value, field.shape)
        return found

    def columns(self, columns: Columns) -> tuple[int, list[Array]]:
        """(number of rows, their stacked leaves); raises InputError as ``values`` does."""
        found = self.leaves(columns)
        count = _count_rows(self.fields, found)
        for index, field in enumerate(self.fields):
            found[index] = fit(field, found[index], (count, *field.shape))
        return count, found

    def nest(self, values: Sequence[Any]) -> dict[str, Any]:
        """The leaves, in the order of the fields, as nested dicts."""
        if self._flat:
            return dict(zip(self._keys, values, strict=True))
        return _fill(self._tree, values)

    def item(self, columns: Sequence[Array], row: int) -> dict[str, Any]:
        """One row of stacked leaves as a transition of its own: copies, of the kinds they were."""
        return self.nest(
            [
                _unpack(field, column, row)
                for field, column in zip(self.fields, columns, strict=True)
            ]
        )

    def stack(self, items: Sequence[Item]) -> tuple[int, list[Array]]:
        """Single transitions -> what ``columns`` gives; raises InputError as ``values`` does."""
        columns = [np.empty((len(items), *field.shape), field.dtype) for field in self.fields]
        for row, item in enumerate(items):
            for column, value in zip(columns, self.values(item), strict=True):
                column[row] = value
        return len(items), columns

    def index(self, *path: str) -> int | None:
        """Where in the order of the fields ``path`` is, if it is."""
        return next((i for i, field in enumerate(self.fields) if field.path == path), None)

    def to_json(self) -> list[dict[str, Any]]:
        """The fields as plain values."""
        return [
            {
                "path": list(field.path),
                "shape": list(field.shape),
                "dtype": field.dtype.str,
                "kind": field.kind,
            }
            for field in self.fields
        ]


def layout_of(item: object) -> Layout:
    """The layout of one transition; raises InputError where a leaf is no array and no number."""
    return Layout([_field_of(path, value) for path, value in leaves_of(item)])


def layout_of_columns(columns: object) -> Layout:
    """The layout of stacked transitions; raises InputError where a leaf has no row axis."""
    fields = []
    for path, value in leaves_of(columns):
        field = _field_of(path, value)
        if not field.shape:
            raise InputError(f"{field.name} is a single value: columns have a row axis each.")
        kind: Kind = "array" if len(field.shape) > 1 else "scalar"
        fields.append(Field(path, field.shape[1:], field.dtype, kind))
    return Layout(fields)


def layout_from_json(value: Any) -> Layout:
    """What ``to_json`` gave; raises InputError where it is not that."""
    try:
        return Layout([_field_from_json(entry) for entry in value])
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(f"Not a layout of transitions ({error}).") from error


def leaves_of(tree: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The leaves of nested dicts with their paths; raises InputError for keys that are no text."""
    if not isinstance(tree, Mapping):
        if not path:
            raise InputError(f"A transition is a dict of arrays, not a {type(tree).__name__}.")
        yield path, tree
        return
    for key, value in tree.items():
        if not isinstance(key, str):
            raise InputError(f"The key {key!r} in {'/'.join(path) or 'the transition'} is no text.")
        yield from leaves_of(value, (*path, key))


def fit(field: Field, value: Any, shape: tuple[int, ...]) -> Array:
    """A value, or stacked values of this shape, as an array; raises InputError."""
    try:
        array = np.asarray(value)
    except ValueError as error:  # lists of several lengths
        raise InputError(f"{field.name} is no array ({error}).") from error
    if array.shape != shape:
        raise InputError(f"{field.name} has the shape {array.shape}, expected {shape}.")
    if not _can_hold(field, array):
        raise InputError(f"{field.name} has the type {array.dtype}, expected {field.dtype}.")
    return array


def is_exact(field: Field, value: object) -> bool:
    """Whether a value is of the field's kind, type and shape, so that it comes back as it was."""
    if type(value) in _NUMBERS:
        return field.kind == "number" and _NUMBERS[type(value)] == field.dtype
    if isinstance(value, np.ndarray):
        kind: Kind = "array"
    elif isinstance(value, np.generic):
        kind = "scalar"
    else:
        return False
    return field.kind == kind and value.dtype == field.dtype and value.shape == field.shape


def _field_of(path: tuple[str, ...], value: object) -> Field:
    if type(value) in _NUMBERS:
        if type(value) is int and not -(2**63) <= value < 2**63:
            raise InputError(f"{'/'.join(path)} is {value}: whole numbers go up to 64 bits.")
        return Field(path, (), _NUMBERS[type(value)], "number")
    if not isinstance(value, np.ndarray | np.generic):
        message = f"{'/'.join(path)} is a {type(value).__name__}: give an array or a number."
        raise InputError(message)
    if value.dtype.kind not in PLAIN_KINDS:
        raise InputError(f"{'/'.join(path)} has the type {value.dtype}: give plain numbers.")
    kind: Kind = "array" if isinstance(value, np.ndarray) else "scalar"
    return Field(path, value.shape, value.dtype, kind)


def _field_from_json(entry: Any) -> Field:
    dtype = np.dtype(str(entry["dtype"]))
    shape = tuple(int(length) for length in entry["shape"])
    if dtype.kind not in PLAIN_KINDS or any(length < 0 for length in shape):
        raise ValueError(f"{entry['path']}: {dtype}{shape}")
    kind: Kind = entry["kind"]
    return Field(tuple(str(key) for key in entry["path"]), shape, dtype, kind)


def _can_hold(field: Field, array: Array) -> bool:
    if np.can_cast(array.dtype, field.dtype, "safe"):
        return True
    if array.dtype.kind in "iu" and field.dtype.kind in "iu":  # narrower: do the values fit?
        limits = np.iinfo(field.dtype)
        return not array.size or bool(array.min() >= limits.min and array.max() <= limits.max)
    if field.dtype.kind == "b" and array.dtype.kind in "iuf":
        return bool(np.isin(array, (0, 1)).all())
    return field.dtype.kind in "fc" and np.can_cast(array.dtype, field.dtype, "same_kind")


def _count_rows(fields: Sequence[Field], values: Sequence[Any]) -> int:
    counts = {len(value) if np.ndim(value) else -1 for value in values}
    if len(counts) != 1 or -1 in counts:
        lengths = {f.name: np.shape(value)[:1] for f, value in zip(fields, values, strict=True)}
        raise InputError(f"Columns need the same number of rows each: {lengths}.")
    return counts.pop()


def _unpack(field: Field, column: Array, row: int) -> Any:
    if field.kind == "array":
        return column[row, ...].copy()
    return column[row].item() if field.kind == "number" else column[row]


def _nest(entries: Sequence[tuple[tuple[str, ...], Any]]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in entries:
        branch = tree
        for key in path[:-1]:
            branch = branch.setdefault(key, {})
        branch[path[-1]] = value
    return tree


def _fill(tree: Mapping[str, Any], values: Sequence[Any]) -> dict[str, Any]:
    return {
        key: values[branch] if type(branch) is int else _fill(branch, values)
        for key, branch in tree.items()
    }


def _collect(
    tree: Mapping[str, Any], item: object, found: list[Any], path: tuple[str, ...]
) -> None:
    if not isinstance(item, Mapping):
        where = "/".join(path) or "the transition"
        raise InputError(f"{where} is a {type(item).__name__}, expected a dict.")
    try:
        for key, branch in tree.items():
            if type(branch) is int:
                found[branch] = item[key]
            else:
                _collect(branch, item[key], found, (*path, key))
    except KeyError as error:
        raise _other_keys(tree, item, path) from error
    if len(item) != len(tree):
        raise _other_keys(tree, item, path)


def _other_keys(
    tree: Mapping[str, Any], item: Mapping[str, Any], path: tuple[str, ...]
) -> InputError:
    where = "/".join(path) or "the transition"
    return InputError(f"{where} has the keys {sorted(map(str, item))}, expected {sorted(tree)}.")
