"""How a native client gets in: dials, shakes hands, takes the shortcut on the same host."""

import socket
import ssl
from functools import partial
from time import monotonic

from edgeloop.errors import StreamError, StreamTimeout, Unauthenticated
from edgeloop.stream.transport.address import Address
from edgeloop.stream.transport.base import Limits, Security
from edgeloop.stream.transport.buffers import Buffers
from edgeloop.stream.transport.connections import Attempt
from edgeloop.stream.transport.native.handshake import enter, greet
from edgeloop.stream.transport.native.listener import dial, dial_nearby
from edgeloop.stream.transport.native.unix import plain_wire
from edgeloop.stream.transport.native.wire import TlsWire, Wire
from edgeloop.stream.transport.tally import Tally
from edgeloop.stream.transport.tls import client_context


class NativeDoor:
    """Opens connections to one server."""

    def __init__(
        self, address: Address, *, token: str | None, tls: Security | None, limits: Limits
    ) -> None:
        self._address = address
        self._token = token
        self._tls = client_context(tls)
        self._limits = limits
        self._buffers = Buffers()

    def open(self, tally: Tally, deadline: float, attempt: Attempt) -> Wire:
        """A connection that may be used; raises OSError, and what the handshake raises."""
        wire = self._dial(tally, deadline, attempt)
        try:
            attempt.waits(wire.interrupt)
            wire.within(_left(deadline))
            greeting = greet(wire)
            nearby = self._nearby(greeting.shortcut, tally, deadline)
            if nearby is not None:
                wire.close()
                wire = nearby
                attempt.waits(wire.interrupt)
                wire.within(_left(deadline))
                greeting = greet(wire)
            enter(wire, greeting, self._token, self._limits)
        except BaseException:
            wire.close()
            raise
        return wire

    def _dial(self, tally: Tally, deadline: float, attempt: Attempt) -> Wire:
        connection = dial(
            self._address, _left(deadline), lambda sock: attempt.waits(partial(_cut, sock))
        )
        if self._tls is None:
            return plain_wire(connection, self._buffers, tally, self._limits)
        secured = connection
        try:
            connection.settimeout(_left(deadline))
            secured = self._tls.wrap_socket(
                connection, server_hostname=self._address.host, do_handshake_on_connect=False
            )
            attempt.waits(partial(_cut, secured))
            _shake_hands(secured, self._address)
        except BaseException:
            secured.close()
            raise
        return TlsWire(secured, self._buffers, tally)

    def _nearby(self, name: str, tally: Tally, deadline: float) -> Wire | None:
        """The same server by a Unix socket; None where it is on another host."""
        if not name or not self._limits.shortcut or self._address.scheme != "tcp":
            return None
        try:
            connection = dial_nearby(name, _left(deadline))
        except OSError:
            return None
        return plain_wire(connection, self._buffers, tally, self._limits)


def _shake_hands(secured: ssl.SSLSocket, address: Address) -> None:
    try:
        secured.do_handshake()
    except ssl.SSLCertVerificationError as error:
        raise Unauthenticated(
            f"The certificate of {address.url} is not trusted ({error.verify_message}): "
            "give its authority, or the name that it is for."
        ) from error
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        raise
    except ssl.SSLError as error:
        raise StreamError(f"TLS with {address.url} failed ({error.reason}): is it on?") from error


def _cut(connection: socket.socket) -> None:
    socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _left(deadline: float) -> float:
    left = deadline - monotonic()
    if left <= 0:
        raise StreamTimeout("The time for connecting is over.")
    return left
