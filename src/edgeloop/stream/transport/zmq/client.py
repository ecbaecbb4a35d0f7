"""Connections of a ZeroMQ client."""

import math
import os
import weakref
from math import inf
from time import monotonic
from typing import Any, ClassVar

import zmq

from edgeloop.errors import CodecError, ConfigError, StreamClosed, StreamTimeout, Unauthenticated
from edgeloop.stream.codec import Encoded, decode, encode
from edgeloop.stream.transport.address import Address
from edgeloop.stream.transport.base import Curve, Limits, Security
from edgeloop.stream.transport.buffers import Buffers
from edgeloop.stream.transport.connections import Attempt
from edgeloop.stream.transport.envelopes import seal, unseal
from edgeloop.stream.transport.frames import VERSION, Frame, Idle, Kind, check_size
from edgeloop.stream.transport.tally import Tally
from edgeloop.stream.transport.zmq.wording import badge, bound, curve_of

_BEAT_S = 1.0
"""How often a subscriber says that it is there: the server may have been started again."""


class ZmqDoor:
    """Opens sockets to one server."""

    def __init__(
        self, address: Address, *, token: str | None, tls: Security | None, limits: Limits
    ) -> None:
        self._address = address
        self._token = token
        self._curve = curve_of(tls)
        if self._curve is not None and not self._curve.server:
            raise ConfigError("A client with CURVE needs the server's public key.")
        self._limits = limits
        self._buffers = Buffers()

    def open(self, tally: Tally, deadline: float, attempt: Attempt) -> "ZmqLink":
        """A socket that was greeted; raises StreamTimeout, StreamClosed, CodecError."""
        made: Any = zmq.Context.instance().socket(zmq.DEALER)
        link = ZmqLink(made, self._token, self._limits, self._buffers, tally)
        try:
            bound(made, self._limits, self._address.host)
            made.setsockopt(zmq.RECONNECT_IVL, 20)
            made.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
            if self._curve is not None:
                _encrypt(made, self._curve)
            made.connect(f"tcp://{self._address.authority}")
            link.within(max(0.001, deadline - monotonic()))
            attempt.waits(link.interrupt)
            link.greet()
        except BaseException:
            link.close()
            raise
        return link


class ZmqLink:
    """A DEALER socket that carries one call at a time, or one subscription."""

    way: ClassVar[str] = "ZeroMQ"

    def __init__(
        self, made: Any, token: str | None, limits: Limits, buffers: Buffers, tally: Tally
    ) -> None:
        self._socket = made
        self._token = token
        self._limits = limits
        self._most = limits.message_bytes
        self._buffers = buffers
        self._tally = tally
        self._nonce = b""
        self._badge = badge(None, b"", limits)
        self._last = b""
        self._listens = False
        self._deadline = self._pause_s = inf
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        weakref.finalize(self, os.close, self._wake)
        self._poller = zmq.Poller()
        self._poller.register(made, zmq.POLLIN)
        self._poller.register(self._wake, zmq.POLLIN)

    def greet(self) -> None:
        """Learn what the server says of itself."""
        self._post(seal(Kind.HELLO, encode(None)))
        self._meet(unseal(self._next(), self._buffers))

    def within(self, seconds: float, *, since: float | None = None) -> None:
        """What follows must end so many seconds after ``since`` (now)."""
        self._deadline = seconds + (monotonic() if since is None else since)

    def pausing(self, seconds: float) -> None:
        """What follows may take long, but never pause for so many seconds."""
        self._deadline, self._pause_s = inf, seconds

    def send(self, kind: Kind, message: Encoded) -> None:
        """Send a frame; raises TooLarge, StreamClosed."""
        check_size(message, self._most)
        envelope = seal(kind, message)
        if kind is not Kind.READY:
            self._last = envelope
            self._listens = kind is Kind.SUBSCRIBE
        self._post(envelope)

    def receive(self) -> Frame:
        """The next frame; raises StreamTimeout, StreamClosed, CodecError, Unauthenticated."""
        while True:
            frame = unseal(self._next(), self._buffers)
            if frame[0] is Kind.READY:  # the server asks whether we are there
                continue
            if frame[0] is not Kind.GREETING:
                return frame
            known = self._nonce
            self._meet(frame)
            if self._nonce == known:
                raise Unauthenticated("The token is missing or wrong: use the one of the server.")
            self._post(self._last)  # it was not looked at: the server was started again

    def has_ended(self) -> bool:
        """Never: the socket comes back by itself, a restarted server greets."""
        return False

    def interrupt(self) -> None:
        """Wake the thread that waits for this socket: it gets StreamClosed."""
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Close the socket. Idempotent."""
        self._socket.close(linger=0)

    def _meet(self, frame: Frame) -> None:
        kind, header, body = frame
        match decode(header, body) if kind is Kind.GREETING else None:
            case [int(version), bytes(nonce), int(most)] if version == VERSION:
                self._nonce = nonce
                self._badge = badge(self._token, nonce, self._limits)
                self._most = min(self._limits.message_bytes, most)
            case _:
                raise CodecError(
                    "The server is of another version: install the same on both sides."
                )

    def _post(self, envelope: bytes) -> None:
        self._tally.bytes_out += len(envelope)
        try:
            self._socket.send_multipart([self._badge, envelope], copy=False)
        except zmq.ZMQError as error:
            raise StreamClosed(f"The connection broke ({error}).") from error

    def _next(self) -> memoryview:
        """The next envelope; a subscriber says now and then that it is there."""
        end = min(self._deadline, monotonic() + self._pause_s)
        while (left := end - monotonic()) > 0:
            events = dict(self._poller.poll(math.ceil(1000 * min(left, _BEAT_S))))
            if self._wake in events:
                raise StreamClosed("The connection was closed.")
            if self._socket in events:
                [envelope] = self._socket.recv_multipart(copy=False)
                self._tally.bytes_in += len(envelope.buffer)
                return memoryview(envelope.buffer)
            if self._listens:
                self._post(self._last)
        if self._deadline == inf:
            raise Idle("Nothing was published.")
        raise StreamTimeout("The server did not answer in time.")


def _encrypt(made: Any, curve: Curve) -> None:
    public, secret = curve.public.encode(), curve.secret.encode()
    if not (public and secret):
        public, secret = zmq.curve_keypair()
    made.curve_publickey = public
    made.curve_secretkey = secret
    made.curve_serverkey = curve.server.encode()
