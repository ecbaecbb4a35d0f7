"""The first frames of a connection: who is there, and may it come in."""

import hmac
import secrets
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from edgeloop.errors import CodecError, EdgeloopError, StreamError, Unauthenticated
from edgeloop.stream.codec import decode, encode
from edgeloop.stream.transport.base import Limits
from edgeloop.stream.transport.frames import VERSION, Frame, Kind, error_from, refusal
from edgeloop.stream.transport.native.wire import Wire

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a server says first.

    ``nonce`` is what the client proves its token with; ``shortcut`` names a Unix socket in the
    kernel's own namespace by which clients of the same host come in.
    """

    nonce: bytes
    shortcut: str = ""


def let_in(wire: Wire, token: str | None, limits: Limits, *, shortcut: str) -> None:
    """The server's part; raises Unauthenticated, and what `Wire.receive` raises."""
    wire.within(limits.handshake_s)
    nonce = secrets.token_bytes(32)
    wire.send(Kind.GREETING, encode([VERSION, nonce, shortcut]))
    try:
        kind, header, body = wire.receive()
        proof, most = _converted(decode(header, body), tuple[bytes, int])
        if kind is not Kind.HELLO or not is_proof(proof, token, nonce):
            raise Unauthenticated("The token is missing or wrong: use the one of the server.")
    except (CodecError, Unauthenticated) as error:
        wire.send(Kind.FAILURE, refusal(error))
        raise
    wire.send(Kind.WELCOME, encode(limits.message_bytes))
    wire.widen(limits.message_bytes, min(limits.message_bytes, most))


def refuse(wire: Wire, error: EdgeloopError, limits: Limits) -> None:
    """Tell a client why it cannot come in."""
    wire.within(limits.handshake_s)
    wire.send(Kind.FAILURE, refusal(error))


def greet(wire: Wire) -> Greeting:
    """The client's first part: what the server says of itself."""
    values = _expected(wire.receive(), Kind.GREETING)
    version, nonce, shortcut = _converted(values, tuple[int, bytes, str])
    if version != VERSION:
        raise StreamError(
            f"The server speaks version {version} of the protocol, this client {VERSION}: "
            "install the same edgeloop on both sides."
        )
    return Greeting(nonce, shortcut)


def enter(wire: Wire, greeting: Greeting, token: str | None, limits: Limits) -> None:
    """The client's second part; raises Unauthenticated."""
    wire.send(Kind.HELLO, encode([prove(token, greeting.nonce), limits.message_bytes]))
    most = _converted(_expected(wire.receive(), Kind.WELCOME), int)
    wire.widen(limits.message_bytes, min(limits.message_bytes, most))


def prove(token: str | None, nonce: bytes) -> bytes:
    """Shows that one has the token without sending it."""
    return hmac.digest((token or "").encode(), nonce, "sha256")


def is_proof(proof: bytes, token: str | None, nonce: bytes) -> bool:
    """Whether the token stands behind ``proof``; everything does where no token is needed."""
    return not token or hmac.compare_digest(proof, prove(token, nonce))


def _converted(values: Any, kind: type[T]) -> T:
    try:
        return msgspec.convert(values, kind, strict=True)
    except msgspec.ValidationError as error:
        raise CodecError(f"The handshake is not readable ({error}).") from error


def _expected(frame: Frame, wanted: Kind) -> Any:
    kind, header, body = frame
    content = decode(header, body)
    if kind is Kind.FAILURE:
        raise error_from(content)
    if kind is not wanted:
        raise CodecError("The server does not keep to the protocol: is it of another version?")
    return content
