"""The seam of the stream layer: what a transport's server and client can do, and its bounds."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edgeloop.errors import InputError, StreamTimeout

LONGEST_S = 365 * 86_400.0
"""A year: what may take longer may take a year."""
Message = dict[str, Any]
"""A dict of what `edgeloop.stream.codec` carries."""
Handler = Callable[[str, Message], Message]
"""Answers a call: (route, message) -> message. Runs in several threads at once."""
Counters = dict[str, float]
"""Names and figures: calls, failures, bytes, seconds."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A message that a server published; only the newest of a topic matters.

    ``version`` grows with every publication of a server. ``session`` tells servers apart: it
    changes when a server is started again, which counts anew. Arrays are read-only.
    """

    topic: str
    version: int
    session: str
    message: Message


Callback = Callable[[Publication], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that protect a side from the other one, and what it may use."""

    message_bytes: int = 1 << 30
    """The largest message, in either direction."""
    connections: int = 256
    """How many connections (calls at once and subscriptions) a server has, a client makes."""
    calls: int = 32
    """How many calls at once a client makes: further ones wait, and other clients have room."""
    idle_s: float = 10
    """How long a client keeps connections that no call needs; a few stay open."""
    topics: int = 1024
    """How many topics a server keeps a publication of."""
    handshake_s: float = 5
    """How long the other side may take to say who it is."""
    stall_s: float = 30
    """How long the other side may pause within a message."""
    shortcut: bool = True
    """Whether tcp:// becomes a Unix socket where both sides are on one host."""
    share_from_bytes: int = 32 * 1024
    """Larger bodies go through shared memory where both sides are on one host."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificates as PEM files.

    A server needs ``certificate`` and ``key``; with ``authority`` it asks clients for theirs. A
    client trusts ``authority`` (else the system's), and shows ``certificate`` where asked to.
    """

    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """ZeroMQ's keys, 40 characters each as `zmq.curve_keypair` makes them.

    A server needs its ``public`` and ``secret`` key, a client ``server``, the server's public key.
    """

    public: str = ""
    secret: str = ""
    server: str = ""


Security = Tls | Curve


def bounded(timeout_s: float) -> float:
    """A deadline that clocks can carry; raises StreamTimeout where it is over, InputError for NaN.

    Infinity is a year.
    """
    if 0 < timeout_s <= LONGEST_S:
        return timeout_s
    if timeout_s > LONGEST_S:
        return LONGEST_S
    if isnan(timeout_s):
        raise InputError("A time-out is a number of seconds, not NaN.")
    raise StreamTimeout(f"Nothing is done within {timeout_s} s: give it time.")


class Server(ABC):
    """Answers calls and publishes; made by `serve`. To be closed, or used with ``with``."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients find it, with the port it was given."""

    @abstractmethod
    def start(self) -> None:
        """Take connections from now on, in threads of its own."""

    @abstractmethod
    def publish(self, topic: str, message: Message, *, version: int | None = None) -> int:
        """Make ``message`` the current one of ``topic`` and tell all subscribers; says its version.

        The message is copied before this returns; nothing waits for subscribers. A slow subscriber
        gets the newest only, a late one the current one at once. ``version`` must grow; the default
        is the next. Raises CodecError, TooLarge, Conflict for a version that does not grow,
        StreamClosed after `close`.
        """

    @abstractmethod
    def counters(self) -> Counters:
        """What happened so far."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections and end; calls that are being answered are cut off. Idempotent."""

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


class Subscription(ABC):
    """A running subscription."""

    @abstractmethod
    def close(self) -> None:
        """No callback begins after this. Idempotent; may be called from the callback."""


class Client(ABC):
    """Calls a server and listens to it; made by `connect`. May be used from several threads.

    Connects at the first call, and again by itself whenever the connection is lost.
    """

    @abstractmethod
    def call(self, route: str, message: Message, *, timeout_s: float | None = None) -> Message:
        """The handler's answer. Arrays in it are writable and the caller's own.

        Raises StreamTimeout when ``timeout_s`` seconds (default: the client's) have passed, also
        where no server was to be found; RemoteError where the handler raised; StreamClosed where
        the connection broke before the answer came: the call may or may not have been answered;
        CodecError, TooLarge, Overloaded, Unauthenticated; InputError for a time-out that is NaN.
        """

    @property
    def way(self) -> str:
        """What carried the newest connection: "TCP", "same host", ...; "" before the first."""
        return ""

    @abstractmethod
    def subscribe(self, topic: str, callback: Callback) -> Subscription:
        """Call back with the current publication of ``topic`` and each newer one, in one thread.

        While a callback runs newer publications replace each other: it sees the newest only. An
        error that it raises is logged and counted, and does not end the subscription. Raises
        StreamClosed where the client is closed.
        """

    @abstractmethod
    def counters(self) -> Counters:
        """What happened so far."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections; calls in progress raise StreamClosed. Idempotent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
