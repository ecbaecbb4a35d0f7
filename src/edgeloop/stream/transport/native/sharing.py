"""Bodies through shared memory, on one connection: who holds which segment.

A segment is offered once, with its descriptor; from then on a frame names its slot. It belongs to
the receiver until no array looks into it any more: the receiver's next frame says so.
"""

import mmap
import weakref
from collections import deque
from dataclasses import dataclass

import numpy as np

from edgeloop.errors import CodecError
from edgeloop.stream.codec import Encoded
from edgeloop.stream.transport.native.segments import Segment, SharedMessage

MOST_SLOTS = 8


@dataclass(slots=True)
class _Slot:
    """A segment that the other side has; ``lease`` is what must stay while it looks into it."""

    segment: Segment
    lease: object = None


@dataclass(slots=True)
class _Mapping:
    """A segment of the other side; ``watch`` tells when the last array is gone."""

    memory: mmap.mmap
    watch: object = None


class Outbox:
    """The segments that we share with the other side."""

    def __init__(self) -> None:
        self._slots: list[_Slot] = []

    def place(self, message: Encoded) -> tuple[int, Segment | None] | None:
        """(slot, segment to offer first) for the body, None where all slots are in use.

        A message that is in shared memory already stays where it is. Others are copied and lose
        their parts: these may be arrays of the other side, which gets them back the sooner.
        """
        if isinstance(message, SharedMessage):
            return self._place_shared(message)
        index = self._own(message.size)
        offer = None
        if index is None:
            index = self._vacant()
            if index is None:
                return None
            offer = Segment(message.size, private=True)
            self._put(index, _Slot(offer))
        slot = self._slots[index]
        slot.lease = message.size
        message.write_to(slot.segment.view)
        message.parts.clear()
        return index, offer

    def release(self, mask: int) -> None:
        """The other side does not look into these slots any more."""
        for index, slot in enumerate(self._slots):
            if mask >> index & 1:
                slot.lease = None

    def _place_shared(self, message: SharedMessage) -> tuple[int, Segment | None] | None:
        for index, slot in enumerate(self._slots):
            if slot.segment is message.segment:
                slot.lease = message
                return index, None
        vacant = self._vacant()
        if vacant is None:
            return None
        self._put(vacant, _Slot(message.segment, message))
        return vacant, message.segment

    def _own(self, size: int) -> int | None:
        """A slot of ours that is free and large enough."""
        for index, slot in enumerate(self._slots):
            if slot.lease is None and slot.segment.private and slot.segment.fits(size):
                return index
        return None

    def _vacant(self) -> int | None:
        """A slot that may get another segment: the one that was there longest, if all are taken."""
        if len(self._slots) < MOST_SLOTS:
            return len(self._slots)
        return next((i for i, slot in enumerate(self._slots) if slot.lease is None), None)

    def _put(self, index: int, slot: _Slot) -> None:
        self._slots[index : index + 1] = [slot]


class Inbox:
    """The segments that the other side shares with us; ``released`` gets what can be used again."""

    def __init__(self, released: deque[int]) -> None:
        self._mappings: dict[int, _Mapping] = {}
        self._released = released

    def put(self, slot: int, memory: mmap.mmap) -> None:
        """Take an offered segment."""
        self._mappings[slot] = _Mapping(memory)

    def view(self, slot: int, size: int) -> memoryview:
        """The body in a slot; raises CodecError. It is released when its last view is gone."""
        mapping = self._mappings.get(slot)
        if mapping is None or not 0 < size <= len(mapping.memory):
            raise CodecError("The message's body is not in the shared memory that was offered.")
        root = np.frombuffer(mapping.memory, np.uint8, size)
        released = self._released
        mapping.watch = weakref.ref(root, lambda _: released.append(slot))
        return root.data
