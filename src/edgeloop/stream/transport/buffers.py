"""Memory to receive into that is used again when nobody looks at it any more."""

import mmap
import threading
import weakref
from collections import deque

import numpy as np

_HUGE = 1 << 21


class Buffers:
    """A pool of private memory: fresh pages cost more than what is copied into them.

    ``idle_bytes`` bounds what is kept while it is not used.
    """

    def __init__(self, idle_bytes: int = 1 << 29) -> None:
        self._idle_bytes = idle_bytes
        self._lock = threading.Lock()
        self._idle: list[mmap.mmap] = []
        self._returned: deque[mmap.mmap] = deque()
        self._lent: dict[int, weakref.ref[object]] = {}

    def lend(self, size: int) -> memoryview:
        """A writable view of ``size`` bytes, page-aligned; used again when its last view dies."""
        if not size:
            return memoryview(bytearray())
        memory = self._take(size)
        # An array can be watched by a weak reference, and every view of it keeps it alive.
        root = np.frombuffer(memory, np.uint8)
        self._lent[id(memory)] = weakref.ref(root, lambda _: self._give_back(memory))
        return root.data[:size]

    def _take(self, size: int) -> mmap.mmap:
        with self._lock:
            while self._returned:
                self._idle.append(self._returned.popleft())
            fitting = [memory for memory in self._idle if size <= len(memory) <= 4 * size + _HUGE]
            taken = min(fitting, key=len) if fitting else None
            if taken is not None:
                self._idle.remove(taken)
            while sum(map(len, self._idle)) > self._idle_bytes:
                self._idle.pop(0)
        return taken if taken is not None else _fresh(size)

    def _give_back(self, memory: mmap.mmap) -> None:
        # Runs wherever the last array dies, maybe in a thread that holds the lock: takes none.
        self._lent.pop(id(memory), None)
        self._returned.append(memory)


def _fresh(size: int) -> mmap.mmap:
    rounded = (size + size // 8 + mmap.PAGESIZE - 1) & -mmap.PAGESIZE
    memory = mmap.mmap(-1, rounded, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if rounded >= _HUGE:
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory
