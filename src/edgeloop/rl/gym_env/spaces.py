"""Gymnasium spaces <-> plain messages: equal spaces come out, and no code travels."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces

from edgeloop.errors import CodecError, ConfigError
from edgeloop.stream import Message

AnySpace = spaces.Space[Any]
_MOST_NUMBERS = 1 << 27
_UNREADABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


def describe_space(space: AnySpace) -> Message:
    """``space`` as a message; raises ConfigError naming the part that cannot travel."""
    for kind, (describe, _) in _KINDS.items():
        if isinstance(space, kind):
            return {"kind": kind.__name__, **describe(space)}
    names = ", ".join(kind.__name__ for kind in _KINDS)
    raise ConfigError(f"A {type(space).__name__} space cannot travel: use {names}.")


def space_from(description: Any) -> AnySpace:
    """The space that was described; raises CodecError."""
    try:
        for kind, (_, make) in _KINDS.items():
            if kind.__name__ == description["kind"]:
                return make(description)
    except _UNREADABLE as error:
        raise CodecError(f"The description of a space is not readable ({error!r}).") from error
    raise CodecError(f"A space of kind {description['kind']!r} is not known here.")


def _describe_box(space: Any) -> Message:
    return {
        "shape": list(space.shape),
        "low": _folded(space.low),
        "high": _folded(space.high),
        # An integer box without a bound has the least integer as bound: only these tell.
        "bounded_below": _folded(space.bounded_below),
        "bounded_above": _folded(space.bounded_above),
    }


def _box(description: Message) -> AnySpace:
    shape = tuple(description["shape"])
    if math.prod(shape) > _MOST_NUMBERS:
        raise ValueError(f"a box of more than {_MOST_NUMBERS} numbers")
    low, high = (_unfolded(description[name], shape) for name in ("low", "high"))
    below, above = (_unfolded(description[f"bounded_{end}"], shape) for end in ("below", "above"))
    if low.dtype != high.dtype or below.dtype != np.bool_ or above.dtype != np.bool_:
        raise ValueError("the bounds of a box have one dtype, and bool tells which there are")
    box = spaces.Box(low, high, dtype=low.dtype)
    box.bounded_below, box.bounded_above = below, above
    return box


def _folded(array: Any) -> Any:
    """One number for all that are the same: a box of pictures is not as large as they are."""
    return array.flat[0] if array.size and (array == array.flat[0]).all() else array


def _unfolded(array: Any, shape: tuple[int, ...]) -> Any:
    return np.full(shape, array, array.dtype)  # ValueError where it is of another shape


def _describe_discrete(space: Any) -> Message:
    return {"n": int(space.n), "start": int(space.start), "dtype": space.dtype.name}


def _discrete(description: Message) -> AnySpace:
    dtype = np.dtype(description["dtype"])
    more: dict[str, Any] = {} if dtype == np.int64 else {"dtype": dtype}  # old versions know none
    space: AnySpace = spaces.Discrete(description["n"], start=description["start"], **more)
    return space


def _describe_multi_discrete(space: Any) -> Message:
    return {"nvec": space.nvec, "start": space.start, "dtype": space.dtype.name}


def _multi_discrete(description: Message) -> AnySpace:
    return spaces.MultiDiscrete(
        description["nvec"], dtype=np.dtype(description["dtype"]), start=description["start"]
    )


def _describe_text(space: Any) -> Message:
    return {
        "min_length": space.min_length,
        "max_length": space.max_length,
        "characters": "".join(space.character_list),
    }


def _text(description: Message) -> AnySpace:
    return spaces.Text(
        description["max_length"],
        min_length=description["min_length"],
        charset=description["characters"],
    )


def _describe_dict(space: Any) -> Message:
    return {"spaces": [[key, _part(key, part)] for key, part in space.spaces.items()]}


def _dict(description: Message) -> AnySpace:
    return spaces.Dict([(key, space_from(part)) for key, part in description["spaces"]])


def _describe_parts(space: Any) -> Message:
    return {"spaces": [_part(place, part) for place, part in enumerate(space.spaces)]}


def _parts(description: Message) -> tuple[AnySpace, ...]:
    return tuple(space_from(part) for part in description["spaces"])


def _part(place: object, space: AnySpace) -> Message:
    try:
        return describe_space(space)
    except ConfigError as error:
        raise ConfigError(f"[{place!r}]: {error}") from None


_KINDS: dict[type[AnySpace], tuple[Callable[[Any], Message], Callable[[Message], AnySpace]]] = {
    spaces.Box: (_describe_box, _box),
    spaces.Discrete: (_describe_discrete, _discrete),
    spaces.MultiDiscrete: (_describe_multi_discrete, _multi_discrete),
    spaces.MultiBinary: (
        lambda space: {"n": space.n},
        lambda description: spaces.MultiBinary(description["n"]),
    ),
    spaces.Text: (_describe_text, _text),
    spaces.Dict: (_describe_dict, _dict),
    spaces.Tuple: (_describe_parts, lambda description: spaces.Tuple(_parts(description))),
    spaces.OneOf: (_describe_parts, lambda description: spaces.OneOf(_parts(description))),
    spaces.Sequence: (
        lambda space: {"of": describe_space(space.feature_space), "stack": space.stack},
        lambda description: spaces.Sequence(
            space_from(description["of"]), stack=description["stack"]
        ),
    ),
}
