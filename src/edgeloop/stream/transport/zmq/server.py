"""The ZeroMQ server: one thread has the socket, others answer."""

import hmac
import logging
import os
import secrets
import threading
import weakref
from collections import deque
from dataclasses import dataclass
from typing import Any

import zmq

from edgeloop.errors import (
    CodecError,
    ConfigError,
    EdgeloopError,
    Overloaded,
    StreamClosed,
    TooLarge,
)
from edgeloop.stream.codec import Encoded, decode, encode
from edgeloop.stream.transport.address import Address, parse_address
from edgeloop.stream.transport.base import (
    Counters,
    Curve,
    Handler,
    Limits,
    Message,
    Security,
    Server,
)
from edgeloop.stream.transport.buffers import Buffers
from edgeloop.stream.transport.desk import Desk
from edgeloop.stream.transport.envelopes import answered, seal, unseal
from edgeloop.stream.transport.frames import VERSION, Frame, Kind, check_size, refusal
from edgeloop.stream.transport.tally import Ledger, Tally
from edgeloop.stream.transport.topics import Topics
from edgeloop.stream.transport.workers import Workers
from edgeloop.stream.transport.zmq.wording import bound, curve_of, prove, read_badge

log = logging.getLogger(__name__)

_PATIENCE_S = 5.0
_ARE_YOU_THERE = seal(Kind.READY, encode(None))


@dataclass(slots=True)
class _Listener:
    """A subscriber: what it wants, what it has, and whether it is done with that."""

    topic: str
    seen: int | None
    most: int
    ready: bool = True


