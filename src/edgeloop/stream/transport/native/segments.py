"""Anonymous memory that can be handed to another process; it dies with the last one that has it."""

import contextlib
import fcntl
import mmap
import os
import threading
import weakref
from collections import deque
from typing import Any

from edgeloop.errors import CodecError
from edgeloop.stream.codec import Encoded

_HUGE = 1 << 21
_SEAL_FUTURE_WRITE = 0x10
"""fcntl's F_SEAL_FUTURE_WRITE (Linux 5.1): others can only read; the module has no name for it."""
_MOST_IDLE = 4
_MOST_SEGMENTS = 128
"""How many a server publishes in: each costs two descriptors, and connections need some."""


class Segment:
    """A piece of memory behind a descriptor. ``private`` ones others can write to as well."""

    def __init__(self, size: int, *, private: bool) -> None:
        self.size = rounded(size)
        self.private = private
        descriptor = os.memfd_create("edgeloop", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(descriptor, self.size)
            self._memory = mmap.mmap(descriptor, self.size)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            if not private:
                seals |= _SEAL_FUTURE_WRITE
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
        except BaseException:
            os.close(descriptor)
            raise
        self.descriptor = descriptor
        self.forget = weakref.finalize(self, os.close, descriptor)
        """Close the descriptor: nobody else will be handed it."""
        if self.size >= _HUGE:
            self._memory.madvise(mmap.MADV_HUGEPAGE)

    @property
    def view(self) -> memoryview:
        """Its bytes, writable."""
        return memoryview(self._memory)

    def fits(self, size: int) -> bool:
        """Whether a body of ``size`` bytes fits in, and does not waste too much of it."""
        return size <= self.size <= 4 * size + _HUGE


def attach(descriptor: int, size: int, *, writable: bool) -> mmap.mmap:
    """The memory behind another process's descriptor, which is closed; raises CodecError."""
    try:
        # Without the seal its owner could cut it off under our feet: reading would kill us.
        if not fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK:
            raise CodecError("The shared memory is not sealed.")
        if os.fstat(descriptor).st_size < size:
            raise CodecError("The shared memory is smaller than announced.")
        access = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        return mmap.mmap(descriptor, size, mmap.MAP_SHARED, access)
    except (OSError, ValueError) as error:
        raise CodecError(f"The shared memory cannot be used ({error}).") from error
    finally:
        os.close(descriptor)


class SharedMessage(Encoded, eq=False, weakref=True):
    """A message whose body is in a segment that any number of processes may read."""

    segment: Any


class Presses:
    """Makes shared messages; their segments are used again when nobody has the message any more.

    Bodies of less than ``share_from`` bytes get memory of their own: a segment costs descriptors.
    """

    def __init__(self, share_from: int) -> None:
        self._share_from = share_from
        self._lock = threading.Lock()
        self._segments: weakref.WeakSet[Segment] = weakref.WeakSet()
        self._idle: list[Segment] = []
        self._returned: deque[Segment] = deque()

    def print(self, message: Encoded) -> Encoded:
        """A copy of ``message``; it can be shared if it is large and there is memory to share."""
        if not message.size:
            return message
        segment = None
        if message.size >= self._share_from:
            with contextlib.suppress(OSError):  # no memory or no descriptor left
                segment = self._take(message.size)
        if segment is None:
            return message.copied_to(memoryview(bytearray(message.size)))
        copied = message.copied_to(segment.view[: message.size])
        shared = SharedMessage(copied.header, copied.parts, copied.size, segment)
        weakref.finalize(shared, self._returned.append, segment)
        return shared

    def _take(self, size: int) -> Segment | None:
        with self._lock:
            while self._returned:
                self._idle.append(self._returned.popleft())
            fitting = [segment for segment in self._idle if segment.fits(size)]
            if fitting:
                taken = min(fitting, key=lambda segment: segment.size)
                self._idle.remove(taken)
                return taken
            del self._idle[: len(self._idle) - _MOST_IDLE + 1]
            if len(self._segments) >= _MOST_SEGMENTS:
                return None
            made = Segment(size, private=False)
            self._segments.add(made)
            return made


def rounded(size: int) -> int:
    """How large a segment is made for a body of ``size`` bytes."""
    unit = mmap.PAGESIZE if size < _HUGE else _HUGE
    return (size + size // 8 + unit - 1) // unit * unit
