"""agentlace.data.trajectory_buffer: that of `edgeloop.stream`, with declared columns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Self

import numpy as np

from edgeloop import stream
from edgeloop.compat.agentlace.data.beginnings import Beginnings, Row
from edgeloop.compat.agentlace.data.sampler import (
    Draw,
    Sampler,
    column_of,
    has_window,
    make_jit_insert,
    make_jit_sample,
)
from edgeloop.compat.agentlace.data.trajectory_file import Columns, Part, Saved, read_arrays
from edgeloop.compat.agentlace.payloads import plain
from edgeloop.errors import InputError

Transform = Callable[[Any, Any], tuple[Any, Any]]
"""(data, mask) -> (data, mask)."""

Shape = tuple[int, ...]

_END = "end_of_trajectory"
_NUMBER = "#number"
_TRAJECTORIES = "trajectories"


@dataclass
class DataShape:
    """A column: what each step has under this name."""

    name: str
    shape: Shape = ()
    dtype: Any = "float32"


@dataclass
class Trajectory:
    """The trajectory that the next step belongs to: where it began, and what it must reach."""

    begin_idx: int
    id: int
    min_length: int

    def valid(self, curent_idx: int) -> bool:
        """Whether it is long enough when the next step would be this one."""
        return curent_idx >= self.begin_idx + self.min_length

    def to_dict(self) -> dict[str, int]:
        """Its three numbers by name."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """What ``to_dict`` gave, also as arrays."""
        return cls(**{name: int(value) for name, value in data.items()})


@dataclass(frozen=True, slots=True)
class _Config:
    samplers: dict[str, Sampler]
    draw: Draw | None
    """What those read that are no windows."""

    transform: Transform | None


class TrajectoryBuffer:
    """The newest ``capacity`` steps of trajectories; those that stay shorter than
    ``min_trajectory_length`` are dropped when they end.

    Steps are numbered as they come, 0, 1, 2, ...; where several origins send by turns, as if each
    trajectory had come as a whole. ``device`` and ``use_jax`` have no effect.
    """

    def __init__(
        self,
        capacity: int,
        data_shapes: Sequence[DataShape],
        seed: int = 0,
        min_trajectory_length: int = 2,
        device: Any = None,
        use_jax: bool = False,
    ) -> None:
        del device, use_jax
        self.capacity = capacity
        self._shapes = {
            each.name: (tuple(each.shape), np.dtype(each.dtype)) for each in data_shapes
        }
        self._steps = stream.TrajectoryBuffer(capacity, seed=seed)
        self._steps.register(_TRAJECTORIES, {"ids": stream.LatestWindow("trajectory_id")})
        self._random = np.random.default_rng(seed)
        self._configs: dict[str, _Config] = {}
        self._beginnings = Beginnings()
        self._trajectory = Trajectory(0, self._beginnings.id_of(None), min_trajectory_length)
        self._is_mixed = False
        self._number_of_first = 0
        """What the first step in the store is called: not 0 after loading."""

    def register_sample_config(
        self,
        name: str,
        samplers: Mapping[str, Sampler],
        sample_range: tuple[int, int] = (0, 1),
        transform: Transform | None = None,
    ) -> None:
        """Name what a batch holds: of each chosen step what the samplers read.

        The steps of ``sample_range`` round a chosen one are of its trajectory. ``transform`` comes
        last. Raises AssertionError for a range that is empty, or longer than a trajectory may be.
        """
        low, high = sample_range
        if high <= low:
            raise AssertionError(f"Sample range {sample_range} must be positive")
        if high - low > self._trajectory.min_length:
            least = self._trajectory.min_length
            raise AssertionError(
                f"Sample range {sample_range} must be <= the minimum trajectory length {least}"
            )
        windows: dict[str, stream.Window] = {}
        others: dict[str, Sampler] = {}
        for key, sampler in samplers.items():
            if has_window(sampler):
                windows[key] = sampler.window(
                    _path(key if sampler.source is None else sampler.source)
                )
            else:
                others[key] = sampler
        draw = make_jit_sample(others, sample_range, self.capacity) if others else None
        if not windows or others:
            windows[_NUMBER] = stream.LatestWindow("number")
        self._steps.register(_plan(name), windows, reach=(low, high))
        self._configs[name] = _Config(dict(samplers), draw, transform)

    def insert(self, data: Mapping[str, Any], end_of_trajectory: bool = False) -> None:
        """Keep one step, copied; it may end its trajectory, here or in a column of that name.

        Raises AssertionError for other names than the declared ones, InputError for a value that
        does not fit.
        """
        self.insert_from(None, [data], end_of_trajectory)

    def insert_from(
        self,
        origin: str | None,
        items: Sequence[Mapping[str, Any]],
        end_of_trajectory: bool = False,
    ) -> None:
        """Keep steps of an origin, all or none; its trajectories are its own.

        ``end_of_trajectory`` is about the last of them. Raises as ``insert`` does.
        """
        rows = [self._row(item) for item in items]
        ready: list[Row] = []
        for index, row in enumerate(rows):
            ready += self._beginnings.add(origin, row, least=self._trajectory.min_length)
            is_told = end_of_trajectory and index == len(rows) - 1
            if is_told or np.any(row["data"].get(_END, False)):
                self._write(origin, ready)
                self._end(origin)
                ready = []
        self._write(origin, ready)
        self._follow()

    def end_trajectory(self) -> None:
        """Let the next step begin another trajectory, and drop this one if it is too short."""
        self._end(None)
        self._follow()

    def sample(
        self, sampler_name: str, batch_size: int, force_indices: Any = None
    ) -> tuple[Any, Any]:
        """(data, mask): dicts, with a transform whatever that returns.

        ``force_indices`` are numbers of steps to read instead of ``batch_size`` random ones; those
        too near to an end are moved. A mask is bool, (batch,) or (batch, time): False for what
        lies outside the trajectory.

        Raises ValueError for a name that is not registered or a column that there is not,
        Conflict where nothing can be sampled yet, InputError for steps that are not held.
        """
        config = self._configs.get(sampler_name)
        if config is None:
            raise ValueError(f"Sampler {sampler_name} not registered")
        for key, sampler in config.samplers.items():
            if has_window(sampler) or sampler.source is not None:
                column_of(sampler, key, self._shapes)
        starts = None if force_indices is None else self._numbers_at(force_indices)
        data, mask = self._steps.sample(_plan(sampler_name), batch_size, starts=starts)
        numbers = data.pop(_NUMBER, None)
        mask.pop(_NUMBER, None)
        if config.draw:
            steps = self._steps_at(numbers)
            more = config.draw(*self._columns(is_whole=False), steps, self._random)
            data, mask = (
                {key: found.get(key, other.get(key)) for key in config.samplers}
                for found, other in zip((data, mask), more, strict=True)
            )
        return config.transform(data, mask) if config.transform else (data, mask)

    @property
    def dataset(self) -> Columns:
        """A copy of all that is held: (capacity, *shape) by name, the step n in row n modulo
        capacity; zeros where nothing is."""
        return self._columns()[0]

    @property
    def metadata(self) -> Columns:
        """As ``dataset``, of every step: ``ep_begin``, ``ep_end``, ``trajectory_id``, ``seq_id``
        (its number) and ``trajectory_begin_flag``; -1 where nothing is."""
        return self._columns()[1]

    def serialized(self) -> Columns:
        """All that is held as arrays by name, which ``deserialize`` takes."""
        dataset, metadata = self._columns()
        traj = self._trajectory.to_dict()
        saved = Saved(dataset, metadata, traj, self.capacity, self.size, self._insert_idx)
        return saved.to_arrays()

    def save(self, path: str) -> None:
        """Write an npz file; numpy adds .npz to a name without it."""
        np.savez(path, **self.serialized())

    @classmethod
    def load(cls, path: str, device: Any = None, use_jax: bool = False) -> Self:
        """A buffer with what ``save`` wrote, agentlace's too; register what to sample anew.

        Raises InputError where there is no such file, or it is damaged.
        """
        del device, use_jax
        return cls._restored(read_arrays(path))

    @staticmethod
    def deserialize(
        loaded_data: Mapping[str, Any], device: Any = None, use_jax: bool = False
    ) -> "TrajectoryBuffer":
        """A buffer with what ``serialized`` gave; raises InputError for anything else."""
        del device, use_jax
        return TrajectoryBuffer._restored(loaded_data)

    def latest_data_id(self) -> int:
        """How many steps were inserted, without those that were dropped."""
        return self._insert_idx

    @property
    def size(self) -> int:
        """How many steps are held."""
        return min(self._insert_idx, self.capacity)

    def __len__(self) -> int:
        return self.size

    @property
    def _insert_idx(self) -> int:
        """The number of the next step."""
        return self._sample_end_idx + len(self._beginnings.waiting(None))

    @property
    def _sample_begin_idx(self) -> int:
        """The number of the oldest step that is held."""
        return self._sample_end_idx - len(self._steps)

    @property
    def _sample_end_idx(self) -> int:
        """The number after that of the last step whose trajectory is long enough."""
        return self._steps.cursor + self._number_of_first

    def _row(self, item: Mapping[str, Any]) -> Row:
        """A step as it is kept, but for what Beginnings and ``_write`` add."""
        if item.keys() != self._shapes.keys():
            missing, unknown = self._shapes.keys() - item.keys(), item.keys() - self._shapes.keys()
            raise AssertionError(
                f"A step has the declared columns: {sorted(missing)} are missing, "
                f"{sorted(unknown)} are not declared."
            )
        return {"data": {name: self._value(name, item[name]) for name in self._shapes}}

    def _value(self, name: str, value: Any) -> Any:
        shape, dtype = self._shapes[name]
        try:
            return np.broadcast_to(np.asarray(plain(value), dtype), shape).copy()[()]
        except (TypeError, ValueError) as error:
            raise InputError(f"'{name}' is not {dtype}{shape}, as declared: {error}") from error

    def _write(self, origin: str | None, rows: Sequence[Row]) -> None:
        store = self._steps
        for trajectory, group in groupby(rows, lambda row: row["trajectory_id"]):
            kept = [{**row, "number": store.cursor + at} for at, row in enumerate(group)]
            if origin is None:
                for row in kept:
                    store.insert(row)
            else:
                # An origin of its own for each trajectory: the store keeps apart what they send.
                name = f"trajectory {trajectory}"
                store.receive(name, store.received(name), kept)
                self._is_mixed = True

    def _end(self, origin: str | None) -> None:
        self._beginnings.end(origin)
        if origin is None:
            self._steps.end_trajectory()

    def _follow(self) -> None:
        """Say where the buffer's own trajectory is now."""
        self._trajectory.id = self._beginnings.id_of(None)
        if not self._beginnings.has_begun(None):
            self._trajectory.begin_idx = self._insert_idx

    def _numbers_at(self, steps: Any) -> Any:
        """The store's numbers of these steps, (count,) int64."""
        places = np.asarray(plain(steps), np.int64) - self._sample_begin_idx
        if places.ndim != 1 or not ((places >= 0) & (places < len(self._steps))).all():
            raise InputError(
                f"force_indices are from {self._sample_begin_idx} to {self._sample_end_idx - 1}."
            )
        return self._order()[places]

    def _steps_at(self, numbers: Any) -> Any:
        """The numbers of steps that the store has under these."""
        return np.argsort(self._order())[numbers - self._oldest()] + self._sample_begin_idx

    def _oldest(self) -> int:
        return self._steps.cursor - len(self._steps)

    def _order(self) -> Any:
        """The store's numbers of all steps, trajectory by trajectory."""
        numbers = np.arange(self._oldest(), self._steps.cursor)
        if not self._is_mixed:
            return numbers
        data, _ = self._steps.sample(_TRAJECTORIES, 0, starts=numbers)
        _, firsts, members = np.unique(data["ids"], return_index=True, return_inverse=True)
        return numbers[np.argsort(firsts[members], kind="stable")]

    def _columns(self, *, is_whole: bool = True) -> tuple[Columns, Columns]:
        """Dataset and metadata: with the steps that wait, or only of what can be sampled."""
        data, ids, firsts = self._held(self._beginnings.waiting(None) if is_whole else [])
        end = self._insert_idx if is_whole else self._sample_end_idx
        numbers = np.arange(end - len(ids), end)
        known, members, counts = np.unique(ids, return_inverse=True, return_counts=True)
        begins = np.full(len(known), end)
        np.minimum.at(begins, members, numbers)
        metadata = {
            "ep_begin": begins[members],
            "ep_end": (begins + counts)[members],
            "trajectory_begin_flag": firsts,
            "trajectory_id": ids,
            "seq_id": numbers,
        }
        rows = numbers % self.capacity
        spread = make_jit_insert()
        dataset = {
            name: np.zeros((self.capacity, *shape), dtype)
            for name, (shape, dtype) in self._shapes.items()
        }
        nothing = {
            name: np.zeros(self.capacity, np.bool_)
            if column.dtype == np.bool_
            else np.full(self.capacity, -1)
            for name, column in metadata.items()
        }
        return spread(dataset, data, rows), spread(nothing, metadata, rows)

    def _held(self, waiting: Sequence[Row]) -> tuple[Columns, Any, Any]:
        """The newest steps, ``capacity`` at most: their data, their trajectories' ids, and which
        of them began one."""
        kept, _ = self._steps.batch_since(0)
        order = self._order() - self._oldest()

        def joined(old: Any, new: Sequence[Any], shape: Shape, dtype: Any) -> Any:
            added = np.asarray(new, dtype).reshape(-1, *shape)
            both = added if old is None else np.concatenate([old[order], added])
            return both[-self.capacity :]

        columns = kept.get("data", {})
        data = {
            name: joined(columns.get(name), [row["data"][name] for row in waiting], shape, dtype)
            for name, (shape, dtype) in self._shapes.items()
        }
        ids = [row["trajectory_id"] for row in waiting]
        firsts = [row["is_first"] for row in waiting]
        return (
            data,
            joined(kept.get("trajectory_id"), ids, (), np.int64),
            joined(kept.get("is_first"), firsts, (), np.bool_),
        )

    @classmethod
    def _restored(cls, arrays: Mapping[str, Any]) -> Self:
        saved = Saved.from_arrays(arrays)
        shapes = [
            DataShape(name, column.shape[1:], column.dtype)
            for name, column in saved.dataset.items()
        ]
        least = saved.trajectory["min_length"]
        buffer = cls(saved.capacity, shapes, min_trajectory_length=least)
        buffer._number_of_first = saved.end - saved.size
        parts = list(saved.trajectories())
        newest = max((part.id for part in parts), default=-1)
        buffer._beginnings = Beginnings(max(newest + 1, saved.trajectory["id"]))
        for part in parts:
            is_open = part is parts[-1] and part.id == saved.trajectory["id"]
            buffer._take_over(part, is_open=is_open)
        buffer._follow()
        return buffer

    def _take_over(self, part: Part, *, is_open: bool) -> None:
        """Go on after steps that were saved, or just keep them."""
        is_kept = not is_open or part.count >= self._trajectory.min_length or not part.is_whole
        if is_open:
            self._beginnings.go_on(None, part.id, is_kept=is_kept)
            self._trajectory.begin_idx = self._insert_idx
        if not is_kept:
            for at in range(part.count):
                self.insert({name: column[at] for name, column in part.data.items()})
            return
        numbers = self._steps.cursor + np.arange(part.count)
        self._steps.insert_batch(
            {
                "data": part.data,
                "trajectory_id": np.full(part.count, part.id),
                "is_first": (numbers == numbers[0]) & part.is_whole,
                "number": numbers,
            }
        )
        if not is_open:
            self._steps.end_trajectory()


def _plan(name: str) -> str:
    """What a config is called in the store, which has a plan of ours too."""
    return f"config {name}"


def _path(column: str) -> str:
    """Where the store has a column: apart from the names that would end a trajectory there."""
    return f"data/{column}"
