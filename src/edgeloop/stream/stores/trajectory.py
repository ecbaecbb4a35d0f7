"""Transitions in their order: windows of trajectories, with masks for what lies outside."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from edgeloop.errors import ConfigError, Conflict, InputError, NotFound
from edgeloop.stream.stores.layout import Array, Layout
from edgeloop.stream.stores.limiter import Limiter
from edgeloop.stream.stores.ring_store import RingStore
from edgeloop.stream.stores.snapshot import Snapshot
from edgeloop.stream.stores.trajectories import Places, join
from edgeloop.stream.stores.transitions import Transitions
from edgeloop.stream.stores.windows import Starts, Window

Sample = dict[str, Any]
Transform = Callable[[Sample, Sample], tuple[Sample, Sample]]
"""(data, mask) -> (data, mask)."""

_ROUNDS = 16


@dataclass(frozen=True, slots=True)
class _Plan:
    keys: tuple[str, ...]
    groups: tuple[list[tuple[str, Window]], ...]
    """Windows with their keys, those that read the same steps together."""

    reach: tuple[int, int]
    transform: Transform | None


class TrajectoryBuffer(RingStore):
    """The newest ``capacity`` steps, sampled as windows that never leave their trajectory.

    A trajectory ends with ``end_of_trajectory=True``, with ``end_trajectory()``, or with a step
    whose field ``end_of_trajectory``, ``dones``, ``terminated`` or ``truncated`` is true or whose
    ``masks`` is 0. Steps that come from several origins at once stay in trajectories of their own.
    After a restart all trajectories have ended. A ``limiter`` counts a window as one transition.
    """

    kind = "trajectories"

    def __init__(
        self,
        capacity: int,
        *,
        seed: int | None = None,
        folder: Path | None = None,
        limiter: Limiter | None = None,
    ) -> None:
        super().__init__(capacity, links="marks", folder=folder, limiter=limiter)
        self._random = np.random.default_rng(seed)
        self._plans: dict[str, _Plan] = {}

    @classmethod
    def restore(
        cls,
        path: Path,
        *,
        capacity: int | None = None,
        seed: int | None = None,
        folder: Path | None = None,
        limiter: Limiter | None = None,
    ) -> Self:
        """A buffer with what ``save`` wrote to ``path``; register what to sample anew.

        Raises InputError where the file is damaged, ConfigError where it does not fit in.
        """
        with Snapshot(path) as snapshot:
            size = capacity or int(snapshot.info.get("capacity", 1))
            buffer = cls(size, seed=seed, folder=folder, limiter=limiter)
            buffer._load_or_close(snapshot)
            return buffer

    def insert(self, item: Any, *, end_of_trajectory: bool = False) -> None:
        """Keep one step, copied, and end its trajectory if told so."""
        self._admit(1)
        with self._lock:
            self._put(item)
            if end_of_trajectory:
                self.end_trajectory()

    def end_trajectory(self) -> None:
        """What is inserted next belongs to a new trajectory."""
        with self._lock:
            if self._rows:
                self._rows.end(None)

    def register(
        self,
        name: str,
        windows: Mapping[str, Window],
        *,
        reach: tuple[int, int] = (0, 1),
        transform: Transform | None = None,
    ) -> None:
        """Name a way to sample: what the batch holds under which key.

        Starts are chosen so that the steps ``reach[0]`` to ``reach[1] - 1`` relative to them lie
        in the trajectory. ``transform`` changes data and mask of each batch last.
        """
        if not windows or reach[1] <= reach[0]:
            raise ConfigError(
                f"'{name}' with the reach {reach} and {len(windows)} windows is empty."
            )
        groups: dict[Hashable, list[tuple[str, Window]]] = {}
        for key, window in windows.items():
            groups.setdefault(window.key(), []).append((key, window))
        self._plans[name] = _Plan(tuple(windows), tuple(groups.values()), reach, transform)

    def sample(
        self, name: str, batch_size: int, *, starts: Array | None = None
    ) -> tuple[Sample, Sample]:
        """(data, mask), dicts with the registered keys: arrays of the caller's own.

        Every start that fits is as likely as every other. A mask is bool, (batch_size,) or
        (batch_size, time): False where the trajectory has no such step (any more); the data is
        then that of the nearest step. ``starts`` (batch_size,) names rows by their numbers
        instead; those too near to an end are moved as far as needed.

        Raises NotFound for a name that is not registered, Conflict where no trajectory is long
        enough, InputError for starts that are not held, StreamTimeout where the limiter says so.
        """
        plan = self._plans.get(name)
        if plan is None:
            raise NotFound(f"Nothing is registered as '{name}', only {sorted(self._plans)}.")
        if starts is None and batch_size < 1:
            raise InputError(f"A batch of {batch_size} windows: ask for 1 or more.")
        self._before_batch()
        batch = self._draw(plan, batch_size, starts)
        self._after_batch(batch_size if starts is None else len(starts))
        return batch

    def _draw(self, plan: _Plan, batch_size: int, starts: Array | None) -> tuple[Sample, Sample]:
        rows = self._rows_begun()
        while True:
            with self._lock:
                oldest = rows.span[0]
                if starts is None:
                    chosen = self._choose(rows, plan, batch_size)
                else:
                    chosen = _place(rows, plan, np.asarray(starts, np.int64))
                looks = [self._look(rows, windows[0][1], chosen) for windows in plan.groups]
            data: Sample = dict.fromkeys(plan.keys)
            mask: Sample = dict.fromkeys(plan.keys)
            for windows, (numbers, inside, offset) in zip(plan.groups, looks, strict=True):
                fields = [
                    _field_index(rows.layout, window.source or key) for key, window in windows
                ]
                found = zip(windows, rows.values(fields, numbers), strict=True)
                for (key, window), values in found:
                    data[key], mask[key] = window.result(values, inside.copy(), offset)
            if rows.span[0] == oldest or all(look[0].min() >= rows.span[0] for look in looks):
                return plan.transform(data, mask) if plan.transform else (data, mask)

    def _choose(self, rows: Transitions, plan: _Plan, count: int) -> Places:
        """``count`` starts, each valid one as likely as every other."""
        begin, end = rows.span
        parts: list[Places] = []
        missing = count
        for _ in range(_ROUNDS):
            chances = self._random.random(missing + missing // 8 + 16)
            places = rows.places(begin + (chances * (end - begin)).astype(np.int64))
            parts.append(places.pick(_valid(places, plan.reach)[:missing]))
            missing -= len(parts[-1].slots)
            if not missing:
                return join(parts) if len(parts) > 1 else parts[0]
        places = rows.places(np.arange(begin, end))  # valid ones are rare: look at every row
        valid = _valid(places, plan.reach)
        if not len(valid):
            steps = plan.reach[1] - plan.reach[0]
            raise Conflict(f"No trajectory has {steps} steps yet: insert more.")
        chosen = valid[self._random.integers(len(valid), size=missing)]
        return join([*parts, places.pick(chosen)])

    def _look(
        self, rows: Transitions, window: Window, chosen: Places
    ) -> tuple[Array, Array, Array]:
        """The numbers of the rows a window reads, whether they are meant, and how far ahead."""
        starts = Starts(chosen.steps, chosen.begins, chosen.ends)
        steps = window.steps(starts, self._random)
        shape = (-1, *[1] * (steps.ndim - 1))
        begins, ends = chosen.begins.reshape(shape), chosen.ends.reshape(shape)
        nearest = np.minimum(np.maximum(steps, begins), ends - 1)
        numbers = rows.numbers(chosen.slots.reshape(shape), nearest)
        return numbers, (begins <= steps) & (steps < ends), steps - chosen.steps.reshape(shape)


def _valid(places: Places, reach: tuple[int, int]) -> Array:
    """The indices of those places whose trajectory reaches that far."""
    low, high = places.steps + reach[0], places.steps + reach[1]
    return np.flatnonzero((low >= places.begins) & (high <= places.ends))


def _place(rows: Transitions, plan: _Plan, numbers: Array) -> Places:
    """The starts of these rows, moved into what their trajectory allows."""
    begin, end = rows.span
    if numbers.ndim != 1 or not ((numbers >= begin) & (numbers < end)).all():
        raise InputError(f"Starts are numbers of rows from {begin} to {end - 1}.")
    places = rows.places(numbers)
    lowest, highest = places.begins - plan.reach[0], places.ends - plan.reach[1]
    if (lowest > highest).any():
        raise InputError(f"A start lies in a trajectory too short for the reach {plan.reach}.")
    return replace(places, steps=np.clip(places.steps, lowest, highest))


def _field_index(layout: Layout, name: str) -> int:
    index = layout.names.get(name)
    if index is None:
        raise ConfigError(
            f"There is no field '{name}', only {list(layout.names)}: name one as the source."
        )
    return index
