"""agentlace.data.trajectory_buffer: trajectories of declared columns, sampled by samplers."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from edgeloop import stream
from edgeloop.compat.agentlace.data.sampler import (
    Array,
    Sampler,
    WindowSampler,
    check_names,
    column_of,
    make_jit_sample,
)

DATA_PREFIX = "data/"
METADATA_PREFIX = "metadata/"
_END = "end_of_trajectory"
_OPEN = -1

Transform = Callable[[Any, Any], tuple[Any, Any]]


@dataclasses.dataclass
class DataShape:
    """A column: its name, and the shape and type of one row."""

    name: str
    shape: tuple[int, ...] = ()
    dtype: Any = "float32"  # what np.dtype takes


@dataclasses.dataclass
class Trajectory:
    """The trajectory that is being inserted: where it began, and from what length on it counts."""

    begin_idx: int
    id: int
    min_length: int

    def valid(self, curent_idx: int) -> bool:
        """Whether it counts when the next row is ``curent_idx``."""
        return bool(curent_idx - self.begin_idx >= self.min_length)

    def to_dict(self) -> dict[str, int]:
        """As it is saved."""
        return {f"traj/{name}": value for name, value in dataclasses.asdict(self).items()}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> "Trajectory":
        """As it was saved."""
        names = [field.name for field in dataclasses.fields(Trajectory)]
        return Trajectory(**{name: int(data[f"traj/{name}"]) for name in names})


@dataclasses.dataclass
class _Writer:
    """One origin's trajectory, and its first rows, kept back while it is too short to count."""

    trajectory: Trajectory
    waiting: list[dict[str, Any]]
    written: int = 0


