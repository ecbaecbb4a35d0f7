"""Options for the servers and clients of pairs, one way of transport after the other."""

from edgeloop.stream import ClientOptions, ServerOptions
from streams import WAIT_S, Way

WAYS = ["near", "tcp", "grpc", "zmq"]


def server_options(way: Way, **more: object) -> ServerOptions:
    """What a server takes to go this way."""
    options: ServerOptions = {"url": way.url, "limits": way.limits}
    if way.server_security is not None:
        options["tls"] = way.server_security
    return {**options, **more}  # type: ignore[typeddict-item]


def client_options(way: Way, **more: object) -> ClientOptions:
    """What a client takes to go this way; its calls have all the time there is."""
    options: ClientOptions = {"timeout_s": WAIT_S, "limits": way.limits}
    if way.client_security is not None:
        options["tls"] = way.client_security
    return {**options, **more}  # type: ignore[typeddict-item]
