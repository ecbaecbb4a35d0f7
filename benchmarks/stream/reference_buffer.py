"""The reference: a replay buffer as the SERL and jaxrl line has it, in our own words.

An array per field and two per image, one row per insert under a lock; a batch is drawn with one
integer index per row and every field is gathered by it.
"""

import threading
from typing import Any

import numpy as np

Tree = dict[str, Any]


class ReferenceBuffer:
    """Keeps the newest ``capacity`` transitions of the layout of ``example``."""

    def __init__(self, example: Tree, capacity: int) -> None:
        self._data = _allocate(example, capacity)
        self._capacity = capacity
        self._size = 0
        self._at = 0
        self._random = np.random.default_rng(0)
        self._lock = threading.Lock()

    def insert(self, item: Tree) -> None:
        """Keep one transition."""
        with self._lock:
            _insert(self._data, item, self._at)
            self._at = (self._at + 1) % self._capacity
            self._size = min(self._size + 1, self._capacity)

    def insert_batch(self, items: list[Tree]) -> None:
        """Keep many, one after the other."""
        for item in items:
            self.insert(item)

    def sample(self, batch_size: int) -> Tree:
        """A batch, every transition as likely as every other."""
        with self._lock:
            return _gather(self._data, self._random.integers(self._size, size=batch_size))

    @property
    def size_bytes(self) -> int:
        """Bytes of all arrays."""
        return _size(self._data)


def _allocate(example: Tree, capacity: int) -> Tree:
    return {
        key: _allocate(value, capacity)
        if isinstance(value, dict)
        else np.empty((capacity, *np.shape(value)), np.asarray(value).dtype)
        for key, value in example.items()
    }


def _insert(data: Tree, item: Tree, at: int) -> None:
    assert data.keys() == item.keys()
    for key, array in data.items():
        if isinstance(array, dict):
            _insert(array, item[key], at)
        else:
            array[at] = item[key]


def _gather(data: Tree, rows: Any) -> Tree:
    return {
        key: _gather(array, rows) if isinstance(array, dict) else array[rows]
        for key, array in data.items()
    }


def _size(data: Tree) -> int:
    return sum(_size(array) if isinstance(array, dict) else array.nbytes for array in data.values())
