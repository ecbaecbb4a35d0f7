"""Calls and publications between processes and machines; chosen by URL.

`serve` and `connect` take ``tcp://HOST:PORT`` (or just HOST:PORT), ``unix:///PATH``,
``grpc://HOST:PORT`` and ``zmq://HOST:PORT``.
"""

import logging

from edgeloop.stream.transport.address import parse_address
from edgeloop.stream.transport.base import (
    Callback,
    Client,
    Counters,
    Curve,
    Handler,
    Limits,
    Message,
    Publication,
    Security,
    Server,
    Subscription,
    Tls,
)
from edgeloop.stream.transport.calling import CallingClient
from edgeloop.stream.transport.choosing import transport_of

__all__ = [
    "Callback",
    "Client",
    "Counters",
    "Curve",
    "Handler",
    "Limits",
    "Message",
    "Publication",
    "Security",
    "Server",
    "Subscription",
    "Tls",
    "connect",
    "serve",
]

log = logging.getLogger(__name__)

DEFAULT_TIMEOUT_S = 10.0


def serve(
    url: str,
    handler: Handler,
    *,
    token: str | None = None,
    tls: Security | None = None,
    limits: Limits | None = None,
) -> Server:
    """A server that answers calls by ``handler``; it listens already, and answers once started.

    Port 0 takes a free one: see `Server.url`. Who has no ``token`` is refused where there is one.
    Raises ConfigError where it cannot listen.
    """
    make, _ = transport_of(address := parse_address(url))
    if address.is_public and not token:
        log.warning("%s is open to everybody who reaches it: give it a token, and TLS", url)
    return make(address, handler, token=token, tls=tls, limits=limits or Limits())


def connect(
    url: str,
    *,
    token: str | None = None,
    tls: Security | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    limits: Limits | None = None,
) -> Client:
    """A client of the server at ``url``; it connects at the first call.

    ``timeout_s`` is the default deadline of its calls. A tcp:// client on the server's own host
    goes by a Unix socket and shared memory, unless ``limits`` say otherwise. Raises ConfigError.
    """
    _, make = transport_of(address := parse_address(url))
    chosen = limits or Limits()
    door = make(address, token=token, tls=tls, limits=chosen)
    return CallingClient(address.url, door.open, limits=chosen, timeout_s=timeout_s)
