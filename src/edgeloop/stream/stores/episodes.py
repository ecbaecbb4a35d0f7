"""Which transition goes on where the one before it ended, read off the data itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from edgeloop.stream.stores.frames import same_rows
from edgeloop.stream.stores.layout import Array, Layout

BEFORE = "observations"
AFTER = "next_observations"
REWARDS = "rewards"
MASKS = "masks"
ENDS = ("dones", "terminated", "truncated", "end_of_trajectory")
"""Where one of these is true, or the mask is 0, an episode ends."""


def observation_pairs(layout: Layout) -> list[tuple[int, int]]:
    """The fields of ``observations`` and their twins in ``next_observations``, as indices."""
    pairs = []
    for index, field in enumerate(layout.fields):
        twin = layout.index(AFTER, *field.path[1:]) if field.path[0] == BEFORE else None
        if twin is not None:
            other = layout.fields[twin]
            if (other.shape, other.dtype) == (field.shape, field.dtype):
                pairs.append((index, twin))
    return pairs


class Continuity:
    """Compares rows of a layout, given as one array per index of a field."""

    def __init__(self, layout: Layout, pairs: Sequence[tuple[int, int]]) -> None:
        self._pairs = pairs
        self._mask = layout.index(MASKS)
        self._ends = [index for name in ENDS if (index := layout.index(name)) is not None]

    def ends(self, rows: Mapping[int, Array], count: int) -> Array:
        """For each row whether an episode ends with it, as far as it says so: (count,) bool."""
        ended = np.zeros(count, np.bool_)
        for index in self._ends:
            ended |= _is_any_true(rows[index])
        if self._mask is not None:
            ended |= np.logical_not(_is_any_true(rows[self._mask]))
        return ended

    def follows(
        self, rows: Mapping[int, Array], previous: Mapping[int, Array], count: int
    ) -> Array:
        """For each row whether it goes on where the same row of ``previous`` ended: (count,)."""
        follows: Array = ~self.ends(previous, count)
        for before, after in self._pairs:
            follows &= same_rows(rows[before], previous[after])
        return follows

    def follows_one(self, values: Sequence[Any], previous: Callable[[int], Any]) -> bool:
        """As ``follows`` for one row and a stored one, whose fields are asked for by index."""
        if self._mask is not None and not previous(self._mask).any():
            return False
        if any(previous(index).any() for index in self._ends):
            return False
        for before, after in self._pairs:
            stored = previous(after)
            if np.asarray(values[before], stored.dtype).tobytes() != stored.tobytes():
                return False
        return True


def _is_any_true(values: Array) -> Array:
    true: Array = np.any(values.reshape(len(values), -1).astype(np.bool_), axis=1)
    return true
