"""Frames on a Unix socket: large bodies go through shared memory, only their slot is sent."""

import os
import socket

import msgspec

from edgeloop.errors import CodecError, StreamClosed, StreamTimeout
from edgeloop.stream.codec import Encoded, decode, encode
from edgeloop.stream.transport.base import Limits
from edgeloop.stream.transport.buffers import Buffers
from edgeloop.stream.transport.frames import MAGIC, PREFIX, Frame, Kind
from edgeloop.stream.transport.native.segments import Segment, attach, rounded
from edgeloop.stream.transport.native.sharing import MOST_SLOTS, Inbox, Outbox
from edgeloop.stream.transport.native.wire import Shared, Wire
from edgeloop.stream.transport.tally import Tally

_HERE, _SHARED, _OFFERED = range(3)
"""Where a body is: behind the header, in a segment; or the frame offers a segment."""
_MOST_DESCRIPTORS = 4


class UnixWire(Wire):
    """Bodies of ``share_from`` bytes and more go through shared memory."""

    way = "same host"

    def __init__(
        self, sock: socket.socket, buffers: Buffers, tally: Tally, *, share_from: int
    ) -> None:
        super().__init__(sock, buffers, tally)
        self._share_from = share_from
        self._outbox = Outbox()
        self._inbox = Inbox(self._released)

    def _send_shared(self, kind: Kind, message: Encoded) -> bool:
        try:
            placed = self._outbox.place(message)
        except OSError:  # no memory or no descriptor left: the socket still works
            return False
        if placed is None:
            return False
        slot, offer = placed
        if offer is not None:
            self._offer(slot, offer)
        self._send_prefixed(kind, _SHARED, slot, message.header, message.size)
        return True

    def _receive_shared(self, kind: Kind, rest: Shared) -> Frame:
        place, slot, header_size, size, released = rest
        self._outbox.release(released)
        header = bytes(self._take(header_size))
        if place == _HERE:
            return kind, header, self._take(size)
        if not slot < MOST_SLOTS or place not in (_SHARED, _OFFERED):
            raise CodecError("The other side uses more shared memory than allowed.")
        if place == _SHARED:
            return kind, header, self._inbox.view(slot, size)
        self._accept(slot, header)
        return self.receive()

    def _offer(self, slot: int, segment: Segment) -> None:
        """Hand a segment over: its descriptor follows when the other side waits for it alone."""
        self._send_prefixed(Kind.OFFER, _OFFERED, slot, _terms(segment), 0)
        if self.receive()[0] is not Kind.READY:
            raise CodecError("The other side does not take the shared memory.")
        try:
            socket.send_fds(self._socket, [b"\0"], [segment.descriptor])
        except OSError as error:
            raise StreamClosed(f"The connection broke ({error}).") from error
        if segment.private:
            segment.forget()

    def _accept(self, slot: int, header: bytes) -> None:
        size, writable = _read_terms(header)
        if not 0 < size <= rounded(self.max_bytes):
            raise CodecError("The other side offers more shared memory than allowed.")
        self.send(Kind.READY, encode(None))
        self._inbox.put(slot, attach(self._descriptor(), size, writable=writable))

    def _descriptor(self) -> int:
        try:
            said, descriptors, _, _ = socket.recv_fds(self._socket, 1, _MOST_DESCRIPTORS)
        except BlockingIOError:
            raise StreamTimeout("The other side did not hand over its memory in time.") from None
        except OSError as error:
            raise StreamClosed(f"The connection broke ({error}).") from error
        if not said:
            raise StreamClosed("The other side closed the connection.")
        if len(descriptors) != 1:
            for descriptor in descriptors:
                os.close(descriptor)
            raise CodecError("The other side did not hand over its memory.")
        return descriptors[0]

    def _send_prefixed(self, kind: Kind, place: int, slot: int, header: bytes, size: int) -> None:
        prefix = PREFIX.pack(MAGIC, kind, place, slot, len(header), size, self._releases())
        self.send_bytes(prefix + header)


def plain_wire(sock: socket.socket, buffers: Buffers, tally: Tally, limits: Limits) -> Wire:
    """The wire for a socket without TLS."""
    if sock.family == socket.AF_UNIX:
        return UnixWire(sock, buffers, tally, share_from=limits.share_from_bytes)
    return Wire(sock, buffers, tally)


def _terms(segment: Segment) -> bytes:
    return encode([segment.size, segment.private]).header


def _read_terms(header: bytes) -> tuple[int, bool]:
    try:
        return msgspec.convert(decode(header, b""), tuple[int, bool])
    except msgspec.ValidationError as error:
        raise CodecError(f"The offer of shared memory is not readable ({error}).") from error
