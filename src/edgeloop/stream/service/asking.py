"""What clients of all pairs share: they ask a server what it is, and whether both agree."""

from collections.abc import Mapping
from time import monotonic
from types import TracebackType
from typing import Any, Self, TypedDict

from edgeloop.errors import (
    ConfigMismatch,
    EdgeloopError,
    NotFound,
    Overloaded,
    RateLimited,
    RemoteError,
    StreamTimeout,
)
from edgeloop.stream.service.finding import server_url
from edgeloop.stream.transport import Client, Counters, Limits, Message, Security, connect

PORT_FIELD = "port_number"
_REFUSALS: dict[str, type[EdgeloopError]] = {
    error.__name__: error for error in (NotFound, Overloaded, RateLimited)
}


class ClientOptions(TypedDict, total=False):
    """What every client takes as keywords.

    ``timeout_s`` is the deadline of calls where they name none: 10 seconds. A constructor that
    finds no server within it goes on looking for ``wait_for_server_s``: 0 seconds.
    """

    token: str
    tls: Security
    limits: Limits
    timeout_s: float
    wait_for_server_s: float


class ServiceClient:
    """What the clients of all pairs share. May be used from several threads."""

    def __init__(self, client: Client) -> None:
        self.transport = client

    def counters(self) -> Counters:
        """What happened so far."""
        return self.transport.counters()

    def close(self) -> None:
        """Close all connections; calls in progress raise StreamClosed. Idempotent."""
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _call(self, route: str, message: Message, timeout_s: float | None) -> Message:
        try:
            return self.transport.call(route, message, timeout_s=timeout_s)
        except RemoteError as error:
            raise as_raised(error) from None


def open_client(
    server: str,
    port: int | None,
    kind: str,
    config: Mapping[str, Any] | None,
    options: ClientOptions,
) -> Client:
    """A client of a server of this kind that has the same ``config``, the port apart.

    Raises ConfigMismatch with the fields that differ; StreamTimeout where no server answers within
    ``timeout_s`` and, after that, ``wait_for_server_s``; Unauthenticated, ConfigError.
    """
    url = server_url(server, port)
    client = connect_to(url, options)
    wait_s = options.get("wait_for_server_s", 0.0)
    try:
        check_server(client, url, kind=kind, config=config, wait_s=wait_s)
    except BaseException:
        client.close()
        raise
    return client


def connect_to(url: str, options: ClientOptions) -> Client:
    """A client that asked nothing yet."""
    chosen: dict[str, Any] = dict(options)
    chosen.pop("wait_for_server_s", None)
    return connect(url, **chosen)


def check_server(
    client: Client, url: str, *, kind: str, config: Mapping[str, Any] | None, wait_s: float
) -> None:
    """Raise what `open_client` raises."""
    about = ask_about(client, url, kind=kind, wait_s=wait_s)
    if about["kind"] != kind:
        raise ConfigMismatch(f"The server at {url} is of kind {about['kind']!r}, not {kind!r}.")
    ours, theirs = dict(config or {}), about["config"]
    differing = [
        f"{name} is {theirs.get(name)!r} there and {ours.get(name)!r} here"
        for name in sorted({*ours, *theirs} - {PORT_FIELD})
        if ours.get(name) != theirs.get(name)
    ]
    if config is not None and differing:
        raise ConfigMismatch(f"The server is configured differently: {'; '.join(differing)}.")


def ask_about(client: Client, url: str, *, kind: str = "stream", wait_s: float = 0.0) -> Message:
    """What a server says of itself: at least a ``kind`` and a ``config``.

    Raises ConfigMismatch where it is none of ours, StreamTimeout where none answers.
    """
    end = monotonic() + wait_s
    while True:
        try:
            about = client.call("about", {})
            break
        except StreamTimeout as error:
            if monotonic() >= end:
                raise StreamTimeout(f"{error} Is the {kind} server at {url} running?") from error
        except RemoteError as error:
            why = f"The server at {url} does not say what it is ({error}): is it another program's?"
            raise ConfigMismatch(why) from error
    match about:
        case {"kind": str(), "config": dict()}:
            return about
    raise ConfigMismatch(f"The server at {url} does not say what it is: is it another program's?")


def as_raised(error: RemoteError) -> EdgeloopError:
    """NotFound, Overloaded and RateLimited as the server raised them, all else as it is."""
    kind = _REFUSALS.get(error.type)
    return error if kind is None else kind(error.message)
