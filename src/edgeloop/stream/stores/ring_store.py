"""What replay and trajectory buffers share: rows of one layout, in RAM or in a folder."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from edgeloop.errors import ConfigError, Conflict, InputError, StreamClosed
from edgeloop.stream.stores.base import Batch, DataStore
from edgeloop.stream.stores.layout import (
    Array,
    Layout,
    layout_from_json,
    layout_of,
    layout_of_columns,
)
from edgeloop.stream.stores.ledger import Arrival, Ledger
from edgeloop.stream.stores.limiter import Limiter
from edgeloop.stream.stores.manifest import (
    Purpose,
    close_folder,
    mark_open,
    read_layout,
    write_layout,
)
from edgeloop.stream.stores.memory import Folder, Memory, Ram
from edgeloop.stream.stores.ring import Span
from edgeloop.stream.stores.saving import load_rows, save_rows
from edgeloop.stream.stores.snapshot import Snapshot, SnapshotWriter, writing
from edgeloop.stream.stores.transitions import Links, Transitions

_ATTEMPTS = 3


class RingStore(DataStore):
    """Rows of the layout of the first transition, kept in RAM or, with a folder, in its files.

    A folder holds what was inserted also after the process was killed, and the next store on it
    goes on with that; one at a time (Conflict). After the machine went down it is refused
    (InputError): snapshots, made by ``save``, are for that.
    """

    kind = "rows"

    def __init__(
        self,
        capacity: int,
        *,
        links: Links,
        folder: Path | None = None,
        limiter: Limiter | None = None,
    ) -> None:
        self._links: Links = links
        self._limiter = limiter
        self._purpose = Purpose(self.kind, capacity, links)
        self._is_closed = False
        with contextlib.ExitStack() as undo:
            self._folder = Folder(folder) if folder else None
            if self._folder:
                undo.callback(self._folder.close)
            self._memory: Memory = self._folder or Ram()
            layout = read_layout(self._folder, self._purpose) if self._folder else None
            super().__init__(capacity, Ledger(self._memory))
            self._rows = self._make_rows(layout) if layout else None
            if self._rows and len(self._rows.ring):
                self._take_over(self._rows)
            if self._folder:
                mark_open(self._folder)
            undo.pop_all()

    def __len__(self) -> int:
        return len(self._rows.ring) if self._rows else 0

    @property
    def cursor(self) -> int:
        """The number that the next transition will get."""
        return self._rows.span[1] if self._rows else 0

    @property
    def size_bytes(self) -> int:
        """How much memory, or disk space, the transitions take up."""
        if self._rows is None:
            return 0
        frames = self._rows.frames.size_bytes if self._rows.frames else 0
        return self._rows.ring.size_bytes + frames

    def since(self, cursor: int, *, limit: int | None = None) -> tuple[list[dict[str, Any]], int]:
        """Copies of the transitions from ``cursor`` on, as DataStore says."""
        rows = self._rows
        if rows is None:
            return [], 0
        columns, following = self._read(rows, cursor, limit)
        return [rows.layout.item(columns, row) for row in range(len(columns[0]))], following

    def batch_since(self, cursor: int, *, limit: int | None = None) -> tuple[dict[str, Any], int]:
        """Copies of the transitions from ``cursor`` on as columns; {} before the first came."""
        rows = self._rows
        if rows is None:
            return {}, 0
        columns, following = self._read(rows, cursor, limit)
        return rows.layout.nest(columns), following

    def save(self, path: Path) -> None:
        """Write a snapshot to ``path``, durable and as a whole, while others insert and sample.

        What is overwritten before its turn comes is left out. The numbers of all origins belong
        to the moment of the call. Raises StorageFull; the old file stays then.
        """
        with writing(path) as writer:
            with self._lock:
                rows = self._rows_begun()
                span = rows.span
                origins = self._ledger.export()
            numbers, chunks = save_rows(writer, rows, span)
            writer.add("origins", origins)
            self._save_more(writer, numbers)
            writer.finish(
                {
                    "kind": self.kind,
                    "capacity": self._capacity,
                    "links": self._links,
                    "layout": rows.layout.to_json(),
                    "end": span[1],
                    "rows": len(numbers),
                    "chunks": chunks,
                }
            )

    def flush(self) -> None:
        """Write what is in a folder to the disk; without one there is nothing to do."""
        if self._folder:
            self._folder.flush()

    def close(self) -> None:
        """Take no more; flush a folder and let the next store have it. Harmless when repeated.

        Whoever waits for a limiter gets StreamClosed.
        """
        if self._limiter:
            self._limiter.close()
        with self._lock:
            if self._folder and not self._is_closed:
                close_folder(self._folder)
            self._is_closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _layout(self, example: Layout) -> Layout:
        """The layout to keep transitions like this in."""
        return example

    def _take_over(self, rows: Transitions) -> None:
        """Go on with rows that were there before."""
        if self._limiter:
            self._limiter.start(len(rows.ring))

    def _moved(self, before: Span, after: Span) -> None:
        """Rows came, and others may have fallen out; the lock is held."""
        if self._limiter:
            self._limiter.inserted(after[1] - before[1])

    def _save_more(self, writer: SnapshotWriter, numbers: Array) -> None:
        """Add to a snapshot what else is known of these rows."""

    def _load_more(self, snapshot: Snapshot, rows: Transitions) -> None:
        """Read what ``_save_more`` added, of rows that are all there now."""

    def _admit(self, count: int, timeout_s: float | None = None) -> None:
        self._check_open()
        if self._limiter and count:
            self._limiter.wait_to_insert(timeout_s)

    def _before_batch(self) -> None:
        """Wait until a batch may be sampled."""
        if self._is_closed:
            raise StreamClosed("The buffer is closed: nothing more can be sampled.")
        if self._limiter:
            self._limiter.wait_to_sample()

    def _after_batch(self, batch_size: int) -> None:
        if self._limiter:
            self._limiter.sampled(batch_size)

    def _put(self, item: Any) -> None:
        self._check_open()  # it may have been closed while this waited for the lock
        if self._rows is None:
            layout = self._layout(layout_of(item))
            layout.values(item)  # a first transition that does not fit decides nothing
            self._begin(layout)
        rows = self._rows or self._rows_begun()
        before = rows.ring.span
        rows.put(item)
        self._moved(before, rows.ring.span)

    def _add(self, batch: Batch, arrival: Arrival | None) -> None:
        self._check_open()
        if self._rows is None:
            if not isinstance(batch, Mapping) and not batch:
                return
            first = layout_of_columns(batch) if isinstance(batch, Mapping) else layout_of(batch[0])
            layout = self._layout(first)
            count, columns = _columns_of(layout, batch)
            self._begin(layout)
        else:
            count, columns = _columns_of(self._rows.layout, batch)
        rows = self._rows_begun()
        before = rows.span
        try:
            rows.write(count, columns, arrival)
        finally:  # on a full disk, a part may have come
            self._moved(before, rows.span)

    def _rows_begun(self) -> Transitions:
        if self._rows is None:
            raise Conflict("The store is empty: insert transitions first.")
        return self._rows

    def _load_or_close(self, snapshot: Snapshot) -> None:
        try:
            self._load(snapshot)
        except BaseException:
            self.close()
            raise

    def _load(self, snapshot: Snapshot) -> None:
        """Take over what is in a snapshot; the store must be new."""
        if self._rows:
            message = "There are transitions here already: restore into a new folder."
            raise Conflict(message)
        try:
            kind, links = snapshot.info["kind"], snapshot.info["links"]
            layout = layout_from_json(snapshot.info["layout"])
        except KeyError as error:
            raise _not_of_a_store(f"{error} is missing") from error
        if (kind, links) != (self.kind, self._links):
            raise ConfigError(
                f"The snapshot is of a '{kind}' store with the links '{links}', this is a "
                f"'{self.kind}' store with the links '{self._links}': make it as it was."
            )
        rows = self._make_rows(layout)
        try:
            load_rows(snapshot, rows, self._ledger)
        except (KeyError, ValueError, IndexError, TypeError) as error:
            raise _not_of_a_store(str(error)) from error
        self._rows = rows
        self._take_over(rows)
        self._load_more(snapshot, rows)
        self._write_manifest(layout)

    def _begin(self, layout: Layout) -> None:
        rows = self._make_rows(layout)
        self._write_manifest(layout)
        self._rows = rows

    def _make_rows(self, layout: Layout) -> Transitions:
        return Transitions(layout, self._capacity, self._memory, self._ledger, links=self._links)

    def _write_manifest(self, layout: Layout) -> None:
        if self._folder:
            write_layout(self._folder, self._purpose, layout)

    def _read(self, rows: Transitions, cursor: int, limit: int | None) -> tuple[list[Array], int]:
        """Whole columns of the rows from ``cursor`` on, and the next cursor."""
        for _ in range(_ATTEMPTS):
            if (found := _try_read(rows, cursor, limit)) is not None:
                return found
        while True:
            with self._lock:  # rows fall out faster than they are gathered: the writer waits
                if (found := _try_read(rows, cursor, limit)) is not None:
                    return found

    def _check_open(self) -> None:
        if self._is_closed:
            raise StreamClosed("The store is closed: nothing more can be inserted.")


def _try_read(rows: Transitions, cursor: int, limit: int | None) -> tuple[list[Array], int] | None:
    """As ``RingStore._read``, or None where rows were overwritten meanwhile."""
    begin, end = rows.span
    first = min(max(cursor, begin), end)
    stop = end if limit is None else min(end, first + limit)
    columns = rows.gather(np.arange(first, stop))
    return (columns, stop) if rows.span[0] <= first else None


def _not_of_a_store(reason: str) -> InputError:
    return InputError(f"The snapshot is whole but not of such a store ({reason}): use another one.")


def _columns_of(layout: Layout, batch: Batch) -> tuple[int, list[Array]]:
    return layout.columns(batch) if isinstance(batch, Mapping) else layout.stack(batch)
