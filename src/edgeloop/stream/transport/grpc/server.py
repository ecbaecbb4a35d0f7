"""The gRPC server."""

import hmac
import threading
from collections.abc import Iterator
from typing import Any, cast

import grpc

from edgeloop.errors import CodecError, ConfigError, EdgeloopError, Unauthenticated
from edgeloop.stream.codec import Encoded, decode
from edgeloop.stream.transport.address import Address
from edgeloop.stream.transport.base import Counters, Handler, Limits, Message, Security, Server
from edgeloop.stream.transport.buffers import Buffers
from edgeloop.stream.transport.desk import Desk
from edgeloop.stream.transport.envelopes import answered, seal, unseal
from edgeloop.stream.transport.frames import Kind, check_size, refusal
from edgeloop.stream.transport.grpc.wording import (
    CALL,
    SERVICE,
    SUBSCRIBE,
    TOKEN,
    options,
    read,
    tls_of,
)
from edgeloop.stream.transport.tally import Ledger, Tally
from edgeloop.stream.transport.topics import Topics
from edgeloop.stream.transport.workers import Workers

_PATIENCE_S = 5.0
_LOOK_S = 2.0
"""How often a silent topic's subscriber is looked at: is it still there?"""


class GrpcServer(Server):
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
        self._lock = threading.Lock()
        self._started = self._closed = False
        self._handler = handler
        self._token = (token or "").encode()
        self._limits = limits
        self._ledger = Ledger()
        self._buffers = Buffers()
        self._topics: Topics[bytes] = Topics(limits.topics)
        self._workers = Workers(limits.connections)
        self._server = grpc.server(
            cast(Any, self._workers),  # it asks for nothing but submit
            handlers=[self._methods()],
            options=[*options(limits), ("grpc.so_reuseport", 0)],
            maximum_concurrent_rpcs=limits.connections,
        )
        port = _bind(self._server, address, tls)
        self._address = Address(address.scheme, address.host, port)

    @property
    def url(self) -> str:
        return self._address.url

    def start(self) -> None:
        with self._lock:
            if not (self._started or self._closed):
                self._started = True
                self._server.start()

    def publish(self, topic: str, message: Message, *, version: int | None = None) -> int:
        number = self._topics.publish(topic, message, version, self._seal)
        self._ledger.count("publications")
        return number

    def counters(self) -> Counters:
        return self._ledger.counters()

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self._topics.close()
        self._server.stop(None).wait(_PATIENCE_S)
        self._workers.close()

    def _seal(self, message: Encoded) -> bytes:
        check_size(message, self._limits.message_bytes)
        return seal(Kind.PUBLICATION, message)

    def _methods(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                CALL: grpc.unary_unary_rpc_method_handler(self._call),
                SUBSCRIBE: grpc.stream_stream_rpc_method_handler(self._subscribe),
            },
        )

    def _call(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        tally = Tally()
        try:
            self._admit(context)
            tally.bytes_in = len(request)
            frame = unseal(request, self._buffers)
            del request
            desk = Desk(self._handler, tally)
            answer = answered(desk, frame, self._limits.message_bytes)
        except EdgeloopError as error:
            tally.failures += 1
            answer = seal(Kind.FAILURE, refusal(error))
        tally.bytes_out = len(answer)
        self._ledger.add(tally)
        return answer

    def _subscribe(
        self, requests: Iterator[bytes], context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        """Each newer publication as soon as the last one was dealt with."""
        try:
            self._admit(context)
            kind, header, body = unseal(next(requests), self._buffers)
            if kind is not Kind.SUBSCRIBE:
                raise CodecError("A client calls or subscribes.")
            topic, seen = self._topics.wish(decode(header, body))
        except EdgeloopError as error:
            yield seal(Kind.FAILURE, refusal(error))
            return
        while context.is_active() and not self._topics.closed:
            edition = self._topics.newer(topic, seen, timeout_s=_LOOK_S)
            if edition is not None:
                seen = edition.version
                yield edition.body
                del edition
                next(requests)

    def _admit(self, context: grpc.ServicerContext) -> None:
        """Raise Unauthenticated for who has not the token."""
        shown = dict(context.invocation_metadata()).get(TOKEN, b"")
        if self._token and not hmac.compare_digest(_bytes(shown), self._token):
            self._ledger.count("refused")
            raise Unauthenticated("The token is missing or wrong: use the one of the server.")


def _bind(server: grpc.Server, address: Address, security: Security | None) -> int:
    tls = tls_of(security)
    try:
        if tls is None:
            port = server.add_insecure_port(address.authority)
        else:
            port = server.add_secure_port(address.authority, _credentials(tls))
    except RuntimeError as error:
        raise ConfigError(f"Cannot listen at {address.url}: {error}.") from error
    if not port:
        raise ConfigError(f"Cannot listen at {address.url}.")
    return port


def _credentials(tls: Any) -> grpc.ServerCredentials:
    key, certificate = read(tls.key), read(tls.certificate)
    if key is None or certificate is None:
        raise ConfigError("A server with TLS needs a certificate and its key.")
    authority = read(tls.authority)
    return grpc.ssl_server_credentials(
        [(key, certificate)], authority, require_client_auth=authority is not None
    )


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
