"""The replay buffer of a learner: transitions in from many actors, batches out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack

import numpy as np

from edgeloop.errors import Conflict, InputError
from edgeloop.stream.stores.layout import Array, Layout
from edgeloop.stream.stores.limiter import Limiter
from edgeloop.stream.stores.prefetch import Prefetch, Sample
from edgeloop.stream.stores.returns import DISCOUNTS, Returns
from edgeloop.stream.stores.ring import Span
from edgeloop.stream.stores.ring_store import RingStore
from edgeloop.stream.stores.samplers import INDICES, WEIGHTS, Sampler, Uniform
from edgeloop.stream.stores.snapshot import Snapshot, SnapshotWriter
from edgeloop.stream.stores.spaces import Spaces
from edgeloop.stream.stores.transitions import Links, Transitions

_ATTEMPTS = 8
_PRIORITIES = "priorities"
_ADDED = (INDICES, WEIGHTS, DISCOUNTS)


class ReplayOptions(TypedDict, total=False):
    """How a replay buffer samples, and where it keeps its data; all may be left out.

    ``sampler`` chooses transitions (Uniform()), ``limiter`` holds back who is ahead (nobody),
    ``n_step`` and ``discount`` make rewards sums over so many steps (1, 0.99), ``folder`` keeps
    the data in memory-mapped files instead of RAM.
    """

    sampler: Sampler
    limiter: Limiter
    n_step: int
    discount: float
    folder: Path


class ReplayBuffer(RingStore):
    """The newest ``capacity`` transitions, sampled in batches; inserting and sampling at once.

    With Gymnasium spaces a transition has ``observations``, ``next_observations``, ``actions`` of
    their shapes and types and, beside these, what the first one has: ``rewards`` and ``masks``
    (0 where the episode is over) float32, ``dones`` bool, others as they are. Without spaces the
    first transition decides all. Later ones must fit (InputError, with the path).

    Observations of 1 kB or more are stored once, though they are next observations as well.
    """

    kind = "replay"

    def __init__(
        self,
        observation_space: Any = None,
        action_space: Any = None,
        capacity: int = 1_000_000,
        **options: Unpack[ReplayOptions],
    ) -> None:
        self._spaces = Spaces(observation_space, action_space)
        self._sampler = options.get("sampler") or Uniform()
        self._returns = Returns(options.get("n_step", 1), options.get("discount", 0.99))
        links: Links = "none" if self._returns.n_step == 1 else "observations"
        super().__init__(
            capacity, links=links, folder=options.get("folder"), limiter=options.get("limiter")
        )

    @classmethod
    def restore(
        cls, path: Path, *, capacity: int | None = None, **options: Unpack[ReplayOptions]
    ) -> Self:
        """A buffer with what ``save`` wrote to ``path``, of the same capacity or another.

        Raises InputError where the file is damaged, ConfigError where it does not fit in.
        """
        with Snapshot(path) as snapshot:
            size = capacity or int(snapshot.info.get("capacity", 1))
            buffer = cls(None, None, size, **options)
            buffer._load_or_close(snapshot)
            return buffer

    def sample(self, batch_size: int, *, out: Sample | None = None) -> Sample:
        """A batch: nested dicts as inserted, of the caller's own arrays (batch_size, *shape).

        With ``out``, nested dicts of such arrays, the values are written there. A prioritised
        sampler adds ``indices`` and ``weights``, n_step > 1 adds ``discounts`` (float32, what the
        value of the next observation is to be multiplied with beside the mask).

        Raises Conflict where nothing was inserted, StreamTimeout where the limiter says so,
        InputError where ``out`` does not fit.
        """
        self._before_batch()
        batch = self._draw(batch_size, out)
        self._after_batch(batch_size)
        return batch

    def batches(self, batch_size: int, *, depth: int = 1) -> Prefetch:
        """Batches without end, ``depth`` of them gathered ahead by a thread; close the iterator."""
        return Prefetch(
            lambda: self._draw(batch_size, None),
            depth=depth,
            before=self._before_batch,
            after=lambda: self._after_batch(batch_size),
        )

    def update_priorities(self, indices: Array, priorities: Array) -> None:
        """Tell a prioritised sampler how much the transitions of a batch taught, as numbers >= 0.

        Raises InputError for other numbers, ConfigError where the sampler is a uniform one.
        """
        self._sampler.update(np.asarray(indices), np.asarray(priorities))

    def _layout(self, example: Layout) -> Layout:
        layout = self._spaces.layout(example)
        taken = [field.path[0] for field in layout.fields if field.path[0] in _ADDED]
        if taken:
            raise InputError(f"'{taken[0]}' is what sampling adds to a batch: use another key.")
        return layout

    def _make_rows(self, layout: Layout) -> Transitions:
        self._spaces.check(layout)
        rows = super()._make_rows(layout)
        self._sampler.attach(rows.ring.room)
        return rows

    def _take_over(self, rows: Transitions) -> None:
        begin, end = rows.span
        self._sampler.moved((begin, begin), (begin, end))
        super()._take_over(rows)

    def _moved(self, before: Span, after: Span) -> None:
        self._sampler.moved(before, after)
        super()._moved(before, after)

    def _save_more(self, writer: SnapshotWriter, numbers: Array) -> None:
        writer.add(_PRIORITIES, self._sampler.priorities(numbers))

    def _load_more(self, snapshot: Snapshot, rows: Transitions) -> None:
        saved = [block for block in snapshot.blocks if block.name == _PRIORITIES]
        values = snapshot.read(saved[0]) if saved else np.empty(0)
        if len(values) == len(rows.ring):
            self._sampler.restore(np.arange(*rows.span), values)

    def _draw(self, batch_size: int, out: Sample | None) -> Sample:
        rows = self._rows_begun()
        if batch_size < 1:
            raise InputError(f"A batch of {batch_size} transitions: ask for 1 or more.")
        if not len(rows.ring):
            raise Conflict("The buffer is empty: insert transitions before sampling.")
        targets = _targets(rows.layout, batch_size, out) if out is not None else None
        for _ in range(_ATTEMPTS):
            if (batch := self._try_draw(rows, batch_size, targets)) is not None:
                return batch
        while True:
            with self._lock:  # rows fall out faster than they are gathered: the writer waits
                if (batch := self._try_draw(rows, batch_size, targets)) is not None:
                    return batch

    def _try_draw(
        self, rows: Transitions, batch_size: int, targets: Sequence[Array] | None
    ) -> Sample | None:
        """A batch, or None where rows were overwritten meanwhile."""
        span = rows.span
        numbers, more = self._sampler.draw(span, batch_size)
        if not len(numbers):
            return None
        if not rows.is_linked:
            values = rows.gather(numbers, out=targets)
        else:
            with self._lock:
                if numbers.min() < rows.span[0]:
                    return None
                ahead = self._returns.ahead(rows, numbers)
            values = rows.gather(numbers, last=ahead.last, out=targets)
            rewards = values[ahead.field]
            rewards[...] = ahead.rewards
            more = {**more, DISCOUNTS: ahead.discounts}
        oldest = rows.span[0]
        if oldest > span[0] and numbers.min() < oldest:
            return None
        batch = rows.layout.nest(values)
        if more:
            batch.update(more)
        return batch


def _targets(layout: Layout, batch_size: int, out: Sample) -> list[Array]:
    given = layout.leaves({key: value for key, value in out.items() if key not in _ADDED})
    for field, array in zip(layout.fields, given, strict=True):
        shape = (batch_size, *field.shape)
        fits = isinstance(array, np.ndarray) and array.flags.writeable
        if not fits or (array.shape, array.dtype) != (shape, field.dtype):
            raise InputError(f"out: {field.name} must be a writable array {field.dtype}{shape}.")
    return given
