"""Large arrays that are used again once nobody looks at them: fresh pages cost more than copies."""

import sys
import threading
from typing import Any

import numpy as np

from edgeloop.stream.stores.layout import Array

_POOLED_BYTES = 256 * 1024
"""Below this the allocator keeps its pages by itself."""

_KEPT = 8
_PAGE = 4096


def _references(buffers: list[Array], index: int) -> int:
    return sys.getrefcount(buffers[index])


_IDLE = _references([np.empty(0, np.uint8)], 0)


class Pool:
    """Hands out uninitialised arrays; each is its taker's as long as any view of it lives."""

    def __init__(self) -> None:
        self._buffers: list[Array] = []
        self._lock = threading.Lock()

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array of this shape that nobody else can see."""
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        if size < _POOLED_BYTES:
            return np.empty(shape, dtype)
        with self._lock:
            buffer = self._idle(size + _PAGE)
            # Rows lie at the begin of pages often enough: a target that is a few bytes off would
            # make the processor take reads for reads of what was just written (4K aliasing).
            return np.ndarray(shape, dtype, buffer=buffer, offset=-buffer.ctypes.data % _PAGE)

    def _idle(self, size: int) -> Array:
        for index in range(len(self._buffers)):  # no name may hold what is counted
            fits = self._buffers[index].nbytes == size
            if fits and _references(self._buffers, index) == _IDLE:
                return self._buffers[index]
        fresh = np.empty(size, np.uint8)
        self._buffers.append(fresh)
        del self._buffers[:-_KEPT]
        return fresh
