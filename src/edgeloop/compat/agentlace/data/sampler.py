"""agentlace.data.sampler: its samplers, each of them a window of `edgeloop.stream`."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

import numpy as np

from edgeloop import stream
from edgeloop.errors import InputError
from edgeloop.stream.stores.windows import Starts

Arrays = Mapping[str, Any]
"""Columns by name, of numpy or of what numpy can read: (rows, *shape) each."""

Draw = Callable[..., tuple[dict[str, Any], dict[str, Any]]]


class Sampler:
    """Reads something for each chosen step of a trajectory.

    ``source`` is the column to read, where that is not the one it is registered as. A subclass
    defines either ``window`` or ``sample``.
    """

    def __init__(self, source: str | None = None, use_jax: bool = False) -> None:
        del use_jax
        self.source = source

    def window(self, field: str) -> stream.Window:
        """A new window that reads this field of a store of `edgeloop.stream`."""
        raise NotImplementedError(f"{type(self).__name__} has neither a window nor a sample.")

    def sample(
        self,
        sampled_idx: Any,
        ep_begin: Any,
        ep_end: Any,
        key: Any,
        dataset: Arrays,
        source_name: str,
    ) -> tuple[Any, Any]:
        """(data, mask) of the steps ``sampled_idx``, whose trajectories span ``ep_begin`` to
        ``ep_end - 1``: ints, (batch,) each.

        Step n is row n modulo the rows of ``dataset``. ``key`` decides what is random: a Generator
        of numpy, or what it can be seeded with. ``source_name`` is the name it is registered as.
        Raises ValueError where there is no such column.
        """
        column = np.asarray(dataset[column_of(self, source_name, dataset)])
        window = self.window(source_name)
        begins, ends = np.asarray(ep_begin, np.int64), np.asarray(ep_end, np.int64)
        starts = np.asarray(sampled_idx, np.int64)
        steps = window.steps(Starts(starts, begins, ends), _generator(key))
        # A window of several steps has a time axis, which the trajectories' bounds lack.
        aligned = (-1,) + (1,) * (steps.ndim - 1)
        begins, ends, starts = (each.reshape(aligned) for each in (begins, ends, starts))
        nearest = np.clip(steps, begins, ends - 1)
        is_inside = steps == nearest
        return window.result(column[nearest % len(column)], is_inside, steps - starts)


class LatestSampler(Sampler):
    """The step itself: (batch, *shape)."""

    def window(self, field: str) -> stream.Window:
        """As Sampler says."""
        return stream.LatestWindow(field)


class SequenceSampler(Sampler):
    """The steps from ``begin`` to ``end - 1``, counted from the chosen one.

    (batch, end - begin, *shape), or (batch, *shape) with ``squeeze``, which takes a single step.
    Raises ConfigError for a stretch without steps, or of several to be squeezed.
    """

    def __init__(
        self, squeeze: bool = False, begin: int = 0, end: int = 1, source: str | None = None
    ) -> None:
        super().__init__(source)
        self._stretch = (begin, end)
        self._squeeze = squeeze
        self.window("")  # what cannot be read is refused here, where it is written

    def window(self, field: str) -> stream.Window:
        """As Sampler says."""
        return stream.SequenceWindow(*self._stretch, squeeze=self._squeeze, source=field)


class FutureSampler(Sampler):
    """A random later step of the trajectory, at most ``max_future`` ahead.

    The batch has ``{"data": (batch, *shape), "offset": (batch,)}``. EXPONENTIAL prefers near steps:
    ``lambda_`` is its rate in 1/steps. Raises ConfigError where that is missing.
    """

    class Distribution(Enum):
        """How far ahead the later step is."""

        UNIFORM = "uniform"
        EXPONENTIAL = "exponential"

    def __init__(
        self,
        distribution: Distribution = Distribution.UNIFORM,
        max_future: int | None = None,
        lambda_: float | None = None,
        source: str | None = None,
    ) -> None:
        super().__init__(source)
        self._distribution = distribution
        self._max_future = max_future
        self._rate = lambda_
        self.window("")  # refused here if at all

    def window(self, field: str) -> stream.Window:
        """As Sampler says."""
        return stream.FutureWindow(
            self._distribution.value, max_future=self._max_future, rate=self._rate, source=field
        )


class PrioritySampler(Sampler):
    """Not implemented, as in agentlace: `edgeloop.stream.ReplayBuffer` draws by priorities."""

    def __init__(self, priorities: Any, alpha: float = 1.0, source: str | None = None) -> None:
        super().__init__(source)
        raise NotImplementedError(
            "There is no PrioritySampler: use edgeloop.stream.ReplayBuffer with Prioritized()."
        )


def has_window(sampler: Sampler) -> bool:
    """Whether a sampler is all told by its window; a user's own ``sample`` is not."""
    return type(sampler).sample is Sampler.sample


def column_of(sampler: Sampler, name: str, columns: Sequence[str] | Arrays) -> str:
    """The column that a sampler reads when it is registered as ``name``; raises ValueError."""
    column = name if sampler.source is None else sampler.source
    if column not in columns:
        raise ValueError(
            f"The sampler '{name}' reads '{column}', which is none of {sorted(columns)}: "
            "name a column as its source."
        )
    return column


def expand_to_shape(x: Any, shape: Sequence[int]) -> Any:
    """``x`` repeated along new last axes up to ``shape``, as a mask is for the data it belongs to.

    Raises InputError unless its own axes are the first ones of ``shape``.
    """
    value = np.asarray(x)
    missing = len(shape) - value.ndim
    try:
        return np.broadcast_to(value.reshape(value.shape + (1,) * missing), tuple(shape))
    except ValueError as error:
        raise InputError(f"{value.shape} are not the first axes of {tuple(shape)}.") from error


def make_jit_sample(
    sample_config: Mapping[str, Sampler],
    sample_range: tuple[int, int],
    capacity: int,
    device: Any = None,  # a jax.Device: without effect
    use_jax: bool = False,
) -> Draw:
    """``draw(dataset, metadata, sampled_idx, key=None) -> (data, mask)``: what all samplers read.

    ``dataset`` and ``metadata`` are those of a trajectory buffer of this capacity. Steps too near
    to an end of their trajectory for the range are moved. Nothing is compiled.
    """
    del device, use_jax
    first, last = sample_range

    def draw(
        dataset: Arrays, metadata: Arrays, sampled_idx: Any, key: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        random = _generator(key)
        wanted = np.asarray(sampled_idx, np.int64)
        begins, ends = (
            np.asarray(metadata[bound])[wanted % capacity] for bound in ("ep_begin", "ep_end")
        )
        steps = np.clip(wanted, begins - first, ends - last)
        found = {
            name: sampler.sample(steps, begins, ends, random, dataset, name)
            for name, sampler in sample_config.items()
        }
        data = {name: value for name, (value, _) in found.items()}
        return data, {name: mask for name, (_, mask) in found.items()}

    return draw


def make_jit_insert(device: Any = None, use_jax: bool = False) -> Callable[..., Any]:
    """``insert(dataset, data, rows)`` writes values, or columns of them, to one or many rows.

    It changes the arrays of ``dataset`` and returns it. Nothing is compiled.
    """
    del device, use_jax

    def insert(dataset: dict[str, Any], data: Arrays, rows: Any) -> dict[str, Any]:
        for name, values in data.items():
            dataset[name][rows] = values
        return dataset

    return insert


def _generator(key: Any) -> np.random.Generator:
    if key is None or isinstance(key, np.random.Generator):
        return np.random.default_rng(key)
    return np.random.default_rng(np.asarray(key).ravel())  # a number, or one of jax's keys
