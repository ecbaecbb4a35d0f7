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
from typing import ClassVar

from edgeloop.errors import CodecError, StreamClosed, StreamError, StreamTimeout, TooLarge
from edgeloop.stream.codec import MAX_HEADER_BYTES, Encoded
from edgeloop.stream.transport.base import LONGEST_S
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
_unpack_whole = struct.Struct("<8sIQQ").unpack_from
_PLAIN_STARTS = {PREFIX.pack(MAGIC, kind, 0, 0, 0, 0, 0)[:8]: kind for kind in Kind}
"""What a frame begins with whose body is behind its header."""

Buffer = bytes | memoryview
Shared = tuple[int, int, int, int, int]
"""place, slot, header bytes, body bytes, released slots"""


class Wire:
    """One connection. One thread at a time uses and closes it; `interrupt` is for others.

    ``max_bytes`` bounds the frames that come in, ``max_bytes_out`` is what the other side takes.
    """

    way: ClassVar[str] = "TCP"

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
        self._most_joined = -1
        self._released: deque[int] = deque()
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        sock.settimeout(None)

    def widen(self, max_bytes: int, max_bytes_out: int) -> None:
        """Allow larger frames than those of the handshake."""
        self.max_bytes, self.max_bytes_out = max_bytes, max_bytes_out
        if max_bytes_out > 2 * _JOINED_BYTES:  # else each has to be looked at
            self._most_joined = int(min(_JOINED_BYTES, self._share_from - 1))

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
        header, size = message.header, message.size
        if size > self._most_joined or len(header) > _JOINED_BYTES:
            self._send_large(kind, message)
            return
        releases = self._releases() if self._released else 0
        prefix = _pack(MAGIC, kind, 0, 0, len(header), size, releases)
        data = message.joined(prefix) if size else prefix + header
        self._tally.bytes_out += len(data)
        try:
            sent = self._socket.send(data)
            if sent < len(data):
                self._send_rest((data,), sent)
        except (OSError, ValueError) as error:
            raise _broken(error) from error

    def receive(self) -> Frame:
        """The next frame; raises StreamTimeout, StreamClosed, CodecError, TooLarge.

        Arrays decoded from its body are writable and nobody else's.
        """
        if self._start != self._end:
            return self._receive_slowly()
        ahead = self._ahead
        try:
            end = self._socket.recv_into(ahead)
        except (OSError, ValueError) as error:
            raise _broken(error, idle=True) from error
        if _PREFIX_BYTES <= end <= self.max_bytes:
            start, header_size, size, released = _unpack_whole(ahead)
            middle = _PREFIX_BYTES + header_size
            if middle + size == end and start in _PLAIN_STARTS and not released:
                # The way of most: the whole frame, and nothing else, came with one system call.
                self._tally.bytes_in += end
                body = bytearray(ahead[middle:end]) if size else bytearray()
                return _PLAIN_STARTS[start], ahead[_PREFIX_BYTES:middle].tobytes(), body
        self._start, self._end = 0, end
        return self._receive_slowly()

    def _send_large(self, kind: Kind, message: Encoded) -> None:
        header, size = message.header, message.size
        check_size(message, self.max_bytes_out)
        self._tally.bytes_out += _PREFIX_BYTES + len(header) + size
        if size >= self._share_from and self._send_shared(kind, message):
            return
        releases = self._releases() if self._released else 0
        prefix = _pack(MAGIC, kind, 0, 0, len(header), size, releases)
        try:
            self._send_all((prefix, header, *message.pieces()))
        except (OSError, ValueError) as error:
            raise _broken(error) from error

    def _receive_slowly(self) -> Frame:
        """A frame that came in pieces, together with others, or is not as it should be."""
        while self._end - self._start < _PREFIX_BYTES:
            self._fill()
        magic, kind, place, slot, header_size, size, released = _unpack(self._ahead, self._start)
        if magic != MAGIC or kind not in _KINDS:
            raise CodecError("The other side does not speak this protocol, or another version.")
        if header_size > MAX_HEADER_BYTES or header_size + size > self.max_bytes:
            raise TooLarge(
                f"The message has {header_size + size} bytes, {self.max_bytes} are allowed."
            )
        self._tally.bytes_in += _PREFIX_BYTES + header_size + size
        self._start += _PREFIX_BYTES
        if released or place:
            return self._receive_shared(_KINDS[kind], (place, slot, header_size, size, released))
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

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are; raises StreamTimeout, StreamClosed."""
        try:
            sent = self._socket.send(data)
            if sent < len(data):
                self._send_rest((data,), sent)
        except (OSError, ValueError) as error:
            raise _broken(error) from error

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
        except (OSError, ValueError) as error:
            raise _broken(error, idle=not self._end) from error
        if not count:
            raise StreamClosed("The other side closed the connection.")
        return count

    def _send_all(self, buffers: Sequence[Buffer]) -> None:
        for first in range(0, len(buffers), _MOST_BUFFERS):
            some = buffers[first : first + _MOST_BUFFERS]
            self._send_rest(some, self._socket.sendmsg(some))

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
        seconds = min(seconds, LONGEST_S)
        value = struct.pack("ll", int(seconds), max(1, int(seconds % 1 * 1e6)))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)


class TlsWire(Wire):
    """Frames in TLS: no vectors of buffers, and time-outs by Python."""

    way = "TCP with TLS"

    def _send_all(self, buffers: Sequence[Buffer]) -> None:
        for buffer in buffers:
            self._keep_deadline()
            self._socket.sendall(buffer)

    def _set_timeout(self, seconds: float) -> None:
        self._timeout_s = seconds
        self._socket.settimeout(min(seconds, LONGEST_S))

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


def _broken(error: Exception, *, idle: bool = False) -> StreamError:
    if isinstance(error, BlockingIOError | TimeoutError):
        kind = Idle if idle else StreamTimeout
        return kind("The other side did not answer, or take the message, in time.")
    return StreamClosed(f"The connection broke ({error}).")