class ZmqServer(Server):
    """Listens from the moment it is made; answers from `start` on."""

    def __init__(
        self,
        address: Address,
        handler: Handler,
        *,
        token: str | None,
        tls: Security | None,
        limits: Limits,
    ) -> None:
        self._handler = handler
        self._limits = limits
        self._ledger = Ledger()
        self._buffers = Buffers()
        self._topics: Topics[bytes] = Topics(limits.topics)
        self._workers = Workers(limits.connections)
        nonce = secrets.token_bytes(32)
        self._proof = prove(token, nonce) if token else None
        self._greeting = seal(Kind.GREETING, encode([VERSION, nonce, limits.message_bytes]))
        self._listeners: dict[bytes, _Listener] = {}
        self._to_send: deque[tuple[bytes, bytes]] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        weakref.finalize(self, os.close, self._wake)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        keys = curve_of(tls)
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._address = _bind(self._socket, address, keys, limits)

    @property
    def url(self) -> str:
        return self._address.url

    def start(self) -> None:
        if self._thread is None and not self._closing.is_set():
            self._thread = threading.Thread(target=self._run, name="zmq server", daemon=True)
            self._thread.start()

    def publish(self, topic: str, message: Message, *, version: int | None = None) -> int:
        number = self._topics.publish(topic, message, version, self._seal)
        self._ledger.count("publications")
        self._awake()
        return number

    def counters(self) -> Counters:
        return self._ledger.counters()

    def close(self) -> None:
        if self._closing.is_set():
            return
        self._closing.set()
        self._topics.close()
        if self._thread is None:
            self._end()
        else:
            self._awake()
            self._thread.join(_PATIENCE_S)
        self._workers.close()  # last: the thread hands jobs to them

    def _seal(self, message: Encoded) -> bytes:
        check_size(message, self._limits.message_bytes)
        return seal(Kind.PUBLICATION, message)

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._wake, zmq.POLLIN)
        try:
            while not self._closing.is_set():
                self._turn(poller)
        finally:
            self._end()  # whatever happened: nobody else could use the port

    def _turn(self, poller: Any) -> None:
        events = dict(poller.poll())
        if self._wake in events:
            os.eventfd_read(self._wake)
        if self._socket in events:
            self._receive()
        while self._to_send:
            self._send(*self._to_send.popleft())
        self._tell()

    def _end(self) -> None:
        self._socket.close(linger=0)
        self._context.term()

    def _awake(self) -> None:
        os.eventfd_write(self._wake, 1)

    def _receive(self) -> None:
        """Take one message and see to it that it is answered."""
        parts = self._socket.recv_multipart(copy=False)
        who = parts[0].bytes
        try:
            if len(parts) != 3:
                raise CodecError("The client does not speak this protocol.")
            proof, most = read_badge(parts[1].bytes)
            frame = unseal(parts[2].buffer, self._buffers)
            if frame[0] is Kind.HELLO or not self._is_known(proof):
                self._send(who, self._greeting)
            else:
                self._attend(who, frame, most)
        except EdgeloopError as error:
            self._send(who, seal(Kind.FAILURE, refusal(error)))

    def _is_known(self, proof: bytes) -> bool:
        return self._proof is None or hmac.compare_digest(proof, self._proof)

    def _attend(self, who: bytes, frame: Frame, most: int) -> None:
        kind, header, body = frame
        if kind is Kind.SUBSCRIBE:
            self._subscribe(who, *self._topics.wish(decode(header, body)), most)
        elif kind is Kind.READY:
            self._continue(who)
        else:
            self._workers.submit(self._answer, who, frame, most)

    def _continue(self, who: bytes) -> None:
        if who not in self._listeners:
            raise StreamClosed("The server does not know this subscription any more.")
        self._listeners[who].ready = True

    def _subscribe(self, who: bytes, topic: str, seen: int | None, most: int) -> None:
        if who not in self._listeners:
            if len(self._listeners) >= self._limits.connections:
                self._forget_the_gone()
            if len(self._listeners) >= self._limits.connections:
                raise Overloaded(f"The server has {len(self._listeners)} subscribers already.")
            self._listeners[who] = _Listener(topic, seen, most)

    def _forget_the_gone(self) -> None:
        """Nobody says good-bye: who is gone shows when something is sent to it."""
        for who in list(self._listeners):
            self._send(who, _ARE_YOU_THERE)

    def _answer(self, who: bytes, frame: Frame, most: int) -> None:
        tally = Tally()
        tally.bytes_in = len(frame[1]) + len(frame[2])
        desk = Desk(self._handler, tally)
        answer = answered(desk, frame, min(most, self._limits.message_bytes))
        tally.bytes_out = len(answer)
        self._ledger.add(tally)
        self._to_send.append((who, answer))
        self._awake()

    def _tell(self) -> None:
        """Send what is new to all subscribers that are done with the last."""
        for who, listener in list(self._listeners.items()):
            if listener.ready:
                edition = self._topics.newer(listener.topic, listener.seen, timeout_s=0)
                if edition is not None:
                    listener.seen, listener.ready = edition.version, False
                    self._send(who, self._fitting(edition.body, listener))

    def _fitting(self, envelope: bytes, listener: _Listener) -> bytes:
        if len(envelope) <= listener.most:
            return envelope
        message = f"The publication has {len(envelope)} bytes, {listener.most} are allowed."
        return seal(Kind.FAILURE, refusal(TooLarge(message)))

    def _send(self, who: bytes, envelope: bytes) -> None:
        try:
            self._socket.send_multipart([who, envelope], zmq.NOBLOCK, copy=False)
        except zmq.ZMQError as error:  # it is gone, or takes nothing
            log.debug("a client could not be answered: %s", error)
            self._listeners.pop(who, None)


def _bind(made: Any, address: Address, curve: Curve | None, limits: Limits) -> Address:
    try:
        bound(made, limits, address.host)
        made.setsockopt(zmq.ROUTER_MANDATORY, 1)
        if curve is not None:
            if not (curve.public and curve.secret):
                raise ConfigError("A server with CURVE needs its public and its secret key.")
            made.curve_publickey = curve.public.encode()
            made.curve_secretkey = curve.secret.encode()
            made.curve_server = True
        made.bind(f"tcp://{address.authority}")
    except (zmq.ZMQError, ConfigError) as error:
        made.close(linger=0)
        made.context.term()
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"Cannot listen at {address.url}: {error}.") from error
    endpoint = made.getsockopt_string(zmq.LAST_ENDPOINT)
    port = parse_address(endpoint).port
    return Address(address.scheme, address.host, port)
