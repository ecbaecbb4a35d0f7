"""Sums over priorities, to draw in proportion to them: a binary tree in an array."""

import numpy as np

from edgeloop.stream.stores.layout import Array


class SumTree:
    """``size`` leaves that start as 0; every inner node is the sum of its two children.

    Sums are always taken anew from the children, so that rounding errors do not add up.
    """

    def __init__(self, size: int) -> None:
        self._base = 1 << max(1, (size - 1).bit_length())
        self._nodes = np.zeros(2 * self._base, np.float64)

    @property
    def total(self) -> float:
        """The sum of all leaves."""
        return float(self._nodes[1])

    def __getitem__(self, leaves: Array) -> Array:
        """The values of these leaves."""
        values: Array = self._nodes[self._base + leaves]
        return values

    def set(self, leaves: Array, values: Array | float) -> None:
        """Give leaves values; where a leaf is named twice, one of the two."""
        nodes = self._base + leaves
        self._nodes[nodes] = values
        for _ in range(self._base.bit_length() - 1):
            nodes = nodes >> 1
            self._nodes[nodes] = self._nodes[2 * nodes] + self._nodes[2 * nodes + 1]

    def set_range(self, start: int, stop: int, value: float) -> None:
        """Give the leaves from ``start`` to ``stop - 1`` one value."""
        low, high = self._base + start, self._base + stop - 1
        self._nodes[low : high + 1] = value
        while low > 1:
            low, high = low >> 1, high >> 1
            children = self._nodes[2 * low : 2 * high + 2]
            self._nodes[low : high + 1] = children[::2] + children[1::2]

    def find(self, sums: Array) -> Array:
        """For each value in 0..total the leaf where the sum of all leaves up to it exceeds it."""
        nodes = self._descend(sums)
        lost = np.flatnonzero(self._nodes[nodes] == 0)
        if len(lost):
            # What rounding left of the rest went past the last leaf that has a value.
            nodes[lost] = self._descend(sums[lost], avoid_empty=True)
        return nodes - self._base

    def _descend(self, sums: Array, *, avoid_empty: bool = False) -> Array:
        nodes = np.ones(len(sums), np.int64)
        rest = sums.astype(np.float64)
        for _ in range(self._base.bit_length() - 1):
            nodes *= 2
            left = self._nodes.take(nodes)
            right = rest >= left
            if avoid_empty:
                right &= self._nodes[nodes + 1] > 0
            rest -= left * right
            nodes += right
        return nodes
