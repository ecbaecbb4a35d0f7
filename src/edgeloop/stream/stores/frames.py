"""Large observations, each kept once, however many transitions it belongs to."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from edgeloop.stream.stores.layout import Array, Field
from edgeloop.stream.stores.memory import Memory
from edgeloop.stream.stores.pool import Pool
from edgeloop.stream.stores.ring import take_rows


class Frames:
    """Slots for the large fields of an observation; a slot is given back when no row refers to it.

    What a transition saw last is what the next one sees first: such a frame gets one slot. Whether
    it is the same is decided by its bytes, so that ends of episodes need no mark.
    """

    def __init__(self, fields: Sequence[Field], rows: int, memory: Memory) -> None:
        self._count = 2 * rows  # if no two transitions shared a frame
        self._memory = memory
        self._names = [f"frames-{index}" for index in range(len(fields))]
        self._arrays = [
            memory.array(name, (self._count, *field.shape), field.dtype)
            for name, field in zip(self._names, fields, strict=True)
        ]
        self._words = [_words(array) for array in self._arrays]
        self._free: list[int] = []
        self._high = 0
        self._pool = Pool()

    @property
    def width(self) -> int:
        """How many arrays make a frame."""
        return len(self._arrays)

    @property
    def size_bytes(self) -> int:
        """What the slots take that were ever in use at the same time."""
        return sum(array.nbytes // self._count * self._high for array in self._arrays)

    def add(
        self, before: Sequence[Array], after: Sequence[Array], newest: int | None
    ) -> tuple[Array, Array, Array]:
        """Keep what ``count`` transitions in a row saw before and after; (count, *shape) per field.

        ``newest`` is the slot of what was seen just before, if known. Says the slots of before and
        of after, and for each transition whether it goes on where the one before it ended.
        """
        before = [values.astype(a.dtype, copy=False) for a, values in self._each(before)]
        after = [values.astype(a.dtype, copy=False) for a, values in self._each(after)]
        continues = self._continues(before, after, newest)
        fresh = np.ones(len(continues), np.int64) + ~continues
        slots = self._take(int(fresh.sum()))
        ends = np.cumsum(fresh) - 1
        slots_after = slots[ends]
        slots_before = np.empty_like(slots_after)
        slots_before[1:] = slots_after[:-1]
        slots_before[:1] = -1 if newest is None else newest
        slots_before[~continues] = slots[ends[~continues] - 1]
        for array, first, then in zip(self._arrays, before, after, strict=True):
            array[slots_after] = then
            if not continues.all():
                array[slots_before[~continues]] = first[~continues]
        return slots_before, slots_after, continues

    def add_one(
        self, before: Sequence[Any], after: Sequence[Any], newest: int | None
    ) -> tuple[int, int, bool]:
        """As ``add``, for one transition: values of the fields' shapes, two slots and whether."""
        if newest is not None and self._is_at(newest, before):
            slot = self._free.pop() if self._free else int(self._take(1)[0])
            for array, then in self._each(after):
                array[slot] = then
            return newest, slot, True
        slots = self._take(2).tolist()
        for array, first, then in zip(self._arrays, before, after, strict=True):
            array[slots[0]] = first
            array[slots[1]] = then
        return slots[0], slots[1], False

    def gather(self, slots: Array, out: Sequence[Array | None] | None = None) -> list[Array]:
        """The frames in these slots: an array (*slots.shape, *shape) for each field."""
        targets = out or [None] * len(self._arrays)
        return [self.values(part, slots, target) for part, target in enumerate(targets)]

    def values(self, part: int, slots: Array, out: Array | None = None) -> Array:
        """One field of the frames in these slots: (*slots.shape, *shape), ``out`` if given."""
        array = self._arrays[part]
        if out is None:
            out = self._pool.empty((*slots.shape, *array.shape[1:]), array.dtype)
        return take_rows(array, slots, out)

    def give_back(self, slots: Iterable[int]) -> None:
        """No row refers to these any more."""
        self._free.extend(slots)

    def restore(self, slots: Array) -> None:
        """Only these are in use."""
        self._high = int(slots.max(initial=-1)) + 1
        self._free = np.setdiff1d(np.arange(self._high), slots).tolist()

    def load(self, frames: Sequence[Array]) -> Array:
        """Keep frames (count, *shape) of a snapshot; says their slots."""
        slots = self._take(len(frames[0]))
        for array, values in self._each(frames):
            array[slots] = values
        return slots

    def _is_at(self, slot: int, values: Sequence[Any]) -> bool:
        """Whether these values, one per field, are what is in a slot."""
        for array, words, value in zip(self._arrays, self._words, values, strict=True):
            flat = np.ascontiguousarray(value, array.dtype).reshape(-1).view(words.dtype)
            if np.count_nonzero(flat != words[slot]):
                return False
        return True

    def _each(self, columns: Sequence[Array]) -> Iterator[tuple[Array, Array]]:
        return zip(self._arrays, columns, strict=True)

    def _take(self, count: int) -> Array:
        again = min(count, len(self._free))
        used = self._free[len(self._free) - again :]
        fresh = count - again
        for name in self._names:
            self._memory.reserve(name, self._high + fresh)
        del self._free[len(self._free) - again :]
        slots = np.concatenate(
            [np.asarray(used, np.int64), np.arange(self._high, self._high + fresh)]
        )
        self._high += fresh
        return slots

    def _continues(
        self, before: Sequence[Array], after: Sequence[Array], newest: int | None
    ) -> Array:
        continues = np.zeros(len(before[0]), np.bool_)
        continues[1:] = True
        continues[:1] = newest is not None
        for array, first, then in zip(self._arrays, before, after, strict=True):
            if newest is not None:
                continues[:1] &= same_rows(first[:1], array[newest : newest + 1])
            continues[1:] &= same_rows(first[1:], then[:-1])
        return continues


def same_rows(left: Array, right: Array) -> Array:
    """For each row whether both have the same bytes there; NaN is the same as itself."""
    same: Array = (_words(left) == _words(right)).all(axis=1)
    return same


def _words(rows: Array) -> Array:
    width = int(np.prod(rows.shape[1:], dtype=np.int64))
    data = np.ascontiguousarray(rows).reshape(len(rows), width).view(np.uint8)
    return data.view(np.uint64) if data.shape[1] % 8 == 0 else data
