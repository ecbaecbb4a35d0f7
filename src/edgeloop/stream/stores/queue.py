"""The store on the robot: transitions of any kind that wait to be fetched, the oldest dropped."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from edgeloop.stream.stores.base import Batch, DataStore
from edgeloop.stream.stores.layout import Layout, layout_of_columns
from edgeloop.stream.stores.ledger import Arrival, Ledger
from edgeloop.stream.stores.segments import Block, Blocks, Segment, segment_for


class QueuedDataStore(DataStore):
    """The newest ``capacity`` items: dicts of arrays and numbers, nested, or anything else.

    Items come back as what they were: a Python number as such, an array as an array of its own.
    Dicts of one layout are kept as columns, which ``batch_since`` gives as read-only views without
    copying; they stay as they are, whatever happens to the store.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity, Ledger())
        self._segments: deque[Segment] = deque()
        self._blocks = Blocks(capacity)
        self._end = 0
        self._released = 0
        self._dropped = 0

    def __len__(self) -> int:
        return min(self._end, self._capacity)

    @property
    def cursor(self) -> int:
        """The number that the next item will get."""
        return self._end

    @property
    def dropped(self) -> int:
        """How many items had to make room before they were released."""
        return self._dropped

    def since(self, cursor: int, *, limit: int | None = None) -> tuple[list[Any], int]:
        """Copies of the items from ``cursor`` on, as DataStore says."""
        found: list[Any] = []
        with self._lock:
            start, stop = self._range(cursor, limit)
            for segment in self._segments:
                first, end = max(start, segment.first), min(stop, segment.end)
                if first < end:
                    found += segment.items(first, end)
            return found, stop

    def batch_since(self, cursor: int, *, limit: int | None = None) -> tuple[Batch, int]:
        """The items from ``cursor`` on, up to where their layout changes: views or a list."""
        with self._lock:
            start, stop = self._range(cursor, limit)
            for segment in self._segments:
                if segment.first <= start < segment.end:
                    end = min(stop, segment.end)
                    batch: Batch = segment.batch(start, end)
                    return batch, end
            return [], start

    def release(self, cursor: int) -> None:
        """Say that all before ``cursor`` arrived: dropping them later is no loss.

        They are still there for whoever asks, until newer items need the room.
        """
        with self._lock:
            self._released = max(self._released, min(cursor, self._end))

    def _range(self, cursor: int, limit: int | None) -> tuple[int, int]:
        oldest = self._end - len(self)
        start = min(max(cursor, oldest), self._end)
        return start, self._end if limit is None else min(self._end, start + limit)

    def _put(self, item: Any) -> None:
        if not self._segments or not self._segments[-1].put(item):
            self._segments.append(segment_for(item, self._end, self._blocks))
            self._segments[-1].put(item)
        self._commit(1, None)

    def _add(self, batch: Batch, arrival: Arrival | None) -> None:
        if isinstance(batch, Mapping):
            self._add_columns(batch, arrival)
            return
        for index, item in enumerate(batch):
            self._put(item)
            if arrival:
                self._ledger.commit(self._end, arrival.origin, arrival.first + index + 1)

    def _add_columns(self, batch: Mapping[str, Any], arrival: Arrival | None) -> None:
        layout = layout_of_columns(batch)
        count, columns = layout.columns(batch)
        done = 0
        while done < count:
            added = self._block(layout).fill([column[done:] for column in columns])
            done += added
            self._commit(added, Arrival(arrival.origin, arrival.first + done) if arrival else None)

    def _block(self, layout: Layout) -> Block:
        """The last segment, if it is a block of this layout with room, or a new one."""
        last = self._segments[-1] if self._segments else None
        if isinstance(last, Block) and last.layout == layout and not last.is_full:
            return last
        block = self._blocks.make(layout, self._end)
        self._segments.append(block)
        return block

    def _commit(self, count: int, arrival: Arrival | None) -> None:
        """Count items that were added, and drop as many of the oldest as are too many."""
        oldest = self._end - len(self)
        self._end += count
        if arrival:
            self._ledger.commit(self._end, arrival.origin, arrival.first)
        now = self._end - len(self)
        self._dropped += max(0, now - max(oldest, self._released))
        while self._segments[0].end <= now:
            done = self._segments.popleft()
            if isinstance(done, Block):
                self._blocks.retire(done)
