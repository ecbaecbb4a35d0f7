"""The rows of a replay buffer: transitions whose large observations are kept once."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from edgeloop.stream.stores.episodes import AFTER, ENDS, MASKS, Continuity, observation_pairs
from edgeloop.stream.stores.frames import Frames
from edgeloop.stream.stores.layout import Array, Field, Item, Layout, fit
from edgeloop.stream.stores.ledger import Arrival, Ledger
from edgeloop.stream.stores.memory import Memory
from edgeloop.stream.stores.ring import LARGE_BYTES, Ring, Span
from edgeloop.stream.stores.trajectories import Places, Trajectories

_FRAME_FIELDS = ("#before", "#after", "#shared")
_LINK_FIELDS = ("#slot", "#step")
_SLOTS = ("#before", "#after")
_MAX_ORIGINS = 4096
_ARRAYS = {np.ndarray, np.float32, np.float64, np.int64, np.bool_}

Links = Literal["none", "observations", "marks"]
"""What tells that a transition follows the one before it from the same origin."""


class Transitions:
    """Rows of a layout, newest ``capacity``; one writer at a time, readers need no lock (see Ring).

    Large fields below ``observations`` that are also below ``next_observations`` are kept once
    per frame. With ``links`` it is known which transition follows which: the next one of the same
    origin, unless the data marks the end of an episode ("marks") or, also, begins with another
    observation than the one before it ended with ("observations").
    """

    def __init__(
        self, layout: Layout, capacity: int, memory: Memory, ledger: Ledger, *, links: Links
    ) -> None:
        self.layout = layout
        pairs = observation_pairs(layout)
        self._shared = [p for p in pairs if layout.fields[p[0]].size_bytes >= LARGE_BYTES]
        self._links_observations = links == "observations"
        compared = [p for p in pairs if p not in self._shared] if self._links_observations else []
        self._continuity = Continuity(layout, compared)
        self._seen = [[pair[side] for pair in self._shared] for side in (0, 1)]
        stored_once = {index for pair in self._shared for index in pair}
        self._plain = [i for i in range(len(layout.fields)) if i not in stored_once]
        self._names = (_FRAME_FIELDS if self._shared else ()) + (
            () if links == "none" else _LINK_FIELDS
        )
        fields = [*(layout.fields[i] for i in self._plain), *map(_hidden_field, self._names)]
        self.ring = Ring(fields, capacity, memory, ledger)
        self.hidden = dict(zip(self._names, self.ring.columns[len(self._plain) :], strict=True))
        """What is noted of every row: slots of its frames, its trajectory's slot, its step."""

        self.frame_columns = [fields.index(_hidden_field(n)) for n in self._names if n in _SLOTS]
        """Which columns of the ring are slots of frames."""

        seen = [layout.fields[before] for before, _ in self._shared]
        self.frames = Frames(seen, self.ring.room, memory) if seen else None
        self.is_linked = links != "none"
        self._chains = Trajectories(self.ring.room if self.is_linked else 0)
        self._newest: dict[str | None, int] = {}
        self._is_plain = not self._names and all(len(f.path) == 1 for f in layout.fields)
        self._writers = [
            (field.path[0], field, field.dtype, field.shape, column)
            for field, column in zip(layout.fields, self.ring.columns, strict=False)
        ]
        self._late = [i for i in self._plain if _is_late(layout.fields[i])]
        self.recover()

    @property
    def span(self) -> Span:
        """The number of the oldest transition held, and the number after the newest."""
        return self.ring.span

    def put(self, item: Item) -> None:
        """Keep one transition; raises InputError where it does not fit."""
        if self._is_plain and len(item) == len(self._writers) and self._put_plain(item):
            return
        values = self.layout.values(item)
        self.ring.next_position()  # a full disk shows before anything is noted
        gone = self.ring.put([*(values[i] for i in self._plain), *self._note_one(values)])
        self._remember(None)
        self._forget(gone)

    def write(self, count: int, columns: Sequence[Array], arrival: Arrival | None) -> None:
        """Keep many transitions: their stacked leaves in the order of the layout."""
        origin = arrival.origin if arrival else None
        for source, target in self.ring.pieces(count):
            rows = [column[source] for column in columns]
            values = [rows[i] for i in self._plain]
            if self._names:
                values += self._note(rows, origin)
            for column, part in zip(self.ring.columns, values, strict=True):
                column[target] = part
            came = Arrival(arrival.origin, arrival.first + source.start) if arrival else None
            gone = self.ring.commit(target.stop - target.start, came)
            if self._names:
                self._remember(origin)
                self._forget(gone)

    def end(self, origin: str | None) -> None:
        """What comes next from ``origin`` follows nothing."""
        self._newest.pop(origin, None)

    def gather(
        self,
        numbers: Array,
        *,
        last: Array | None = None,
        out: Sequence[Array | None] | None = None,
    ) -> list[Array]:
        """The transitions of these numbers, stacked: fresh arrays in the order of the layout.

        With ``last`` the next observations, masks and ends are those of these transitions instead.
        With ``out`` the values are written to the arrays in it, one for each field or None.
        """
        if last is None and not self._shared:
            return self.ring.gather(numbers, self._plain, out)
        targets = list(out or [None] * len(self.layout.fields))
        found = dict(self._gather_rows(numbers, last, targets))
        if self.frames:
            rows_of = (numbers, numbers if last is None else last)
            for name, indices, rows in zip(_SLOTS, self._seen, rows_of, strict=True):
                slots = self.hidden[name][rows % self.ring.room]
                arrays = self.frames.gather(slots, [targets[i] for i in indices])
                found.update(zip(indices, arrays, strict=True))
        return [found[index] for index in range(len(self.layout.fields))]

    def values(self, indices: Sequence[int], numbers: Array) -> list[Array]:
        """Some fields of these transitions: a fresh array (*numbers.shape, *shape) for each."""
        plain = [index for index in indices if index in self._plain]
        columns = [self._plain.index(index) for index in plain]
        found = dict(zip(plain, self.ring.gather(numbers, columns), strict=True))
        for name, seen in zip(_SLOTS, self._seen, strict=True):
            for part, index in enumerate(seen):
                if self.frames and index in indices:
                    slots = self.hidden[name][numbers % self.ring.room]
                    found[index] = self.frames.values(part, slots)
        return [found[index] for index in indices]

    def places(self, numbers: Array) -> Places:
        """Where these transitions lie in their trajectories; no writer may be at work."""
        rows = numbers % self.ring.room
        return self._chains.places(self.hidden["#slot"][rows], self.hidden["#step"][rows])

    def numbers(self, slots: Array, steps: Array) -> Array:
        """The transitions at these steps of trajectories; no writer may be at work."""
        return self._chains.numbers(slots, steps)

    def recover(self) -> None:
        """Work out from the rows which frames are in use and what follows what."""
        numbers = np.arange(*self.span)
        rows = numbers % self.ring.room
        if self.frames:
            before, after = self.hidden["#before"][rows], self.hidden["#after"][rows]
            self.hidden["#shared"][rows] = np.isin(after, before)
            self.frames.restore(np.concatenate([before, after]))
        if self.is_linked:
            slots, steps = self.hidden["#slot"][rows], self.hidden["#step"][rows]
            self.hidden["#slot"][rows] = self._chains.restore(numbers, slots, steps)

    def _put_plain(self, item: Item) -> bool:
        """Check and write field by field to a row that nobody sees until all are there."""
        at = self.ring.next_position()
        try:
            for key, field, dtype, shape, column in self._writers:
                value = item[key]
                if type(value) in _ARRAYS and value.dtype is dtype and value.shape == shape:
                    column[at] = value
                else:
                    column[at] = fit(field, value, shape)
        except KeyError:
            return False
        self.ring.commit(1)
        return True

    def _gather_rows(
        self, numbers: Array, last: Array | None, targets: Sequence[Array | None]
    ) -> list[tuple[int, Array]]:
        early = [i for i in self._plain if last is None or i not in self._late]
        found: list[tuple[int, Array]] = []
        for indices, rows in ((early, numbers), (self._late, last)):
            if rows is not None and indices:
                columns = [self._plain.index(i) for i in indices]
                arrays = self.ring.gather(rows, columns, [targets[i] for i in indices])
                found += zip(indices, arrays, strict=True)
        return found

    def _note(self, rows: Sequence[Array], origin: str | None) -> list[Array]:
        """What is noted of new rows, in the order of the hidden fields."""
        last = self._last(origin)
        notes: list[Array] = []
        same_frame = np.ones(len(rows[0]), np.bool_)
        if self.frames:
            newest = int(self.hidden["#after"][last % self.ring.room]) if last >= 0 else None
            first, then = ([rows[i] for i in indices] for indices in self._seen)
            before, after, same_frame = self.frames.add(first, then, newest)
            notes += [before, after, np.append(same_frame[1:], np.False_)]
            if same_frame[0]:
                self.hidden["#shared"][last % self.ring.room] = True
        if self.is_linked:
            follows = self._follows(rows, last)
            if self._links_observations:
                follows &= same_frame
            notes += self._chain(follows, last)
        return notes

    def _note_one(self, values: Sequence[Any]) -> list[Any]:
        """What is noted of one new row without an origin."""
        last = self._last(None)
        notes: list[Any] = []
        same_frame = True
        if self.frames:
            newest = int(self.hidden["#after"][last % self.ring.room]) if last >= 0 else None
            first, then = ([values[i] for i in indices] for indices in self._seen)
            before, after, same_frame = self.frames.add_one(first, then, newest)
            notes += [before, after, False]
            if same_frame:
                self.hidden["#shared"][last % self.ring.room] = True
        if self.is_linked:
            follows = last >= 0 and (same_frame or not self._links_observations)
            if follows and self._follows_one(values, last):
                slot = int(self.hidden["#slot"][last % self.ring.room])
            else:
                slot = self._chains.begin()
            notes += [slot, self._chains.extend(slot, self.span[1], 1)]
        return notes

    def _last(self, origin: str | None) -> int:
        """The row that came last from an origin, if it is still held, or -1."""
        last = self._newest.get(origin, -1)
        return last if last >= self.span[0] else -1

    def _follows_one(self, values: Sequence[Any], last: int) -> bool:
        at = last % self.ring.room
        columns = self.ring.columns
        return self._continuity.follows_one(values, lambda i: columns[self._plain.index(i)][at])

    def _follows(self, rows: Sequence[Array], last: int) -> Array:
        at = last % self.ring.room
        kept: dict[int, Array] = {}
        stored: dict[int, Array] = {}
        for column, index in zip(self.ring.columns, self._plain, strict=False):
            kept[index] = rows[index].astype(column.dtype, copy=False)
            stored[index] = column[at : at + 1]
        follows = np.zeros(len(rows[0]), np.bool_)
        if last >= 0:
            follows[:1] = self._continuity.follows(_cut(kept, slice(0, 1)), stored, 1)
        if len(follows) > 1:
            earlier, later = _cut(kept, slice(0, -1)), _cut(kept, slice(1, None))
            follows[1:] = self._continuity.follows(later, earlier, len(follows) - 1)
        return follows

    def _chain(self, follows: Array, last: int) -> list[Array]:
        """Add rows to their trajectories; says the slot and the step of each."""
        edges = [0, *(np.flatnonzero(~follows[1:]) + 1).tolist(), len(follows)]
        slots, steps = np.empty(len(follows), np.int64), np.empty(len(follows), np.int64)
        number = self.span[1]
        for start, stop in pairwise(edges):
            if follows[start]:
                slot = int(self.hidden["#slot"][last % self.ring.room])
            else:
                slot = self._chains.begin()
            step = self._chains.extend(slot, number + start, stop - start)
            slots[start:stop] = slot
            steps[start:stop] = np.arange(step, step + stop - start)
        return [slots, steps]

    def _remember(self, origin: str | None) -> None:
        self._newest.pop(origin, None)
        self._newest[origin] = self.span[1] - 1
        if len(self._newest) > _MAX_ORIGINS:
            del self._newest[next(iter(self._newest))]

    def _forget(self, gone: Span) -> None:
        """Give back what only rows that fell out referred to."""
        if gone[0] == gone[1]:
            return
        rows = np.arange(*gone) % self.ring.room
        if self.frames:
            after, before = self.hidden["#after"][rows], self.hidden["#before"][rows]
            self.frames.give_back(after[~self.hidden["#shared"][rows]].tolist())
            self.frames.give_back(before.tolist())
        if self.is_linked:
            self._chains.forget(self.hidden["#slot"][rows])


def _hidden_field(name: str) -> Field:
    dtype = np.dtype(np.bool_ if name == "#shared" else np.int64)
    return Field((name,), (), dtype, "scalar")


def _is_late(field: Field) -> bool:
    return field.path[0] == AFTER or (len(field.path) == 1 and field.path[0] in (MASKS, *ENDS))


def _cut(rows: Mapping[int, Array], part: slice) -> dict[int, Array]:
    return {index: row[part] for index, row in rows.items()}
