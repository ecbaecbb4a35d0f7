"""Transitions whose every value says which one it is."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def transition(number: int, *, mask: float = 1.0, size: int = 3) -> dict[str, Any]:
    """Saw ``number``, then ``number + 1``; the reward is ``number``."""
    return {
        "observations": np.full(size, number, np.float32),
        "next_observations": np.full(size, number + 1, np.float32),
        "actions": np.full(2, number, np.float32),
        "rewards": np.float32(number),
        "masks": np.float32(mask),
    }


def transitions(first: int, count: int) -> list[dict[str, Any]]:
    """``count`` of them, one after the other."""
    return [transition(number) for number in range(first, first + count)]


def picture(number: int, side: int = 32) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """An image of 3 kB or more that is unlike that of any other number below 2**32."""
    image = np.zeros((side, side, 3), np.uint8)
    image[0, :4, 0] = np.frombuffer(np.uint32(number).tobytes(), np.uint8)
    image[1:] = number % 251
    return image


def picture_transition(number: int, *, mask: float = 1.0, after: int | None = None) -> Any:
    """Saw ``picture(number)``, then the next picture, or that of ``after``."""
    follows = number + 1 if after is None else after
    return {
        "observations": {"image": picture(number), "state": np.full(2, number, np.float32)},
        "next_observations": {"image": picture(follows), "state": np.full(2, follows, np.float32)},
        "actions": np.zeros(1, np.float32),
        "rewards": np.float32(number),
        "masks": np.float32(mask),
    }


def as_columns(items: list[dict[str, Any]]) -> dict[str, Any]:
    """The same transitions as a dict of stacked arrays."""
    return {
        key: as_columns([item[key] for item in items])
        if isinstance(value, Mapping)
        else np.stack([item[key] for item in items])
        for key, value in items[0].items()
    }


def numbers_in(items: Any) -> list[int]:
    """Which transitions these are: a list of them, or columns."""
    if isinstance(items, Mapping):
        return [int(reward) for reward in items["rewards"]] if items else []
    return [int(item["rewards"]) for item in items]


def assert_same(left: Any, right: Any) -> None:
    """Both are the same values of the same kinds, down to the last byte."""
    assert type(left) is type(right)
    if isinstance(left, Mapping):
        assert list(left) == list(right)
        for key in left:
            assert_same(left[key], right[key])
    elif isinstance(left, np.ndarray | np.generic):
        assert (left.dtype, left.shape) == (right.dtype, right.shape)
        assert left.tobytes() == right.tobytes()
    elif isinstance(left, list):
        for mine, other in zip(left, right, strict=True):
            assert_same(mine, other)
    else:
        assert left == right
