"""What the servers of all pairs share: routes, figures, an end; and how clients find them."""

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv6Address
from time import monotonic
from types import TracebackType
from typing import Any, Self, TypedDict

import numpy as np

from edgeloop import __version__
from edgeloop.errors import (
    ConfigError,
    ConfigMismatch,
    EdgeloopError,
    InputError,
    NotFound,
    Overloaded,
    RateLimited,
    RemoteError,
    StreamTimeout,
    TooLarge,
)
from edgeloop.stream.transport import Client, Counters, Limits, Message, Security, connect, serve

log = logging.getLogger(__name__)

Route = Callable[[Message], Message]
PORT_FIELD = "port_number"
_FRAME_BYTES = 1 << 12
"""What a frame adds to its message at most."""
_REFUSALS: dict[str, type[EdgeloopError]] = {
    error.__name__: error for error in (NotFound, Overloaded, RateLimited)
}


class ServerOptions(TypedDict, total=False):
    """What every server takes as keywords.

    ``url`` is where it listens, by default ``tcp://127.0.0.1:PORT``; port 0 is any free one. Give
    a ``token`` and ``tls`` where others can reach it. ``limits`` bound messages and connections.
    """

    url: str
    token: str
    tls: Security
    limits: Limits


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


class Service:
    """Answers calls by ``routes``; publishes by ``transport``. To be closed, or used with ``with``.

    It listens from the moment it is made, at a port of its own: raises ConfigError where it cannot.
    A route that raises is told to its caller as RemoteError, and keeps no other call waiting.
    """

    def __init__(
        self, kind: str, port: int, options: ServerOptions, config: Mapping[str, Any] | None = None
    ) -> None:
        self.routes: dict[str, Route] = {
            "about": lambda message: self.about(),
            "counters": lambda message: dict(self.counters()),
            "ping": self._ping,
        }
        self._kind = kind
        self._config = dict(config or {})
        self._limits = options.get("limits", Limits())
        self._ended = threading.Event()
        self.transport = serve(
            options.get("url", f"tcp://127.0.0.1:{port}"),
            self._answer,
            token=options.get("token"),
            tls=options.get("tls"),
            limits=self._limits,
        )

    @property
    def url(self) -> str:
        """Where clients find it, with the port it was given."""
        return self.transport.url

    def start(self) -> None:
        """Answer from now on, in threads of its own; returns at once."""
        self.transport.start()
        log.info("The %s server answers at %s.", self._kind, self.url)

    def run(self) -> None:
        """Answer until `close` is called, or Ctrl-C or SIGTERM ends it."""
        with contextlib.suppress(KeyboardInterrupt), _interrupted_by_sigterm(), self:
            self._ended.wait()

    def about(self) -> Message:
        """What it says of itself: ``kind``, ``version`` of edgeloop, ``config``."""
        return {"kind": self._kind, "version": __version__, "config": self._config}

    def counters(self) -> Counters:
        """What happened so far."""
        return self.transport.counters()

    def close(self) -> None:
        """Close all connections and end; calls that are being answered are cut off. Idempotent."""
        self.transport.close()
        self._ended.set()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _answer(self, route: str, message: Message) -> Message:
        try:
            answer = self.routes[route]
        except KeyError:
            raise NotFound(f"This {self._kind} server has no {route!r}.") from None
        return answer(message)

    def _ping(self, message: Message) -> Message:
        match message:
            case {"reply_bytes": int(size)} if size >= 0:
                if size > (most := self._limits.message_bytes - _FRAME_BYTES):
                    raise TooLarge(f"{size} bytes are more than the {most} that a reply may have.")
                return {"data": np.zeros(size, np.uint8)}
            case {"reply_bytes": wish}:
                raise InputError(f"reply_bytes is a number of bytes, not {wish!r}.")
        return {}


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


def server_url(server: str, port: int | None) -> str:
    """Where ``server`` is: a URL or HOST:PORT as they are, a plain host with ``port``.

    Raises ConfigError for a plain host where no port is known.
    """
    if "://" in server:
        return server
    host = f"[{server}]" if _is_ipv6(server) else server
    if ":" in host.rpartition("]")[2]:
        return f"tcp://{host}"
    if not port:
        raise ConfigError(f"The port of {server or 'the server'} is missing: write HOST:PORT.")
    return f"tcp://{host}:{port}"


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


def _is_ipv6(server: str) -> bool:
    try:
        IPv6Address(server)
    except ValueError:
        return False
    return True


@contextlib.contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """SIGTERM is as Ctrl-C, where signals arrive: in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
