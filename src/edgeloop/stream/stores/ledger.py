"""How far a store has come: the end of its data, and the next number of each origin, as one."""

import functools
import hashlib
import os
import uuid
from dataclasses import dataclass

import numpy as np

from edgeloop.errors import InputError
from edgeloop.stream.stores.layout import Array
from edgeloop.stream.stores.memory import Memory, Ram

MAX_ORIGINS = 1024
"""Of the origins that have not been heard from for longest, those beyond this are forgotten."""

_RECORD = np.dtype([("key", np.uint8, (16,)), ("following", np.int64), ("heard", np.int64)])
_HEAD = np.dtype(
    [
        ("end", np.int64),
        ("first", np.int64),
        ("intent", np.int64, (3,)),  # record, following, end
        ("check", np.int64),
        ("identity", np.uint8, (16,)),
    ]
)
_SALT = 0x6564_6765_6C6F_6F70


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where rows come from: the name of the origin, and its number for the first of them."""

    origin: str
    first: int


class Ledger:
    """The committed end of the data and the next number of each origin.

    ``commit`` is one step for whoever opens the memory after a kill: both moved, or neither did.
    The end is what counts; an intent written before says which record goes with it.
    """

    def __init__(self, memory: Memory | None = None) -> None:
        memory = memory or Ram()
        self._outlives = not isinstance(memory, Ram)
        self._head = memory.array("head", (1,), _HEAD)
        self._records = memory.array("origins", (MAX_ORIGINS,), _RECORD)
        memory.reserve("head", 1)
        memory.reserve("origins", MAX_ORIGINS)
        if not self._head["identity"].any():
            self._head["identity"] = np.frombuffer(uuid.uuid4().bytes, np.uint8)
        self._end: Array = self._head["end"]
        self._finish()
        self._rows: dict[bytes, int] = {}
        self._clock = 0
        self._read_records()

    @property
    def end(self) -> int:
        """The number after the last committed row."""
        return int(self._end[0])

    @property
    def first(self) -> int:
        """The number of the first row that was ever put in here, or restored."""
        return int(self._head["first"][0])

    @property
    def identity(self) -> str:
        """A name for these numbers that nothing else has, not even a fork's copy of them."""
        name = self._head["identity"].tobytes().hex()
        return name if self._outlives else f"{name}/{os.getpid()}"

    def following(self, origin: str) -> int:
        """The next number wanted from ``origin``."""
        row = self._rows.get(_key_of(origin))
        return 0 if row is None else int(self._records["following"][row])

    def commit(self, end: int, origin: str | None = None, following: int = 0) -> None:
        """Say that all rows before ``end`` are there and, with them, all of ``origin`` before its
        number ``following``."""
        if origin is None:
            self._end[0] = end
            return
        row = self._row(_key_of(origin))
        self._head["check"] = 0
        self._head["intent"] = (row, following, end)
        self._head["check"] = _check(row, following, end)
        self._end[0] = end
        self._records["following"][row] = following

    def export(self) -> Array:
        """The origins' records as a copy, for a snapshot: (n, bytes) uint8."""
        return self._records.view(np.uint8).reshape(MAX_ORIGINS, -1).copy()

    def restore(self, records: Array, *, first: int) -> None:
        """Begin, empty, at row ``first`` with what ``export`` gave; raises InputError."""
        if records.shape != (MAX_ORIGINS, _RECORD.itemsize) or records.dtype != np.uint8:
            raise InputError(f"Not the records of origins: {records.dtype}{records.shape}.")
        self._records[:] = np.ascontiguousarray(records).reshape(-1).view(_RECORD)
        self._head["first"] = first
        self._end[0] = first
        self._read_records()

    def _read_records(self) -> None:
        heard = self._records["heard"]
        used = np.flatnonzero(heard)
        order = used[np.argsort(heard[used], kind="stable")].tolist()
        self._rows = {self._records["key"][row].tobytes(): row for row in order}
        self._clock = int(heard.max())

    def _finish(self) -> None:
        """A kill may have come after the end moved and before the origin's record did."""
        row, following, end = (int(value) for value in self._head["intent"][0])
        whole = int(self._head["check"][0]) == _check(row, following, end)
        if whole and end == self.end and 0 <= row < MAX_ORIGINS:
            self._records["following"][row] = following

    def _row(self, key: bytes) -> int:
        row = self._rows.pop(key, None)
        if row is None:
            row = self._free_row()
            self._records["following"][row] = 0
            self._records["key"][row] = np.frombuffer(key, np.uint8)
        self._rows[key] = row  # the newest is last
        self._clock += 1
        self._records["heard"][row] = self._clock
        return row

    def _free_row(self) -> int:
        if len(self._rows) < MAX_ORIGINS:
            return len(self._rows)
        return self._rows.pop(next(iter(self._rows)))


@functools.lru_cache(MAX_ORIGINS)
def _key_of(origin: str) -> bytes:
    return hashlib.blake2b(origin.encode(), digest_size=16).digest()


def _check(row: int, following: int, end: int) -> int:
    return _SALT ^ (row << 48) ^ (following << 1) ^ end
