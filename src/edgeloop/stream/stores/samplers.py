"""Which transitions a batch is made of: all alike, or those first that taught most."""

import threading
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from edgeloop.errors import ConfigError, InputError
from edgeloop.stream.stores.layout import Array
from edgeloop.stream.stores.ring import Span
from edgeloop.stream.stores.sum_tree import SumTree

INDICES = "indices"
WEIGHTS = "weights"


class Sampler(Protocol):
    """Chooses numbers of rows; called from several threads."""

    def attach(self, room: int) -> None:
        """Serve a store whose rows lie at the position ``number % room``."""

    def moved(self, before: Span, after: Span) -> None:
        """Rows came at the end of the span, and others may have fallen out at its begin."""

    def draw(self, span: Span, count: int) -> tuple[Array, Mapping[str, Array]]:
        """``count`` numbers of rows, (count,) int64, and what else belongs into the batch."""

    def update(self, numbers: Array, priorities: Array) -> None:
        """How much these rows taught."""

    def priorities(self, numbers: Array) -> Array:
        """What to save of these rows: (count,) float64, or empty."""

    def restore(self, numbers: Array, priorities: Array) -> None:
        """Take back what ``priorities`` gave for the same rows."""


class Uniform:
    """Every transition held is as likely as every other, with replacement."""

    def __init__(self, *, seed: int | None = None) -> None:
        self._random = np.random.default_rng(seed)

    def attach(self, room: int) -> None:
        """Nothing to prepare."""

    def moved(self, before: Span, after: Span) -> None:
        """Nothing to keep."""

    def draw(self, span: Span, count: int) -> tuple[Array, Mapping[str, Array]]:
        """``count`` numbers within the span."""
        begin, end = span
        # Half the time of ``integers``; 53 random bits are even enough for any buffer.
        numbers = (self._random.random(count) * (end - begin)).astype(np.int64)
        return numbers + begin, {}

    def update(self, numbers: Array, priorities: Array) -> None:
        """Raises ConfigError: nobody would heed it."""
        raise ConfigError("A uniform sampler has no priorities: give the buffer Prioritized().")

    def priorities(self, numbers: Array) -> Array:
        """None."""
        return np.empty(0)

    def restore(self, numbers: Array, priorities: Array) -> None:
        """Whatever they were, all rows are alike."""


class Prioritized:
    """Proportional prioritisation (Schaul et al., Prioritized Experience Replay, ICLR 2016).

    A transition is drawn with probability p^alpha / sum p^alpha; new ones get the highest priority
    seen, so that each is likely to be tried. A batch has ``weights`` (count,) float32, the
    importance weights (N * P)^-beta divided by their maximum, and ``indices`` for ``update``.
    """

    def __init__(
        self,
        *,
        alpha: float = 0.6,
        beta: float = 0.4,
        floor: float = 1e-6,
        seed: int | None = None,
    ) -> None:
        if not (alpha >= 0 and beta >= 0 and floor > 0 and floor**alpha > 0):
            message = f"alpha {alpha} and beta {beta} must be >= 0, the floor {floor} > 0."
            raise ConfigError(message)
        self.beta = beta
        """How far the weights make up for the choice, 0..1; usually raised to 1 while training."""

        self._alpha = alpha
        self._floor = floor
        self._random = np.random.default_rng(seed)
        self._lock = threading.Lock()
        self._room = 1
        self._tree = SumTree(1)
        self._span = (0, 0)
        self._highest = 1.0

    def attach(self, room: int) -> None:
        """Make a tree for ``room`` positions."""
        self._room = room
        self._tree = SumTree(room)
        self._span = (0, 0)

    def moved(self, before: Span, after: Span) -> None:
        """New rows get the highest priority, those that fell out none."""
        with self._lock:
            self._forget(after[0])
            self._set(max(before[1], after[0]), after[1], self._highest)
            self._span = after

    def draw(self, span: Span, count: int) -> tuple[Array, Mapping[str, Array]]:
        """``count`` numbers, one from each of as many equal shares of all priority."""
        with self._lock:
            self._forget(span[0])  # the store may be ahead of what was said so far
            if not self._tree.total:
                return np.empty(0, np.int64), {}
            shares = (np.arange(count) + self._random.random(count)) / count
            positions = self._tree.find(shares * self._tree.total)
            chance = self._tree[positions] / self._tree.total
            begin, end = self._span
        weights = ((end - begin) * chance) ** -self.beta
        numbers = begin + (positions - begin) % self._room
        return numbers, {INDICES: numbers, WEIGHTS: (weights / weights.max()).astype(np.float32)}

    def update(self, numbers: Array, priorities: Array) -> None:
        """Set the priorities (count,) of these ``indices``; those that fell out are left out.

        Raises InputError where a priority is negative or no number.
        """
        values = np.asarray(priorities, np.float64)
        numbers = np.asarray(numbers, np.int64)
        if (
            values.shape != numbers.shape
            or not (values >= 0).all()
            or not np.isfinite(values).all()
        ):
            raise InputError("Priorities are numbers >= 0, one for each index.")
        values = (values + self._floor) ** self._alpha
        with self._lock:
            held = (numbers >= self._span[0]) & (numbers < self._span[1])
            if held.any():
                self._highest = max(self._highest, float(values[held].max()))
                self._tree.set(numbers[held] % self._room, values[held])

    def priorities(self, numbers: Array) -> Array:
        """The priorities of these rows, to the power of alpha; 0 for those that fell out."""
        with self._lock:
            held = (numbers >= self._span[0]) & (numbers < self._span[1])
            return np.where(held, self._tree[numbers % self._room], 0.0)

    def restore(self, numbers: Array, priorities: Array) -> None:
        """Take back what ``priorities`` gave for the same rows."""
        lowest = self._floor**self._alpha
        with self._lock:
            self._highest = max(lowest, float(priorities.max(initial=0.0)))
            self._tree.set(numbers % self._room, np.maximum(priorities, lowest))

    def _forget(self, oldest: int) -> None:
        """Rows before this one have no priority any more."""
        begin, end = self._span
        if oldest > begin:
            self._set(begin, min(oldest, end), 0.0)
            self._span = (oldest, max(oldest, end))

    def _set(self, begin: int, end: int, value: float) -> None:
        while begin < end:  # the ring may wrap round in between
            start = begin % self._room
            stop = min(self._room, start + end - begin)
            self._tree.set_range(start, stop, value)
            begin += stop - start
