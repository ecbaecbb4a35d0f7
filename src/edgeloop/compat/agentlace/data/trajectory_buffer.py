"""agentlace.data.trajectory_buffer: that of `edgeloop.stream`, with declared columns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from edgeloop import stream
from edgeloop.compat.agentlace.data.beginnings import Beginnings
from edgeloop.compat.agentlace.data.sampler import (
    Draw,
    Sampler,
    column_of,
    has_window,
    make_jit_sample,
)
from edgeloop.compat.agentlace.data.steps import Shape, Steps, path_of
from edgeloop.compat.agentlace.data.trajectory_file import Columns, Saved, read_arrays

Transform = Callable[[Any, Any], tuple[Any, Any]]
"""(data, mask) -> (data, mask)."""

_NUMBER = "#number"


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

    def valid(self, current_idx: int) -> bool:
        """Whether it is long enough when the next step would be this one."""
        return current_idx >= self.begin_idx + self.min_length

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
        shapes = {each.name: (tuple(each.shape), np.dtype(each.dtype)) for each in data_shapes}
        self._steps = Steps(capacity, shapes, seed=seed)
        self._random = np.random.default_rng(seed)
        self._configs: dict[str, _Config] = {}
        self._trajectory = Trajectory(0, 0, min_trajectory_length)
        self._follow()

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
                    path_of(key if sampler.source is None else sampler.source)
                )
            else:
                others[key] = sampler
        draw = make_jit_sample(others, sample_range, self.capacity) if others else None
        if not windows or others:
            windows[_NUMBER] = stream.LatestWindow("number")
        self._steps.store.register(_plan(name), windows, reach=(low, high))
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
        least = self._trajectory.min_length
        self._steps.extend(origin, items, least=least, ends=end_of_trajectory)
        self._follow()

    def end_trajectory(self) -> None:
        """Let the next step begin another trajectory, and drop this one if it is too short."""
        self._steps.end_trajectory(None)
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
                column_of(sampler, key, self._steps.shapes)
        starts = None if force_indices is None else self._steps.numbers_at(force_indices)
        data, mask = self._steps.store.sample(_plan(sampler_name), batch_size, starts=starts)
        numbers = data.pop(_NUMBER, None)
        mask.pop(_NUMBER, None)
        if config.draw:
            steps = self._steps.steps_at(numbers)
            more = config.draw(*self._steps.columns(is_whole=False), steps, self._random)
            data, mask = (
                {key: found.get(key, other.get(key)) for key in config.samplers}
                for found, other in zip((data, mask), more, strict=True)
            )
        return config.transform(data, mask) if config.transform else (data, mask)

    @property
    def dataset(self) -> Columns:
        """A copy of all that is held: (capacity, *shape) by name, the step n in row n modulo
        capacity; zeros where nothing is."""
        return self._steps.columns()[0]

    @property
    def metadata(self) -> Columns:
        """As ``dataset``, of every step: ``ep_begin``, ``ep_end``, ``trajectory_id``, ``seq_id``
        (its number) and ``trajectory_begin_flag``; -1 where nothing is."""
        return self._steps.columns()[1]

    def serialized(self) -> Columns:
        """All that is held as arrays by name, which ``deserialize`` takes."""
        dataset, metadata = self._steps.columns()
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
        saved: Mapping[str, Any], device: Any = None, use_jax: bool = False
    ) -> "TrajectoryBuffer":
        """A buffer with what ``serialized`` gave; raises InputError for anything else."""
        del device, use_jax
        return TrajectoryBuffer._restored(saved)

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
        return self._steps.end

    @property
    def _sample_begin_idx(self) -> int:
        """The number of the oldest step that is held."""
        return self._steps.begin

    @property
    def _sample_end_idx(self) -> int:
        """The number after that of the last step whose trajectory is long enough."""
        return self._steps.ready

    def _follow(self) -> None:
        """Say where the buffer's own trajectory is now."""
        self._trajectory.id = self._steps.beginnings.id_of(None)
        if not self._steps.beginnings.has_begun(None):
            self._trajectory.begin_idx = self._insert_idx

    @classmethod
    def _restored(cls, arrays: Mapping[str, Any]) -> Self:
        saved = Saved.from_arrays(arrays)
        shapes = [
            DataShape(name, column.shape[1:], column.dtype)
            for name, column in saved.dataset.items()
        ]
        least = saved.trajectory["min_length"]
        buffer = cls(saved.capacity, shapes, min_trajectory_length=least)
        buffer._steps.offset = saved.end - saved.size
        parts = list(saved.trajectories())
        newest = max((part.id for part in parts), default=-1)
        buffer._steps.beginnings = Beginnings(max(newest + 1, saved.trajectory["id"]))
        is_begun = saved.trajectory["begin_idx"] < saved.end
        for part in parts:
            is_open = is_begun and part is parts[-1] and part.id == saved.trajectory["id"]
            buffer._steps.take_over(part, is_open=is_open, least=least)
        buffer._trajectory.begin_idx = saved.trajectory["begin_idx"]
        buffer._follow()
        return buffer


def _plan(name: str) -> str:
    """What a config is called in the store, where there is a plan of ours too."""
    return f"config {name}"
