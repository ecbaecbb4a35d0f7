"""The newest rows of fixed fields: small ones packed side by side, large ones apart."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from edgeloop.stream.stores.layout import Array, Field
from edgeloop.stream.stores.ledger import Arrival, Ledger
from edgeloop.stream.stores.memory import Memory
from edgeloop.stream.stores.pool import Pool

LARGE_BYTES = 1024
"""From here on a field gets an array of its own: packing saves nothing, and views stay dense."""

Span = tuple[int, int]
"""The number of the oldest row held, and the number after the newest."""

_SLACK = 1024
_PIECE_BYTES = 4 * 1024 * 1024


class Ring:
    """Rows numbered from 0 on, the newest ``capacity`` of which can be read.

    One writer at a time; readers need no lock. The writer fills rows that nobody can see yet, of
    which there are always some, and then moves ``span``. A reader takes ``span``, gathers, and
    looks at ``span`` again: rows that still lie in it were whole all the time (a sequence lock).
    """

    def __init__(
        self, fields: Sequence[Field], capacity: int, memory: Memory, ledger: Ledger
    ) -> None:
        self.capacity = capacity
        self._slack = min(_SLACK, max(1, capacity // 16))
        self.room = capacity + self._slack
        self._memory = memory
        self._ledger = ledger
        self._keys = [f"{index}" for index in range(len(fields))]
        small = [(key, f) for key, f in zip(self._keys, fields, strict=True) if _is_small(f)]
        self._rows = memory.array("rows", (self.room,), _packed_type(small))
        self._large = {
            index: memory.array(f"column-{index}", (self.room, *field.shape), field.dtype)
            for index, field in enumerate(fields)
            if not _is_small(field)
        }
        self._names = ["rows", *(f"column-{index}" for index in self._large)]
        self.columns = [
            self._large[index] if index in self._large else self._rows[key]
            for index, key in enumerate(self._keys)
        ]
        """All rows of every field, in the order of the fields, by position (number % room)."""

        separate = sum(field.size_bytes for field in fields if not _is_small(field))
        self._row_bytes = self._rows.dtype.itemsize + separate
        self._piece = min(self._slack, max(1, _PIECE_BYTES // self._row_bytes))
        self._reserved = 0
        self._pool = Pool()
        self.span: Span = (max(ledger.first, ledger.end - capacity), ledger.end)

    def __len__(self) -> int:
        begin, end = self.span
        return end - begin

    @property
    def size_bytes(self) -> int:
        """What all rows take that were ever written to."""
        return min(self.room, self.span[1] - self._ledger.first) * self._row_bytes

    def pieces(self, count: int) -> Iterator[tuple[slice, slice]]:
        """(rows of a batch, positions here) to be filled and committed one after the other."""
        done = 0
        while done < count:
            at = self.span[1] % self.room
            step = min(count - done, self._piece, self.room - at)
            self.reserve(at + step)
            yield slice(done, done + step), slice(at, at + step)
            done += step

    def commit(self, count: int, arrival: Arrival | None = None) -> Span:
        """Show ``count`` rows that were filled; says which numbers fell out at the other end.

        ``arrival`` says where they came from, and its number for the first of them.
        """
        begin, end = self.span
        end += count
        if arrival is None:
            self._ledger.commit(end)
        else:
            self._ledger.commit(end, arrival.origin, arrival.first + count)
        oldest = max(begin, end - self.capacity)
        self.span = (oldest, end)
        return begin, oldest

    def next_position(self) -> int:
        """Where the next row is to be written; raises StorageFull."""
        at = self.span[1] % self.room
        if at >= self._reserved:
            self.reserve(at + 1)
        return at

    def put(self, values: Sequence[Any]) -> Span:
        """Write and show one row; says which numbers fell out at the other end."""
        at = self.next_position()
        for column, value in zip(self.columns, values, strict=True):
            column[at] = value
        return self.commit(1)

    def extend(self, columns: Sequence[Array]) -> None:
        """Write and show rows: one array for each field."""
        for source, target in self.pieces(len(columns[0])):
            for column, values in zip(self.columns, columns, strict=True):
                column[target] = values[source]
            self.commit(target.stop - target.start)

    def gather(
        self, numbers: Array, fields: Sequence[int], out: Sequence[Array | None] | None = None
    ) -> list[Array]:
        """The rows of these numbers: a fresh array (*numbers.shape, *shape) for each field wanted.

        With ``out`` the values are written to the arrays in it, one for each field or None.
        """
        positions = numbers % self.room
        packed = np.empty(numbers.shape, self._rows.dtype)
        self._rows.take(positions, out=packed, mode="clip")
        if out is None and not self._large:
            return [packed[self._keys[i]] for i in fields]
        return [
            self._take_large(i, positions, target)
            if i in self._large
            else _place(packed[self._keys[i]], target)
            for i, target in zip(fields, out or [None] * len(fields), strict=True)
        ]

    def reserve(self, rows: int) -> None:
        """Make sure that positions up to ``rows`` can be written; raises StorageFull."""
        if rows > self._reserved:
            for name in self._names:
                self._memory.reserve(name, rows)
            self._reserved = rows

    def _take_large(self, index: int, positions: Array, out: Array | None) -> Array:
        column = self.columns[index]
        if out is None:
            out = self._pool.empty((*positions.shape, *column.shape[1:]), column.dtype)
        return take_rows(column, positions, out)


def take_rows(column: Array, positions: Array, out: Array) -> Array:
    """Gather rows into ``out``, which may have gaps between its values."""
    if out.flags.c_contiguous and out.flags.writeable:
        return column.take(positions, axis=0, out=out, mode="clip")
    out[...] = column.take(positions, axis=0, mode="clip")
    return out


def _is_small(field: Field) -> bool:
    return field.size_bytes < LARGE_BYTES


def _place(values: Array, out: Array | None) -> Array:
    if out is None:
        return values
    out[...] = values
    return out


def _packed_type(fields: Sequence[tuple[str, Field]]) -> np.dtype[Any]:
    """A row with the fields side by side, each aligned, the widest numbers first."""
    order = sorted(fields, key=lambda named: -named[1].dtype.alignment)
    offsets, end, widest = [], 0, 1
    for _, field in order:
        offsets.append(end)
        end += field.size_bytes
        widest = max(widest, field.dtype.alignment)
    return np.dtype(
        {
            "names": [name for name, _ in order],
            "formats": [(field.dtype, field.shape) for _, field in order],
            "offsets": offsets,
            "itemsize": max(1, -(-end // widest) * widest),
        }
    )
