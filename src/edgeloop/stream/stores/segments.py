"""Stretches of a queue: rows of one layout as columns, or single items of any kind."""

import copy
import sys
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from edgeloop.errors import InputError
from edgeloop.stream.stores.layout import Array, Layout, is_exact, layout_of

_BLOCK_BYTES = 32 * 1024 * 1024
_FIRST_ROWS = 64
_LOOSE_ROWS = 256


class Segment(Protocol):
    """Items ``first`` to ``end - 1`` of a queue."""

    first: int

    @property
    def end(self) -> int:
        """The number after the last item."""

    def put(self, item: object) -> bool:
        """Keep one more; False where it does not belong here or there is no room."""

    def items(self, start: int, stop: int) -> list[Any]:
        """Copies of items, of the kinds they were."""

    def batch(self, start: int, stop: int) -> Any:
        """Items in the form that costs least."""


class Block:
    """Rows of one layout, a column for each field.

    What ``batch`` gives are views, and they stay as they are: rows are only ever added, and the
    arrays are used again by another block only when nobody looks at them any more.
    """

    def __init__(self, layout: Layout, first: int, columns: Sequence[Array]) -> None:
        self.layout = layout
        self.first = first
        self.end = first
        self.columns = list(columns)
        self._room = len(columns[0])

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another row."""
        return self.end - self.first == self._room

    def put(self, item: object) -> bool:
        """Keep one more row; False where its layout is another or the block is full."""
        row = self.end - self.first
        if self.is_full or not isinstance(item, dict):
            return False
        try:
            values = self.layout.leaves(item)
        except InputError:
            return False
        if not all(map(is_exact, self.layout.fields, values)):
            return False
        for column, value in zip(self.columns, values, strict=True):
            column[row] = value
        self.end += 1
        return True

    def fill(self, columns: Sequence[Array]) -> int:
        """Keep as many rows of columns of this layout as there is room for; says how many."""
        row = self.end - self.first
        count = min(len(columns[0]), self._room - row)
        for column, values in zip(self.columns, columns, strict=True):
            column[row : row + count] = values[:count]
        self.end += count
        return count

    def items(self, start: int, stop: int) -> list[Any]:
        """Copies of rows as transitions."""
        rows = range(start - self.first, stop - self.first)
        return [self.layout.item(self.columns, row) for row in rows]

    def batch(self, start: int, stop: int) -> dict[str, Any]:
        """Rows as columns: views that cannot be written to."""
        views = []
        for column in self.columns:
            view = column[start - self.first : stop - self.first]
            view.flags.writeable = False
            views.append(view)
        return self.layout.nest(views)


class Loose:
    """Items that have no layout: lists, texts, single numbers, whatever was inserted."""

    def __init__(self, first: int) -> None:
        self.first = first
        self._items: list[Any] = []

    @property
    def end(self) -> int:
        """The number after the last item."""
        return self.first + len(self._items)

    def put(self, item: object) -> bool:
        """Keep a deep copy; False where columns would do, or the segment is full."""
        if len(self._items) == _LOOSE_ROWS or _has_layout(item):
            return False
        self._items.append(copy.deepcopy(item))
        return True

    def items(self, start: int, stop: int) -> list[Any]:
        """Deep copies of items."""
        return copy.deepcopy(self._items[start - self.first : stop - self.first])

    def batch(self, start: int, stop: int) -> list[Any]:
        """The same."""
        return self.items(start, stop)


class Blocks:
    """Makes blocks, and makes them again from the arrays of those that are done with."""

    def __init__(self, capacity: int) -> None:
        self._largest = -(-capacity // 8)
        self._rows = _FIRST_ROWS
        self._layout: Layout | None = None
        self._idle: list[Block] = []

    def make(self, layout: Layout, first: int) -> Block:
        """An empty block of this layout."""
        for index, old in enumerate(self._idle):
            if old.layout == layout and _is_unseen(old.columns):
                del self._idle[index]
                return Block(layout, first, old.columns)
        # A layout that comes once may not come again: only one that stays gets long blocks.
        self._rows = 4 * self._rows if layout == self._layout else _FIRST_ROWS
        self._layout = layout
        self._rows = max(1, min(self._rows, self._largest, _BLOCK_BYTES // layout.row_bytes))
        columns = [np.empty((self._rows, *field.shape), field.dtype) for field in layout.fields]
        return Block(layout, first, columns)

    def retire(self, block: Block) -> None:
        """Take back a block whose rows have all been dropped."""
        self._idle = [*self._idle[-1:], block]


def segment_for(item: object, first: int, blocks: Blocks) -> Segment:
    """An empty segment that ``item`` can be put in."""
    if isinstance(item, dict) and _has_layout(item):
        return blocks.make(layout_of(item), first)
    return Loose(first)


def _has_layout(item: object) -> bool:
    if not isinstance(item, dict):
        return False
    try:
        layout_of(item)
    except InputError:
        return False
    return True


def _references(columns: Sequence[Array], index: int) -> int:
    return sys.getrefcount(columns[index])


_UNSEEN = _references([np.empty(0)], 0)


def _is_unseen(columns: Sequence[Array]) -> bool:
    return all(_references(columns, index) == _UNSEEN for index in range(len(columns)))
