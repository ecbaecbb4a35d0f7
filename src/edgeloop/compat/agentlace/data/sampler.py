"""agentlace.data.sampler: what a batch takes of a trajectory, as windows of `edgeloop.stream`.

The two ``make_jit_*`` work on plain arrays, for samplers of a user's own; nothing is compiled.
"""

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeloop.errors import Conflict
from edgeloop.stream import FutureWindow, LatestWindow, SequenceWindow, Window
from edgeloop.stream.stores.windows import Starts

Array = npt.NDArray[Any]
Sampled = tuple[Any, Any]
"""(data, mask): arrays, or dicts of arrays."""


class Sampler:
    """Takes something of the trajectories at chosen steps; a user's own overrides ``sample``.

    ``source`` is the column to read, by default the one that the sampler is registered as.
    ``use_jax`` has no effect: arrays are numpy's, which jax takes as they are.
    """

    source: str | None = None

    def __init__(self, source: str | None = None, use_jax: bool = False) -> None:
        del use_jax
        self.source = source

    def sample(
        self,
        sampled_idx: Array,
        ep_begin: Array,
        ep_end: Array,
        key: np.random.Generator,
        dataset: Mapping[str, Array],
        source_name: str,
    ) -> Sampled:
        """(data, mask) of the steps ``sampled_idx`` of episodes [``ep_begin``, ``ep_end``).

        All are (batch,) and absolute; row i of ``dataset`` is at i modulo its length.
        """
        raise NotImplementedError

    def _access(
        self,
        idx: Array,
        ep_begin: Array,
        ep_end: Array,
        dataset: Mapping[str, Array],
        source_name: str,
    ) -> Sampled:
        """The rows ``idx``, (batch,) or (batch, time), and which of them are in their episode."""
        column = dataset[column_of(self, source_name, dataset)]
        begin, end = expand_to_shape(ep_begin, idx.shape), expand_to_shape(ep_end, idx.shape)
        nearest = np.minimum(np.maximum(idx, begin), end - 1)
        return column[nearest % len(column)], (begin <= idx) & (idx < end)


class WindowSampler(Sampler):
    """A sampler that is a window."""

    def window(self, source: str | None = None) -> Window:
        """The window, reading ``source``."""
        raise NotImplementedError

    def sample(
        self,
        sampled_idx: Array,
        ep_begin: Array,
        ep_end: Array,
        key: np.random.Generator,
        dataset: Mapping[str, Array],
        source_name: str,
    ) -> Sampled:
        """As the window says."""
        window = self.window()
        idx = window.steps(Starts(sampled_idx, ep_begin, ep_end), key)
        data, mask = self._access(idx, ep_begin, ep_end, dataset, source_name)
        return window.result(data, mask, idx - expand_to_shape(sampled_idx, idx.shape))


class LatestSampler(WindowSampler):
    """The step itself."""

    def window(self, source: str | None = None) -> Window:
        """The window, reading ``source``."""
        return LatestWindow(source)


class SequenceSampler(WindowSampler):
    """Steps ``begin`` to ``end - 1`` from the chosen one: (batch, end - begin, ...).

    (batch, ...) with ``squeeze``, which needs a length of 1.
    """

    def __init__(
        self, squeeze: bool = False, begin: int = 0, end: int = 1, source: str | None = None
    ) -> None:
        super().__init__(source)
        self.squeeze = squeeze
        self.seq_begin = begin
        self.seq_end = end

    def window(self, source: str | None = None) -> Window:
        """The window, reading ``source``."""
        return SequenceWindow(self.seq_begin, self.seq_end, squeeze=self.squeeze, source=source)


class FutureSampler(WindowSampler):
    """A random step from the chosen one on: ``{"data": ..., "offset": ...}``.

    Uniform up to the end of the episode, or below ``max_future`` steps ahead; or exponential with
    the mean ``lambda_`` steps.
    """

    class Distribution(IntEnum):
        """How the step is chosen."""

        UNIFORM = 0
        EXPONENTIAL = 1

    def __init__(
        self,
        distribution: "FutureSampler.Distribution" = Distribution.UNIFORM,
        max_future: int | None = None,
        lambda_: float | None = None,
        source: str | None = None,
    ) -> None:
        super().__init__(source)
        self.distribution = distribution
        self.max_future = max_future
        self.lambda_ = lambda_

    def window(self, source: str | None = None) -> Window:
        """The window, reading ``source``."""
        if self.distribution == self.Distribution.EXPONENTIAL:
            mean = self.lambda_ or 0.0
            rate = 1 / mean if mean > 0 else None
            return _Ahead("exponential", max_future=self.max_future, rate=rate, source=source)
        return _Ahead(max_future=self.max_future, source=source)


