"""Transitions to and from a snapshot, while others insert and sample."""

from collections.abc import Iterator

import numpy as np

from edgeloop.errors import ConfigError
from edgeloop.stream.stores.layout import Array
from edgeloop.stream.stores.ledger import Ledger
from edgeloop.stream.stores.ring import Span
from edgeloop.stream.stores.snapshot import Snapshot, SnapshotWriter
from edgeloop.stream.stores.transitions import Transitions

_CHUNK_BYTES = 16 * 1024 * 1024


def save_rows(writer: SnapshotWriter, rows: Transitions, span: Span) -> tuple[Array, int]:
    """Write what of ``span`` is still held when it is its turn; says which numbers, and in how
    many chunks.

    Nothing is locked: rows that are overwritten meanwhile are noticed and left out. They are the
    oldest, and have left the store as well.
    """
    place = np.full(2 * rows.ring.room if rows.frames else 0, -1, np.int64)
    frames = chunks = 0
    saved = [np.empty(0, np.int64)]
    for numbers in _chunks(rows, span):
        numbers, columns, slots, pictures = _read(rows, numbers, place)
        if not len(numbers):
            continue
        place[slots] = np.arange(frames, frames + len(slots))
        frames += len(slots)
        for index in rows.frame_columns:
            columns[index] = place[columns[index]]
        for name, arrays in (("frame", pictures), ("row", columns)):
            for index, array in enumerate(arrays):
                writer.add(f"{chunks}/{name}-{index}", array)
        saved.append(numbers)
        chunks += 1
    return np.concatenate(saved), chunks


def load_rows(snapshot: Snapshot, rows: Transitions, ledger: Ledger) -> None:
    """Fill empty ``rows`` and the ledger; the newest row has the number it had.

    Raises ConfigError where there are more than fit, InputError where the file is damaged, and
    other errors where it is whole but not a snapshot of such rows.
    """
    info = snapshot.info
    count, end, chunks = (int(info[key]) for key in ("rows", "end", "chunks"))
    if count > rows.ring.capacity:
        raise ConfigError(
            f"The snapshot has {count} transitions, the store holds {rows.ring.capacity}: "
            "give it at least that capacity."
        )
    blocks = {block.name: block for block in snapshot.blocks}
    ledger.restore(snapshot.read(blocks["origins"]), first=end - count)
    rows.ring.span = (end - count, end - count)
    place = np.empty(0, np.int64)
    for chunk in range(chunks):
        if rows.frames:
            arrays = [snapshot.read(blocks[f"{chunk}/frame-{i}"]) for i in range(rows.frames.width)]
            place = np.concatenate([place, rows.frames.load(arrays)])
        columns = [snapshot.read(blocks[f"{chunk}/row-{i}"]) for i in range(len(rows.ring.columns))]
        for index in rows.frame_columns:
            columns[index] = place[columns[index]]
        rows.ring.extend(columns)
    if rows.span[1] != end:
        raise ValueError(f"{rows.span[1] - rows.span[0]} transitions instead of {count}")
    rows.recover()


def _chunks(rows: Transitions, span: Span) -> Iterator[Array]:
    step = max(1, _CHUNK_BYTES // rows.layout.row_bytes)
    for begin in range(span[0], span[1], step):
        yield np.arange(begin, min(begin + step, span[1]))


def _read(
    rows: Transitions, numbers: Array, place: Array
) -> tuple[Array, list[Array], Array, list[Array]]:
    """Those rows of a chunk that are still held, and the frames that have no place yet."""
    while True:
        numbers = numbers[numbers >= rows.span[0]]
        positions = numbers % rows.ring.room
        columns = [column[positions] for column in rows.ring.columns]
        slots = np.unique([columns[index] for index in rows.frame_columns]).astype(np.int64)
        slots = slots[place[slots] < 0]
        pictures = rows.frames.gather(slots) if rows.frames else []
        if not len(numbers) or rows.span[0] <= numbers[0]:
            return numbers, columns, slots, pictures
