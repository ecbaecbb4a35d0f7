"""What the servers and the clients of all pairs share."""

from edgeloop.stream.service.asking import (
    ClientOptions,
    ServiceClient,
    as_raised,
    ask_about,
    check_server,
    connect_to,
    open_client,
)
from edgeloop.stream.service.finding import server_url
from edgeloop.stream.service.serving import ServerOptions, Service

__all__ = [
    "ClientOptions",
    "ServerOptions",
    "Service",
    "ServiceClient",
    "as_raised",
    "ask_about",
    "check_server",
    "connect_to",
    "open_client",
    "server_url",
]
