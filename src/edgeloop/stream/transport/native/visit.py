"""One connection of the native server, from the handshake to its end."""

import contextlib
import logging
import socket
import ssl
from dataclasses import dataclass

from edgeloop.errors import (
    CodecError,
    EdgeloopError,
    Overloaded,
    StreamClosed,
    StreamError,
    TooLarge,
)
from edgeloop.stream.codec import Encoded, decode
from edgeloop.stream.codec.decoding import Body
from edgeloop.stream.transport.base import Handler, Limits
from edgeloop.stream.transport.buffers import Buffers
from edgeloop.stream.transport.desk import Desk
from edgeloop.stream.transport.frames import Idle, Kind, refusal
from edgeloop.stream.transport.native.handshake import let_in, refuse
from edgeloop.stream.transport.native.segments import SharedMessage
from edgeloop.stream.transport.native.unix import plain_wire
from edgeloop.stream.transport.native.wire import TlsWire, Wire
from edgeloop.stream.transport.tally import Ledger
from edgeloop.stream.transport.topics import Topics

log = logging.getLogger(__name__)

_CALL, _SUBSCRIBE = Kind.CALL, Kind.SUBSCRIBE
_LOOK_S = 2.0
"""How often a silent topic's subscriber is looked at: is it still there?"""


@dataclass(frozen=True, slots=True)
class House:
    """What all connections of a server share."""

    handler: Handler
    token: str | None
    tls: ssl.SSLContext | None
    limits: Limits
    shortcut: str
    ledger: Ledger
    buffers: Buffers
    topics: Topics[Encoded]


class Visit:
    """A client that came; ``refused`` says why it cannot stay."""

    def __init__(
        self, connection: socket.socket, house: House, *, refused: Overloaded | None
    ) -> None:
        self._socket = connection
        self._house = house
        self._refused = refused
        self._interrupted = False
        self._tally = house.ledger.open()

    def run(self) -> None:
        """Serve the client until it goes. Never raises for what the client does."""
        try:
            self._serve()
        except (EdgeloopError, OSError) as error:
            log.debug("a connection ended: %s", error)
        finally:
            self.end()

    def end(self) -> None:
        """Close the connection."""
        self._house.ledger.close(self._tally)
        self._socket.close()

    def interrupt(self) -> None:
        """End the visit from another thread."""
        self._interrupted = True  # first: the handshake of TLS makes another socket of ours
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _serve(self) -> None:
        house = self._house
        wire = self._wire()
        if self._refused:
            house.ledger.count("refused")
            refuse(wire, self._refused, house.limits)
            return
        try:
            let_in(wire, house.token, house.limits, shortcut=house.shortcut)
        except StreamClosed:  # it went away, maybe to come by the shortcut
            raise
        except EdgeloopError:
            house.ledger.count("refused")
            raise
        wire.pausing(house.limits.stall_s)
        desk = Desk(house.handler, self._tally)
        while True:
            try:
                self._turn(wire, desk)
            except Idle:
                continue

    def _wire(self) -> Wire:
        house = self._house
        if house.tls is None:
            return plain_wire(self._socket, house.buffers, self._tally, house.limits)
        self._socket.settimeout(house.limits.handshake_s)
        secured = house.tls.wrap_socket(
            self._socket, server_side=True, do_handshake_on_connect=False
        )
        self._socket = secured
        if self._interrupted:
            raise StreamClosed("The server was closed.")
        secured.do_handshake()
        return TlsWire(secured, house.buffers, self._tally)

    def _turn(self, wire: Wire, desk: Desk) -> None:
        # All that refers to the message ends with this call: its memory can be used again.
        try:
            kind, header, body = wire.receive()
            if kind is _SUBSCRIBE:
                self._tell(wire, header, body)
            if kind is not _CALL:
                raise CodecError("A client calls or subscribes.")
        except StreamError:
            raise
        except EdgeloopError as error:  # what follows in the stream cannot be told apart any more
            wire.send(Kind.FAILURE, refusal(error))
            raise
        answer = desk.answer(header, body)
        del body  # so that the answer says that its memory can be used again
        try:
            wire.send(*answer)
        except TooLarge as error:
            wire.send(Kind.FAILURE, refusal(error))

    def _tell(self, wire: Wire, header: bytes, body: Body) -> None:
        """Send each newer publication as soon as the last one was dealt with; ends by raising."""
        topics = self._house.topics
        topic, seen = topics.wish(decode(header, body))
        while not topics.closed:
            edition = topics.newer(topic, seen, timeout_s=_LOOK_S)
            if edition is None:
                if wire.has_ended():
                    break
                continue
            wire.pausing(self._house.limits.stall_s)
            wire.send(Kind.PUBLICATION, _lent(edition.body))
            seen = edition.version
            del edition
            _await_ready(wire)
        raise StreamError("the subscription is over")


def _lent(body: Encoded) -> Encoded:
    """The publication for one subscriber: sending may empty a message, others need it whole."""
    if isinstance(body, SharedMessage):
        return body
    return Encoded(body.header, [*body.parts], body.size)


def _await_ready(wire: Wire) -> None:
    while True:
        try:
            kind, _, _ = wire.receive()
        except Idle:  # a callback may take its time
            continue
        if kind is not Kind.READY:
            raise CodecError("A subscriber says when it is ready, and nothing else.")
        return