class TrajectoryBuffer:
    """The newest ``capacity`` steps; trajectories shorter than the minimum are dropped.

    Rows have absolute numbers, 0, 1, 2, ...; row i is at i modulo capacity of ``dataset`` and
    ``metadata``, which are copies. ``device`` and ``use_jax`` have no effect: arrays are numpy's.
    """

    def __init__(
        self,
        capacity: int,
        data_shapes: Sequence[DataShape],
        seed: int = 0,
        min_trajectory_length: int = 2,
        device: Any = None,  # a jax.Device
        use_jax: bool = False,
    ) -> None:
        del device, use_jax
        self.capacity = int(capacity)
        self._columns = {s.name: (tuple(s.shape), np.dtype(s.dtype)) for s in data_shapes}
        self._random = np.random.default_rng(seed)
        self._steps = stream.TrajectoryBuffer(self.capacity, seed=seed)
        self._trajectory = Trajectory(0, 0, min_trajectory_length)
        self._writers: dict[str | None, _Writer] = {None: _Writer(self._trajectory, [])}
        self._ids = 1
        self._offset = 0
        self._own: dict[str, tuple[Callable[..., Any], Transform | None]] = {}
        self._configs: dict[str, Mapping[str, Sampler]] = {}

    def register_sample_config(
        self,
        name: str,
        samplers: Mapping[str, Sampler],
        sample_range: tuple[int, int] = (0, 1),
        transform: Transform | None = None,
    ) -> None:
        """Name a way to sample; chosen steps have ``sample_range`` within their trajectory."""
        length, least = sample_range[1] - sample_range[0], self._trajectory.min_length
        if length <= 0:
            raise AssertionError(f"Sample range {sample_range} must be positive")
        if length > least:
            raise AssertionError(
                f"Sample range {sample_range} must be <= the minimum trajectory length {least}"
            )
        self._own.pop(name, None)
        self._configs[name] = samplers
        if not all(isinstance(sampler, WindowSampler) for sampler in samplers.values()):
            self._own[name] = make_jit_sample(samplers, sample_range, self.capacity), transform
            return
        windows = {
            key: sampler.window(f"{DATA_PREFIX}{sampler.source or key}")
            for key, sampler in samplers.items()
            if isinstance(sampler, WindowSampler)
        }
        self._steps.register(name, windows, reach=sample_range, transform=transform)

    def insert(self, data: Mapping[str, Any], end_of_trajectory: bool = False) -> None:
        """Keep one step, and end its trajectory if told so, here or by ``end_of_trajectory`` in it.

        Raises AssertionError where its keys are not the declared names.
        """
        self.insert_from(None, data, end_of_trajectory)

    def insert_from(
        self,
        origin: str | None,
        data: Mapping[str, Any],
        end_of_trajectory: bool = False,
        *,
        more: bool = False,
    ) -> None:
        """As ``insert``; the steps of each origin make trajectories of their own.

        ``more`` says that others follow at once: then they are written together.
        """
        row = dict(data)
        end = bool(np.any(row.get(_END, end_of_trajectory)))
        if _END not in self._columns:
            row.pop(_END, None)
        check_names(self._columns, row)
        values = {name: self._value(name, row[name]) for name in self._columns}
        writer = self._writer(origin)
        if not writer.waiting and not writer.written:
            writer.trajectory.begin_idx = self._insert_idx
        writer.waiting.append({"data": values, _END: np.bool_(end)})
        is_valid = writer.written or len(writer.waiting) >= self._trajectory.min_length
        if is_valid and (end or not more):
            self._write(origin, writer)
        if end:
            self._end(origin, writer)

    def end_trajectory(self) -> None:
        """End a trajectory without a step; one that is too short is as if it had never been."""
        if self._writers[None].written:
            self._steps.end_trajectory()
        self._end(None, self._writers[None])

    def sample(
        self, sampler_name: str, batch_size: int, force_indices: Any = None
    ) -> tuple[Any, Any]:
        """(data, mask), dicts of arrays (batch, ...) or (batch, time, ...).

        ``force_indices``, absolute, are the steps instead of random ones. Raises ValueError for
        what is not registered, Conflict where there is nothing to sample.
        """
        config = self._configs.get(sampler_name)
        if config is None:
            raise ValueError(f"Sampler {sampler_name} not registered")
        for key, sampler in config.items():
            column_of(sampler, key, self._columns)
        if sampler_name in self._own:
            sample, transform = self._own[sampler_name]
            bounds = self._sample_begin_idx, self._sample_end_idx
            found: tuple[Any, Any] = sample(
                self.dataset, self.metadata, self._random, batch_size, *bounds, force_indices
            )
            return transform(*found) if transform else found
        starts = None if force_indices is None else np.asarray(force_indices) - self._offset
        return self._steps.sample(sampler_name, batch_size, starts=starts)

    @property
    def size(self) -> int:
        """How many steps are held."""
        return len(self)

    @property
    def dataset(self) -> dict[str, Array]:
        """A copy of all columns, (capacity, *shape) each."""
        columns = {
            name: np.zeros((self.capacity, *shape), dtype)
            for name, (shape, dtype) in self._columns.items()
        }
        numbers, rows = self._held()
        for name, column in columns.items():
            if len(numbers):
                column[numbers % self.capacity] = rows["data"][name]
        for number, (_, row) in enumerate(self._waiting(), self._end_idx):
            for name, column in columns.items():
                column[number % self.capacity] = row["data"][name]
        return columns

    @property
    def metadata(self) -> dict[str, Array]:
        """A copy of what is known of each row: ep_begin, ep_end (-1 while it goes on), ..."""
        capacity = self.capacity
        known = {
            "ep_begin": np.zeros(capacity, np.int32),
            "ep_end": np.full(capacity, _OPEN, np.int32),
            "trajectory_begin_flag": np.zeros(capacity, np.bool_),
            "trajectory_id": np.full(capacity, _OPEN, np.int32),
            "seq_id": np.full(capacity, _OPEN, np.int32),
        }
        numbers, rows = self._held()
        if len(numbers):
            ids, begins = rows["id"], rows["begin"]
            at = numbers % capacity
            known["ep_begin"][at] = begins
            known["ep_end"][at] = self._ends(numbers, ids)
            known["trajectory_begin_flag"][at] = begins == numbers
            known["trajectory_id"][at] = ids
            known["seq_id"][at] = numbers
        for number, (trajectory, _) in enumerate(self._waiting(), self._end_idx):
            row = number % capacity
            known["ep_begin"][row] = trajectory.begin_idx
            known["ep_end"][row] = _OPEN
            known["trajectory_begin_flag"][row] = number == trajectory.begin_idx
            known["trajectory_id"][row] = trajectory.id
            known["seq_id"][row] = number
        return known

    def serialized(self) -> dict[str, Any]:
        """All that there is as arrays and numbers, by the names that they are saved under."""
        size = len(self)
        return {
            **{f"{DATA_PREFIX}{name}": value[:size] for name, value in self.dataset.items()},
            **{f"{METADATA_PREFIX}{name}": value[:size] for name, value in self.metadata.items()},
            **self._trajectory.to_dict(),
            "size": size,
            "capacity": self.capacity,
            "_insert_idx": self._insert_idx,
        }

    def save(self, path: str) -> None:
        """Write a file of numpy (npz)."""
        np.savez(path, **self.serialized())

    @classmethod
    def load(cls, path: str, device: Any = None, use_jax: bool = False) -> Self:
        """Read what ``save`` wrote, here or in agentlace."""
        del device, use_jax
        with np.load(Path(path), allow_pickle=False) as saved:
            return cls._restored({name: saved[name] for name in saved.files})

    @staticmethod
    def deserialize(
        loaded_data: Mapping[str, Any], device: Any = None, use_jax: bool = False
    ) -> "TrajectoryBuffer":
        """A buffer of what ``serialized`` gave."""
        del device, use_jax
        return TrajectoryBuffer._restored(loaded_data)

    def latest_data_id(self) -> int:
        """How many steps were inserted, those that were dropped as too short not counted."""
        return self._insert_idx

    def __len__(self) -> int:
        return min(self._insert_idx, self.capacity)

    @property
    def _insert_idx(self) -> int:
        return self._end_idx + sum(len(writer.waiting) for writer in self._writers.values())

    @property
    def _end_idx(self) -> int:
        return self._offset + self._steps.cursor

    @property
    def _sample_end_idx(self) -> int:
        return self._end_idx

    @property
    def _sample_begin_idx(self) -> int:
        """The oldest row, or the end of its trajectory where too little of that is left."""
        oldest = max(self._offset, self._insert_idx - self.capacity)
        if oldest >= self._end_idx:
            return self._end_idx
        end = int(self.metadata["ep_end"][oldest % self.capacity])
        return end if end != _OPEN and end - oldest < self._trajectory.min_length else oldest

    def _value(self, name: str, value: Any) -> Array:
        shape, dtype = self._columns[name]
        array = np.array(value, dtype)
        return array if array.shape == shape else np.broadcast_to(array, shape).copy()

    def _writer(self, origin: str | None) -> _Writer:
        writer = self._writers.get(origin)
        if writer is None:
            writer = _Writer(dataclasses.replace(self._trajectory, id=self._next_id()), [])
            self._writers[origin] = writer
        return writer

    def _next_id(self) -> int:
        self._ids += 1
        return self._ids - 1

    def _write(self, origin: str | None, writer: _Writer) -> None:
        """Let go of the rows that were kept back."""
        trajectory = writer.trajectory
        if not writer.written:
            trajectory.begin_idx = self._end_idx
        place = {"begin": np.int64(trajectory.begin_idx), "id": np.int64(trajectory.id)}
        rows = [{**row, **place} for row in writer.waiting]
        if origin is None and len(rows) == 1:
            self._steps.insert(rows[0])
        elif origin is None:
            self._steps.insert_batch(rows)
        else:
            self._steps.receive(origin, self._steps.received(origin), rows)
        writer.written += len(rows)
        writer.waiting.clear()

    def _end(self, origin: str | None, writer: _Writer) -> None:
        if writer.written:
            writer.trajectory.id = self._next_id()
            writer.trajectory.begin_idx = self._end_idx
        writer.written = 0
        writer.waiting.clear()
        if origin is not None:
            del self._writers[origin]

    def _waiting(self) -> list[tuple[Trajectory, dict[str, Any]]]:
        writers = self._writers.values()
        return [(writer.trajectory, row) for writer in writers for row in writer.waiting]

    def _held(self) -> tuple[Array, dict[str, Any]]:
        """The absolute numbers of the rows that can be sampled, and their columns."""
        first = max(0, self._insert_idx - self.capacity - self._offset)
        rows, end = self._steps.batch_since(first)
        count = len(rows["id"]) if rows else 0
        return np.arange(end - count, end) + self._offset, rows

    def _ends(self, numbers: Array, ids: Array) -> Array:
        """Where each row's trajectory ends, -1 while it goes on."""
        kinds, which = np.unique(ids, return_inverse=True)
        last = np.zeros(len(kinds), np.int64)
        np.maximum.at(last, which, numbers)
        open_ids = [w.trajectory.id for w in self._writers.values() if w.written]
        ends: Array = np.where(np.isin(ids, open_ids), _OPEN, last[which] + 1)
        return ends

    @classmethod
    def _restored(cls, saved: Mapping[str, Any]) -> Self:
        columns = {
            name.removeprefix(DATA_PREFIX): np.asarray(value)
            for name, value in saved.items()
            if name.startswith(DATA_PREFIX)
        }
        shapes = [DataShape(name, col.shape[1:], col.dtype) for name, col in columns.items()]
        trajectory = Trajectory.from_dict(saved)
        buffer = cls(int(saved["capacity"]), shapes, min_trajectory_length=trajectory.min_length)
        buffer._fill(columns, saved, trajectory)
        return buffer

    def _fill(
        self, columns: Mapping[str, Array], saved: Mapping[str, Any], trajectory: Trajectory
    ) -> None:
        """Insert the saved rows anew, in their order, under their numbers and ids."""
        ids = np.asarray(saved[f"{METADATA_PREFIX}trajectory_id"])
        numbers = np.asarray(saved[f"{METADATA_PREFIX}seq_id"])
        first = end = int(saved["_insert_idx"])
        while first > 0 and (at := (first - 1) % self.capacity) < len(ids):
            if numbers[at] != first - 1:  # overwritten by what was dropped later
                break
            first -= 1
        self._offset = first
        held = ids[np.arange(first, end) % self.capacity].tolist()
        last = {row_id: first + index for index, row_id in enumerate(held)}
        for number, row_id in enumerate(held, first):
            origin = None if row_id == trajectory.id else f"restored/{row_id}"
            self._writer(origin).trajectory.id = row_id
            self._trajectory.min_length = 1 if origin else trajectory.min_length
            row = {name: column[number % self.capacity] for name, column in columns.items()}
            self.insert_from(origin, row, origin is not None and number == last[row_id])
        self._trajectory.min_length = trajectory.min_length
        self._trajectory.id = trajectory.id
        self._ids = trajectory.id + 1
