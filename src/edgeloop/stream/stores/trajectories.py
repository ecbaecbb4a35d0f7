"""Which rows belong to which trajectory, in order, however they were mixed on arrival."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeloop.stream.stores.layout import Array

_FIRST_ROOM = 64


@dataclass(frozen=True, slots=True)
class Places:
    """Where rows lie: the slot of their trajectory, their step, and the steps held of it, from
    ``begins`` to ``ends - 1``; int64 of one shape each."""

    slots: Array
    steps: Array
    begins: Array
    ends: Array

    def pick(self, which: Array) -> "Places":
        """Those with these indices."""
        return Places(self.slots[which], self.steps[which], self.begins[which], self.ends[which])


def join(places: Sequence[Places]) -> Places:
    """All of them, one after the other."""
    return Places(
        np.concatenate([place.slots for place in places]),
        np.concatenate([place.steps for place in places]),
        np.concatenate([place.begins for place in places]),
        np.concatenate([place.ends for place in places]),
    )


class Trajectories:
    """For each trajectory of which rows are held: the numbers of these rows, step by step.

    A trajectory has a slot while a row of it is held; each row remembers its slot and its step
    (0, 1, 2, ... from the trajectory's begin). The row numbers lie in one array, a stretch for each
    trajectory; one that outgrows its stretch moves to the end, and a full array is packed anew.
    """

    def __init__(self, rows: int) -> None:
        self._numbers = np.zeros(2 * rows + 2 * _FIRST_ROOM, np.int64)
        self._used = 0
        self._offset = np.zeros(rows + 1, np.int64)
        """Where step 0 of a slot would lie in the array: below its stretch once steps are gone."""
        self._limit = np.zeros(rows + 1, np.int64)
        """The step at which a slot's stretch ends."""
        self._first = np.zeros(rows + 1, np.int64)
        self._length = np.zeros(rows + 1, np.int64)
        self._free = list(range(rows, -1, -1))

    def begin(self) -> int:
        """A slot for a new trajectory."""
        slot = self._free.pop()
        self._first[slot] = self._length[slot] = self._limit[slot] = 0
        return slot

    def extend(self, slot: int, number: int, count: int) -> int:
        """``count`` rows from ``number`` on are the next ones; says the step of the first."""
        step = int(self._length[slot])
        if step + count > self._limit[slot]:
            self._move(slot, count)
        at = int(self._offset[slot]) + step
        if count == 1:
            self._numbers[at] = number
        else:
            self._numbers[at : at + count] = np.arange(number, number + count)
        self._length[slot] = step + count
        return step

    def forget(self, slots: Array) -> Array:
        """The oldest rows of these slots are gone, one for each time a slot is named.

        Says which slots have nothing left and are free now.
        """
        touched, times = np.unique(slots, return_counts=True) if len(slots) > 1 else (slots, 1)
        self._first[touched] += times
        empty: Array = touched[self._first[touched] == self._length[touched]]
        self._free.extend(empty.tolist())
        return empty

    def places(self, slots: Array, steps: Array) -> Places:
        """These steps with what is held of their trajectories."""
        return Places(slots, steps, self._first[slots], self._length[slots])

    def numbers(self, slots: Array, steps: Array) -> Array:
        """The row numbers of these steps, which must be held."""
        found: Array = self._numbers[self._offset[slots] + steps]
        return found

    def restore(self, numbers: Array, slots: Array, steps: Array) -> Array:
        """Begin with these rows; says their slots from now on.

        All trajectories have ended; one with steps missing in between becomes several.
        """
        order = np.lexsort((steps, slots))
        slots, steps = slots[order], steps[order]
        starts = np.ones(len(order), np.bool_)
        starts[1:] = (slots[1:] != slots[:-1]) | (steps[1:] != steps[:-1] + 1)
        positions = np.flatnonzero(starts)
        found = np.arange(len(positions))
        self._numbers[: len(order)] = numbers[order]
        self._used = len(order)
        self._first[found] = steps[positions]
        self._length[found] = steps[positions] + np.diff(positions, append=len(order))
        self._limit[found] = self._length[found]
        self._offset[found] = positions - self._first[found]
        self._free = list(range(len(self._offset) - 1, len(found) - 1, -1))
        renamed = np.empty_like(order)
        renamed[order] = np.cumsum(starts) - 1
        return renamed

    def _move(self, slot: int, count: int) -> None:
        """Give a slot a stretch with room for ``count`` more, and as much again."""
        held = int(self._length[slot] - self._first[slot])
        room = max(_FIRST_ROOM, 2 * (held + count))
        if self._used + room > len(self._numbers):
            self._pack(room)
        first = int(self._first[slot])
        source = int(self._offset[slot]) + first
        self._numbers[self._used : self._used + held] = self._numbers[source : source + held]
        self._offset[slot] = self._used - first
        self._limit[slot] = first + room
        self._used += room

    def _pack(self, room: int) -> None:
        """Put all stretches side by side without their room to grow, and see to ``room`` more."""
        live = np.flatnonzero(self._length > self._first)
        counts = self._length[live] - self._first[live]
        starts = np.cumsum(counts) - counts
        within = np.arange(int(counts.sum())) - np.repeat(starts, counts)
        kept = self._numbers[np.repeat(self._offset[live] + self._first[live], counts) + within]
        if len(kept) + room > len(self._numbers) // 2:
            self._numbers = np.zeros(2 * (len(kept) + room), np.int64)
        self._numbers[: len(kept)] = kept
        self._offset[live] = starts - self._first[live]
        self._limit[live] = self._length[live]
        self._used = len(kept)
