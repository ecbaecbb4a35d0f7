"""Connections of a gRPC client."""

import queue
from math import inf
from time import monotonic
from typing import Any, ClassVar

import grpc

from edgeloop.errors import EdgeloopError, Overloaded, StreamClosed, StreamTimeout, TooLarge
from edgeloop.stream.codec import Encoded
from edgeloop.stream.transport.address import Address
from edgeloop.stream.transport.base import Limits, Security, Tls
from edgeloop.stream.transport.buffers import Buffers
from edgeloop.stream.transport.connections import Attempt
from edgeloop.stream.transport.envelopes import seal, unseal
from edgeloop.stream.transport.frames import Frame, Kind, check_size
from edgeloop.stream.transport.grpc.wording import (
    CALL,
    SERVICE,
    SUBSCRIBE,
    TOKEN,
    options,
    read,
    tls_of,
)
from edgeloop.stream.transport.tally import Tally

_IMPATIENT = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1_000),
]


class GrpcDoor:
    """Opens channels to one server."""

    def __init__(
        self, address: Address, *, token: str | None, tls: Security | None, limits: Limits
    ) -> None:
        self._address = address
        self._token = (token or "").encode()
        tls = tls_of(tls)
        self._credentials = None if tls is None else _credentials(tls)
        self._limits = limits
        self._buffers = Buffers()

    def open(self, tally: Tally, deadline: float, attempt: Attempt) -> "GrpcLink":
        """A channel; gRPC connects it when it is used."""
        target = self._address.authority
        chosen = [*options(self._limits), *_IMPATIENT]
        if self._credentials is None:
            channel = grpc.insecure_channel(target, chosen)
        else:
            channel = grpc.secure_channel(target, self._credentials, chosen)
        return GrpcLink(channel, self._token, self._limits, self._buffers, tally)


class GrpcLink:
    """A channel that carries one call at a time, or one subscription."""

    way: ClassVar[str] = "gRPC"

    def __init__(
        self,
        channel: grpc.Channel,
        token: bytes,
        limits: Limits,
        buffers: Buffers,
        tally: Tally,
    ) -> None:
        self._channel = channel
        self._call: Any = channel.unary_unary(f"/{SERVICE}/{CALL}")
        self._subscribe: Any = channel.stream_stream(f"/{SERVICE}/{SUBSCRIBE}")
        self._metadata = ((TOKEN, token),) if token else ()
        self._limits = limits
        self._buffers = buffers
        self._tally = tally
        self._deadline = inf
        self._running: Any = None
        self._said: queue.SimpleQueue[bytes | None] | None = None
        self._interrupted = False

    def within(self, seconds: float, *, since: float | None = None) -> None:
        """What follows must end so many seconds after ``since`` (now)."""
        self._deadline = seconds + (monotonic() if since is None else since)

    def pausing(self, seconds: float) -> None:
        """What follows may take long; gRPC's keep-alive notices a peer that is gone."""
        self._deadline = inf

    def send(self, kind: Kind, message: Encoded) -> None:
        """Begin a call or a subscription, or go on with one."""
        check_size(message, self._limits.message_bytes)
        data = seal(kind, message)
        self._tally.bytes_out += len(data)
        if kind is Kind.SUBSCRIBE:
            said = self._said = queue.SimpleQueue()
            said.put(data)
            self._running = self._subscribe(
                iter(said.get, None), metadata=self._metadata, wait_for_ready=True
            )
        elif self._said is not None:
            self._said.put(data)
        else:
            timeout = max(0.001, self._deadline - monotonic())
            self._running = self._call.future(
                data, timeout=timeout, metadata=self._metadata, wait_for_ready=True
            )
        if self._interrupted:
            self._running.cancel()

    def receive(self) -> Frame:
        """What the server answers; raises StreamTimeout, StreamClosed, TooLarge, Overloaded."""
        try:
            data = self._running.result() if self._said is None else next(self._running)
        except (grpc.FutureCancelledError, StopIteration) as error:
            raise StreamClosed("The connection was closed.") from error
        except grpc.RpcError as error:
            raise _error_from(error) from error
        self._tally.bytes_in += len(data)
        return unseal(data, self._buffers)

    def has_ended(self) -> bool:
        """Never: a channel comes back by itself."""
        return False

    def interrupt(self) -> None:
        """Wake the thread that waits for this channel: it gets StreamClosed."""
        self._interrupted = True
        if self._running is not None:
            self._running.cancel()

    def close(self) -> None:
        """Close the channel. Idempotent."""
        if self._said is not None:
            self._said.put(None)
        self._channel.close()


def _error_from(error: Any) -> EdgeloopError:
    code, why = error.code(), error.details()
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return StreamTimeout(f"No answer in time ({why}).")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        if "larger than max" in why:
            return TooLarge(f"{why}: send less at once, or raise Limits.message_bytes.")
        return Overloaded(f"The server has too much to do ({why}): call less often.")
    return StreamClosed(f"The connection broke ({code.name}: {why}).")


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(read(tls.authority), read(tls.key), read(tls.certificate))
