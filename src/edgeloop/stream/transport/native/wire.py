"""Frames on a socket: one system call out, pooled memory in, a deadline on everything."""

import contextlib
import select
import socket
import ssl
import struct
from collections.abc import Sequence
from math import inf
from time import monotonic

from edgeloop.errors import CodecError, StreamClosed, StreamTimeout, TooLarge
from edgeloop.stream.codec import MAX_HEADER_BYTES, Encoded
from edgeloop.stream.transport.frames import MAGIC, PREFIX, Frame, Idle, Kind, check_size
from edgeloop.stream.transport.native.buffers import Buffers
from edgeloop.stream.transport.tally import Tally

_READ_AHEAD = 1 << 16
_JOINED_BYTES = 1 << 16
_MOST_BUFFERS = 512
_KINDS = {int(kind): kind for kind in Kind}
_Buffer = bytes | memoryview


class Wire:
    """One connection. One thread at a time uses and closes it; `interrupt` is for others.

    ``max_bytes`` bounds the frames that come in, ``max_bytes_out`` is what the other side takes.
    """

    def __init__(self, sock: socket.socket, buffers: Buffers, tally: Tally) -> None:
        self.max_bytes = self.max_bytes_out = 1 << 12
        self._socket = sock
        self._buffers = buffers
        self._tally = tally
        self._ahead = memoryview(bytearray(_READ_AHEAD))
        self._start = 0
        self._end = 0
        self._timeout_s = 0.0
        self._deadline = 0.0
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        sock.settimeout(None)

    def within(self, seconds: float) -> None:
        """What follows must be done within so many seconds; else it raises StreamTimeout."""
        self._deadline = monotonic() + seconds
        if seconds != self._timeout_s:
            self._set_timeout(seconds)

    def pausing(self, seconds: float) -> None:
        """What follows may take long, but never pause for so many seconds."""
        self._deadline = inf
        if seconds != self._timeout_s:
            self._set_timeout(seconds)

    def send(self, kind: Kind, message: Encoded) -> None:
        """Send a frame; raises TooLarge with nothing sent, StreamTimeout, StreamClosed."""
        check_size(message, self.max_bytes_out)
        header = message.header
        prefix = PREFIX.pack(MAGIC, kind, 0, 0, len(header), message.size, 0)
        self._tally.bytes_out += len(prefix) + len(header) + message.size
        if message.size <= _JOINED_BYTES:
            self._send_all([b"".join((prefix, header, *message.buffers()))])
        else:
            self._send_all([prefix, header, *message.buffers()])

    def receive(self) -> Frame:
        """The next frame; raises StreamTimeout, StreamClosed, CodecError, TooLarge.

        Arrays decoded from its body are writable and nobody else's.
        """
        while self._end - self._start < PREFIX.size:
            self._fill()
        magic, kind, _, _, header_size, size, _ = PREFIX.unpack_from(self._ahead, self._start)
        if magic != MAGIC or kind not in _KINDS:
            raise CodecError("The other side does not speak this protocol, or another version.")
        if header_size > MAX_HEADER_BYTES or header_size + size > self.max_bytes:
            raise TooLarge(
                f"The message has {header_size + size} bytes, {self.max_bytes} are allowed."
            )
        self._tally.bytes_in += PREFIX.size + header_size + size
        self._start += PREFIX.size
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

    def _take(self, size: int) -> bytearray | memoryview:
        """The next ``size`` bytes, in memory of their own."""
        there = min(size, self._end - self._start)
        piece = self._ahead[self._start : self._start + there]
        if size <= _READ_AHEAD:
            target: bytearray | memoryview = bytearray(size)
        else:
            target = self._buffers.lend(size)
        view = memoryview(target)
        view[:there] = piece
        self._start += there
        while there < size:
            self._keep_deadline()
            there += self._receive_into(view[there:])
        return target

    def _fill(self) -> None:
        if self._start == self._end:
            self._start = self._end = 0
        else:
            self._keep_deadline()
        if self._end == _READ_AHEAD:
            rest = bytes(self._ahead[self._start : self._end])
            self._ahead[: len(rest)] = rest
            self._start, self._end = 0, len(rest)
        self._end += self._receive_into(self._ahead[self._end :] if self._end else self._ahead)

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

    def _send_all(self, buffers: Sequence[_Buffer]) -> None:
        try:
            for first in range(0, len(buffers), _MOST_BUFFERS):
                self._send_some(buffers[first : first + _MOST_BUFFERS])
        except (BlockingIOError, TimeoutError):
            raise StreamTimeout("The other side did not take the message in time.") from None
        except (OSError, ValueError) as error:
            raise StreamClosed(f"The connection broke ({error}).") from error

    def _send_some(self, buffers: Sequence[_Buffer]) -> None:
        sent = self._socket.sendmsg(buffers)
        for buffer in buffers:
            if sent >= len(buffer):
                sent -= len(buffer)
            else:
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
        whole = int(seconds)
        value = struct.pack("ll", whole, max(1, int((seconds - whole) * 1e6)))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)


class TlsWire(Wire):
    """Frames in TLS: no vectors of buffers, and time-outs by Python."""

    def _send_some(self, buffers: Sequence[_Buffer]) -> None:
        for buffer in buffers:
            self._socket.sendall(buffer)

    def _set_timeout(self, seconds: float) -> None:
        self._timeout_s = seconds
        self._socket.settimeout(seconds)

    def has_ended(self) -> bool:
        """As for a plain connection: what is pending inside TLS is not looked at."""
        try:
            self._socket.settimeout(0)
            return not self._socket.recv(1)
        except ssl.SSLWantReadError:
            return False
        except (OSError, ValueError):
            return True
        finally:
            self._timeout_s = 0.0