class PrioritySampler(Sampler):
    """Not implemented, as in agentlace: `edgeloop.stream.ReplayBuffer` has `Prioritized`."""

    def __init__(self, priorities: Array, alpha: float = 1.0, source: str | None = None) -> None:
        del priorities, alpha
        super().__init__(source)
        raise NotImplementedError(
            "PrioritySampler is not implemented: use edgeloop.stream.ReplayBuffer with "
            "sampler=Prioritized()."
        )


class _Ahead(FutureWindow):
    """As FutureWindow, but the step itself is one of the choices."""

    def steps(self, starts: Starts, random: np.random.Generator) -> Array:
        """One step for each start: one less ahead than a strictly later one of one step more."""
        later = Starts(starts.step, starts.begin, starts.end + 1)
        return super().steps(later, random) - 1


def column_of(sampler: Sampler, name: str, dataset: Mapping[str, Any]) -> str:
    """The column that a sampler registered as ``name`` reads; raises ValueError, KeyError."""
    if sampler.source is None:
        if name not in dataset:
            raise KeyError(name)
        return name
    if sampler.source not in dataset:
        raise ValueError(
            f"Bad sampling config: '{name}' has the source '{sampler.source}', which is not in "
            f"the dataset: there are {list(dataset)}."
        )
    return sampler.source


def expand_to_shape(x: Array, shape: tuple[int, ...]) -> Array:
    """``x`` repeated along new last axes, up to ``shape``, which must begin with its own."""
    if x.ndim > len(shape) or shape[: x.ndim] != x.shape:
        raise AssertionError(f"Bad shape {shape} for {x}")
    return np.broadcast_to(x.reshape(x.shape + (1,) * (len(shape) - x.ndim)), shape)


def make_jit_sample(
    sample_config: Mapping[str, Sampler],
    sample_range: tuple[int, int],
    capacity: int,
    device: Any = None,  # a jax.Device: without effect
    use_jax: bool = False,
) -> Callable[..., Sampled]:
    """A function (dataset, metadata, rng, batch_size, sample_begin_idx, sample_end_idx,
    sampled_idcs=None) -> (data, mask); every start that fits is as likely as every other."""
    del device, use_jax

    def sample(
        dataset: Mapping[str, Array],
        metadata: Mapping[str, Array],
        rng: np.random.Generator,
        batch_size: int,
        sample_begin_idx: int,
        sample_end_idx: int,
        sampled_idcs: Any = None,
    ) -> Sampled:
        if sampled_idcs is None:
            every = np.arange(sample_begin_idx, sample_end_idx)
            begin, end = _episodes(metadata, every % capacity, sample_begin_idx, sample_end_idx)
            fits = (every + sample_range[0] >= begin) & (every + sample_range[1] <= end)
            if not fits.any():
                raise Conflict("No episode is long enough yet: insert more.")
            idx = rng.choice(every[fits], batch_size)
        else:
            idx = np.asarray(sampled_idcs)
        begin, end = _episodes(metadata, idx % capacity, sample_begin_idx, sample_end_idx)
        idx = np.clip(idx, begin - sample_range[0], end - sample_range[1])
        found = {
            name: sampler.sample(
                sampled_idx=idx,
                ep_begin=begin,
                ep_end=end,
                key=rng,
                dataset=dataset,
                source_name=name,
            )
            for name, sampler in sample_config.items()
        }
        return {name: one[0] for name, one in found.items()}, {
            name: one[1] for name, one in found.items()
        }

    return sample


def make_jit_insert(
    device: Any = None,  # a jax.Device: without effect
    use_jax: bool = False,
) -> Callable[..., Mapping[str, Array]]:
    """A function (dataset, data, insert_idx) -> dataset, which it writes one row to."""
    del device, use_jax

    def insert(
        dataset: Mapping[str, Array], data: Mapping[str, Any], insert_idx: int
    ) -> Mapping[str, Array]:
        check_names(dataset, data)
        for name, column in dataset.items():
            column[insert_idx] = data[name]
        return dataset

    return insert


def check_names(dataset: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Raise AssertionError where the keys of data are not those of the dataset."""
    if dataset.keys() != data.keys():
        raise AssertionError(
            f"Dataset has keys: {list(dataset)}, but data has keys: {list(data)}. "
            f"Difference is {set(dataset) - set(data)} (not in data) and "
            f"{set(data) - set(dataset)} (not in dataset)"
        )


def _episodes(
    metadata: Mapping[str, Array], rows: Array, first: int, last: int
) -> tuple[Array, Array]:
    """Where the episodes of these rows begin and end, within [first, last)."""
    end = metadata["ep_end"][rows]
    return (
        np.maximum(metadata["ep_begin"][rows], first),
        np.where(end == -1, last, np.minimum(end, last)),
    )
