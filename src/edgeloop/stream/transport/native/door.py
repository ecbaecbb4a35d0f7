"""How a native client gets in: dials, shakes hands, takes the shortcut on the same host."""

import socket
import ssl
from dataclasses import dataclass
from time import monotonic

from edgeloop.errors import StreamError, StreamTimeout, Unauthenticated
from edgeloop.stream.transport.address import Address
from edgeloop.stream.transport.base import Limits
from edgeloop.stream.transport.native.buffers import Buffers
from edgeloop.stream.transport.native.handshake import enter, greet
from edgeloop.stream.transport.native.listener import dial, dial_nearby
from edgeloop.stream.transport.native.unix import plain_wire
from edgeloop.stream.transport.native.wire import TlsWire, Wire
from edgeloop.stream.transport.tally import Tally


@dataclass(frozen=True, slots=True)
class Door:
    """Opens connections to one server."""

    address: Address
    token: str | None
    tls: ssl.SSLContext | None
    limits: Limits
    buffers: Buffers

    def open(self, tally: Tally, deadline: float) -> Wire:
        """A connection that may be used; raises OSError, and what the handshake raises."""
        wire = self._dial(tally, deadline)
        try:
            wire.within(_left(deadline))
            greeting = greet(wire)
            nearby = self._nearby(greeting.shortcut, tally, deadline)
            if nearby is not None:
                wire.close()
                wire = nearby
                wire.within(_left(deadline))
                greeting = greet(wire)
            enter(wire, greeting, self.token, self.limits)
        except BaseException:
            wire.close()
            raise
        return wire

    def _dial(self, tally: Tally, deadline: float) -> Wire:
        connection = dial(self.address, _left(deadline))
        if self.tls is None:
            return plain_wire(connection, self.buffers, tally, self.limits)
        connection.settimeout(_left(deadline))
        try:
            secured = _secured(connection, self.tls, self.address)
        except BaseException:
            connection.close()
            raise
        return TlsWire(secured, self.buffers, tally)

    def _nearby(self, name: str, tally: Tally, deadline: float) -> Wire | None:
        """The same server by a Unix socket; None where it is on another host."""
        if not name or not self.limits.shortcut or self.address.scheme != "tcp":
            return None
        try:
            connection = dial_nearby(name, _left(deadline))
        except OSError:
            return None
        return plain_wire(connection, self.buffers, tally, self.limits)


def _secured(connection: socket.socket, tls: ssl.SSLContext, address: Address) -> ssl.SSLSocket:
    try:
        return tls.wrap_socket(connection, server_hostname=address.host)
    except ssl.SSLCertVerificationError as error:
        raise Unauthenticated(
            f"The certificate of {address.url} is not trusted ({error.verify_message}): "
            "give its authority, or the name that it is for."
        ) from error
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        raise
    except ssl.SSLError as error:
        raise StreamError(f"TLS with {address.url} failed ({error.reason}): is it on?") from error


def _left(deadline: float) -> float:
    left = deadline - monotonic()
    if left <= 0:
        raise StreamTimeout("The time for connecting is over.")
    return left
