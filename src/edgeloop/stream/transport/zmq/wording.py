"""What both sides of a ZeroMQ connection must agree on.

A message from a client is [badge, envelope], one from a server [envelope]. The badge shows that the
client has the token, for the nonce that the server made when it was started, and says how large a
message it takes. A server that does not accept it greets: it says its nonce for another badge.
A server without room for one more subscriber says READY to those it has, which pass it over: that
cannot be sent to who is gone.
"""

import hmac
from typing import Any

import zmq

from edgeloop.errors import ConfigError
from edgeloop.stream.transport.base import Curve, Limits, Security
from edgeloop.stream.transport.envelopes import OVERHEAD_BYTES

HEARTBEAT_MS = 5_000
HEARTBEAT_TIMEOUT_MS = 20_000


def badge(token: str | None, nonce: bytes, limits: Limits) -> bytes:
    """Shows that one has the token without sending it, and says what one takes."""
    return limits.message_bytes.to_bytes(8, "little") + prove(token, nonce)


def read_badge(shown: bytes) -> tuple[bytes, int]:
    """The proof, and the bytes that the client takes."""
    return shown[8:], int.from_bytes(shown[:8], "little")


def prove(token: str | None, nonce: bytes) -> bytes:
    """What only who has the token can make of the nonce."""
    return hmac.digest((token or "").encode(), nonce, "sha256")


def curve_of(security: Security | None) -> Curve | None:
    """The keys; raises ConfigError for other kinds of security."""
    if security is None or isinstance(security, Curve):
        return security
    raise ConfigError("Certificates are for other URLs: use Curve with zmq://.")


def bound(made: Any, limits: Limits, host: str) -> None:
    """The options that every socket has."""
    made.setsockopt(zmq.LINGER, 0)
    made.setsockopt(zmq.MAXMSGSIZE, limits.message_bytes + OVERHEAD_BYTES)
    made.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    made.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
    made.setsockopt(zmq.HANDSHAKE_IVL, int(limits.handshake_s * 1000))
    made.setsockopt(zmq.IPV6, int(":" in host))
