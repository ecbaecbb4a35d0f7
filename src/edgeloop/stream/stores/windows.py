"""What is taken of a trajectory round a step: this one, a stretch, or one in the future."""

from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edgeloop.errors import ConfigError
from edgeloop.stream.stores.layout import Array


@dataclass(frozen=True, slots=True)
class Starts:
    """Chosen steps of trajectories: each is ``step``, its trajectory is held from step ``begin``
    to step ``end - 1``; (count,) int64 each."""

    step: Array
    begin: Array
    end: Array


class Window(ABC):
    """Chooses steps relative to a start.

    ``source`` is the field to read, as its path with "/" between; without it the name under
    which the window was registered.
    """

    def __init__(self, source: str | None = None) -> None:
        self.source = source

    @abstractmethod
    def steps(self, starts: Starts, random: np.random.Generator) -> Array:
        """The steps to read, (count,) or (count, time) int64; those outside are masked."""

    def key(self) -> Hashable:
        """Windows with the same key read the same steps of the same starts."""
        return self

    def result(self, data: Array, mask: Array, offset: Array) -> tuple[Any, Any]:
        """What a batch holds of the data read at ``start + offset``, and its mask."""
        del offset
        return data, mask


class LatestWindow(Window):
    """The value at the start itself: (count, *shape)."""

    def key(self) -> Hashable:
        """All of them."""
        return LatestWindow

    def steps(self, starts: Starts, random: np.random.Generator) -> Array:
        """The start."""
        return starts.step


class SequenceWindow(Window):
    """The values from ``begin`` to ``end - 1`` relative to the start: (count, time, *shape).

    With ``squeeze`` and a single step: (count, *shape).
    """

    def __init__(
        self, begin: int = 0, end: int = 1, *, squeeze: bool = False, source: str | None = None
    ) -> None:
        super().__init__(source)
        if end <= begin or (squeeze and end - begin != 1):
            raise ConfigError(f"A sequence from {begin} to {end}, squeeze {squeeze}: none is left.")
        self._begin = begin
        self._end = end
        self._squeeze = squeeze

    def key(self) -> Hashable:
        """Those of the same stretch."""
        return (SequenceWindow, self._begin, self._end, self._squeeze)

    def steps(self, starts: Starts, random: np.random.Generator) -> Array:
        """All steps of the stretch."""
        found: Array = starts.step[:, None] + np.arange(self._begin, self._end)
        return found[:, 0] if self._squeeze else found


class FutureWindow(Window):
    """A value at a random later step of the same trajectory, as goals are chosen in hindsight.

    The offset is 1 or more (0 at the last step), at most ``max_future``: uniform, or exponential
    with the mean ``1 / rate`` steps, cut off at the trajectory's end. The batch holds
    ``{"data": (count, *shape), "offset": (count,)}``, and so does the mask.
    """

    def __init__(
        self,
        distribution: Literal["uniform", "exponential"] = "uniform",
        *,
        max_future: int | None = None,
        rate: float | None = None,
        source: str | None = None,
    ) -> None:
        super().__init__(source)
        if distribution == "exponential" and not (rate and rate > 0):
            raise ConfigError("An exponential future needs a rate above 0, in 1/steps.")
        if max_future is not None and max_future < 1:
            raise ConfigError(f"max_future is {max_future}: it must be 1 or more.")
        self._distribution = distribution
        self._max_future = max_future
        self._rate = rate

    def steps(self, starts: Starts, random: np.random.Generator) -> Array:
        """One later step for each start."""
        furthest = starts.end - 1 - starts.step
        if self._max_future is not None:
            furthest = np.minimum(furthest, self._max_future)
        return starts.step + np.where(furthest > 0, self._offsets(furthest, random), 0)

    def result(self, data: Array, mask: Array, offset: Array) -> tuple[Any, Any]:
        """The data and by how many steps it is ahead."""
        return {"data": data, "offset": offset}, {"data": mask, "offset": mask}

    def _offsets(self, furthest: Array, random: np.random.Generator) -> Array:
        """1..furthest; where that is 0, anything."""
        most = np.maximum(furthest, 1)
        if self._distribution == "uniform":
            return np.asarray(random.integers(1, most, endpoint=True))
        # By inversion of the distribution cut off at ``most``, so that its end gets no extra.
        chance = random.random(len(most)) * -np.expm1(-(self._rate or 1.0) * most)
        steps = np.ceil(-np.log1p(-chance) / (self._rate or 1.0)).astype(np.int64)
        return np.clip(steps, 1, most)
