"""Frames on a socket: one system call out, pooled memory in, a deadline on everything."""

import contextlib
import select
import socket
import ssl
import struct
from collections import deque
from collections.abc import Sequence
from math import inf
from time import monotonic

from edgeloop.errors import CodecError, StreamClosed, StreamTimeout, TooLarge
from edgeloop.stream.codec import MAX_HEADER_BYTES, Encoded
from edgeloop.stream.transport.buffers import Buffers
from edgeloop.stream.transport.frames import MAGIC, PREFIX, Frame, Idle, Kind, check_size
from edgeloop.stream.transport.tally import Tally

READ_AHEAD = 1 << 16
_JOINED_BYTES = 1 << 16
_MOST_BUFFERS = 512
_HANDSHAKE_BYTES = 1 << 12
_KINDS = {int(kind): kind for kind in Kind}
_PREFIX_BYTES = PREFIX.size
_pack = PREFIX.pack
_unpack = PREFIX.unpack_from

Buffer = bytes | memoryview
Shared = tuple[int, int, int, int, int]
"""place, slot, header bytes, body bytes, released slots"""


class Wire:
    """One connection. One thread at a time uses and closes it; `interrupt` is for others.

    ``max_bytes`` bounds the frames that come in, ``max_bytes_out`` is what the other side takes.
    """

    def __init__(self, sock: socket.socket, buffers: Buffers, tally: Tally) -> None:
        self.max_bytes = self.max_bytes_out = _HANDSHAKE_BYTES
        self._socket = sock
        self._buffers = buffers
        self._tally = tally
        self._ahead = memoryview(bytearray(READ_AHEAD))
        self._start = 0
        self._end = 0
        self._timeout_s = 0.0
        self._deadline = 0.0
        self._share_from = inf
        self._released: deque[int] = deque()
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        sock.settimeout(None)

    def within(self, seconds: float, *, since: float | None = None) -> None:
        """What follows must end so many seconds after ``since`` (now), else it is StreamTimeout.

        ``since`` may be a moment ago: it saves asking what time it is.
        """
        self._deadline = seconds + (monotonic() if since is None else since)
        if seconds != self._timeout_s:
            self._set_timeout(seconds)

    def pausing(self, seconds: float) -> None:
        """What follows may take long, but never pause for so many seconds."""
        self._deadline = inf
        if seconds != self._timeout_s:
            self._set_timeout(seconds)

    def send(self, kind: Kind, message: Encoded) -> None:
        """Send a frame; raises TooLarge with nothing sent, StreamTimeout, StreamClosed."""
        size = message.size
        total = len(message.header) + size
        if total > self.max_bytes_out:
            check_size(message, self.max_bytes_out)
        self._tally.bytes_out += _PREFIX_BYTES + total
        if size >= self._share_from and self._send_shared(kind, message):
            return
        prefix = _pack(MAGIC, kind, 0, 0, total - size, size, self._releases())
        if size > _JOINED_BYTES:
            self._send_all((prefix, message.header, *message.pieces()))
        else:
            self._send_one(message.joined(prefix) if size else prefix + message.header)

    def receive(self) -> Frame:
        """The next frame; raises StreamTimeout, StreamClosed, CodecError, TooLarge.

        Arrays decoded from its body are writable and nobody else's.
        """
        if self._start == self._end:
            self._start = self._end = 0
            self._end = self._receive_into(self._ahead)
        while self._end - self._start < _PREFIX_BYTES:
            self._fill()
        start = self._start + _PREFIX_BYTES
        magic, kind, place, slot, header_size, size, released = _unpack(self._ahead, self._start)
        if magic != MAGIC or kind not in _KINDS:
            raise CodecError("The other side does not speak this protocol, or another version.")
        if header_size > MAX_HEADER_BYTES or header_size + size > self.max_bytes:
            raise TooLarge(
                f"The message has {header_size + size} bytes, {self.max_bytes} are allowed."
            )
        self._tally.bytes_in += _PREFIX_BYTES + header_size + size
        middle = start + header_size
        if released or place:
            self._start = start
            return self._receive_shared(_KINDS[kind], (place, slot, header_size, size, released))
        if middle + size <= self._end:  # all of it is here already
            self._start = middle + size
            header = self._ahead[start:middle].tobytes()
            return _KINDS[kind], header, bytearray(self._ahead[middle : self._start])
        self._start = start
        return _KINDS[kind], bytes(self._take(header_size)), self._take(size)

    def has_ended(self) -> bool:
        """Whether the other side has closed the idle connection, or sent what nobody asked for."""
        return self._end > self._start or bool(self._poll.poll(0))

    def interrupt(self) -> None:
        """Wake the thread that waits for this connection: it gets StreamClosed."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._socket.close()

    def _send_shared(self, kind: Kind, message: Encoded) -> bool:
        """Send a frame whose body is in shared memory; says whether that was possible."""
        return False

    def _receive_shared(self, kind: Kind, rest: Shared) -> Frame:
        """Receive the rest of a frame that is about shared memory."""
        raise CodecError("This connection has no shared memory.")

    def _releases(self) -> int:
        """A bit for each slot of shared memory that can be used again; each is told once."""
        mask = 0
        while self._released:
            mask |= 1 << self._released.popleft()
        return mask

    def _take(self, size: int) -> bytearray | memoryview:
        """The next ``size`` bytes, in memory of their own."""
        there = min(size, self._end - self._start)
        piece = self._ahead[self._start : self._start + there]
        target = bytearray(size) if size <= READ_AHEAD else self._buffers.lend(size)
        view = memoryview(target)
        view[:there] = piece
        self._start += there
        while there < size:
            self._keep_deadline()
            there += self._receive_into(view[there:])
        return target

    def _fill(self) -> None:
        """Read more of the frame that has begun."""
        self._keep_deadline()
        if self._end == READ_AHEAD:
            rest = bytes(self._ahead[self._start : self._end])
            self._ahead[: len(rest)] = rest
            self._start, self._end = 0, len(rest)
        self._end += self._receive_into(self._ahead[self._end :])

    def _receive_into(self, view: memoryview) -> int:
        try:
            count = self._socket.recv_into(view)
        except (BlockingIOError, TimeoutError):
            error = StreamTimeout if self._end else Idle
            raise error("The other side did not answer in time.") from None
        except (OSError, ValueError) as broken:
            raise StreamClosed(f"The connection broke ({broken}).") from broken
        if not count:
            raise StreamClosed("The other side closed the connection.")
        return count

    def _send_one(self, data: bytes) -> None:
        try:
            sent = self._socket.send(data)
            if sent < len(data):
                self._send_rest((data,), sent)
        except (BlockingIOError, TimeoutError):
            raise StreamTimeout("The other side did not take the message in time.") from None
        except (OSError, ValueError) as error:
            raise StreamClosed(f"The connection broke ({error}).") from error

    def _send_all(self, buffers: Sequence[Buffer]) -> None:
        try:
            for first in range(0, len(buffers), _MOST_BUFFERS):
                some = buffers[first : first + _MOST_BUFFERS]
                self._send_rest(some, self._socket.sendmsg(some))
        except (BlockingIOError, TimeoutError):
            raise StreamTimeout("The other side did not take the message in time.") from None
        except (OSError, ValueError) as error:
            raise StreamClosed(f"The connection broke ({error}).") from error

    def _send_rest(self, buffers: Sequence[Buffer], sent: int) -> None:
        """Send what a first attempt did not."""
        for buffer in buffers:
            if sent >= len(buffer):
                sent -= len(buffer)
                continue
            rest = memoryview(buffer)[sent:]
            sent = 0
            while rest:
                self._keep_deadline()
                rest = rest[self._socket.send(rest) :]

    def _keep_deadline(self) -> None:
        if self._deadline != inf:
            left = self._deadline - monotonic()
            if left <= 0:
                raise StreamTimeout("The other side did not finish in time.")
            self._set_timeout(left)

    def _set_timeout(self, seconds: float) -> None:
        # The kernel's own time-outs: Python's would poll before every call.
        self._timeout_s = seconds
        value = struct.pack("ll", int(seconds), max(1, int(seconds % 1 * 1e6)))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)


class TlsWire(Wire):
    """Frames in TLS: no vectors of buffers, and time-outs by Python."""

    def _send_one(self, data: bytes) -> None:
        self._send_all((data,))

    def _send_all(self, buffers: Sequence[Buffer]) -> None:
        try:
            for buffer in buffers:
                self._keep_deadline()
                self._socket.sendall(buffer)
        except TimeoutError:
            raise StreamTimeout("The other side did not take the message in time.") from None
        except (OSError, ValueError) as error:
            raise StreamClosed(f"The connection broke ({error}).") from error

    def _set_timeout(self, seconds: float) -> None:
        self._timeout_s = seconds
        self._socket.settimeout(seconds)

    def has_ended(self) -> bool:
        """As for a plain connection; reads what TLS itself has to say."""
        self._timeout_s = 0.0
        try:
            self._socket.settimeout(0)
            self._socket.recv(1)
        except ssl.SSLWantReadError:
            return False
        except (OSError, ValueError):
            return True
        return True
