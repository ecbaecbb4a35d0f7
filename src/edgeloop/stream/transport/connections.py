"""The connections of a client: each call has one for itself, lost ones are opened again."""

import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import ClassVar, Protocol

from edgeloop.errors import StreamClosed, StreamTimeout
from edgeloop.stream.codec import Decoder, Encoded
from edgeloop.stream.transport.base import Limits
from edgeloop.stream.transport.frames import Frame, Kind
from edgeloop.stream.transport.tally import Ledger, Tally

_FIRST_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 0.5
_FRESH_S = 0.0001
"""A connection that was quiet for longer is looked at before it is used again."""


class Link(Protocol):
    """A connection that one thread at a time uses; ``way`` says what carries it."""

    way: ClassVar[str]

    def within(self, seconds: float, *, since: float | None = None) -> None:
        """What follows must end so many seconds after ``since`` (now), else it is StreamTimeout.

        ``since`` may be a moment ago: it saves asking what time it is.
        """

    def pausing(self, seconds: float) -> None:
        """What follows may take long, but never pause for so many seconds."""

    def send(self, kind: Kind, message: Encoded) -> None:
        """Send a frame; raises TooLarge, StreamTimeout, StreamClosed."""

    def receive(self) -> Frame:
        """The next frame; raises StreamTimeout, StreamClosed, CodecError, TooLarge."""

    def has_ended(self) -> bool:
        """Whether the server has closed the connection while nothing was sent."""

    def interrupt(self) -> None:
        """Wake the thread that uses this: it gets StreamClosed."""

    def close(self) -> None:
        """Close the connection. Idempotent."""


Open = Callable[[Tally, float], Link]
"""(tally, deadline on the monotonic clock) -> link; raises OSError or EdgeloopError."""


class Connection:
    """A link with what belongs to it; ``late`` if time was lost until the caller got it."""

    __slots__ = ("decode", "late", "link", "quiet_since", "tally")

    def __init__(self, link: Link, tally: Tally) -> None:
        self.link = link
        self.tally = tally
        self.decode = Decoder().decode
        self.late = True
        self.quiet_since = 0.0


class Connections:
    """Opens, keeps and closes the connections of a client."""

    def __init__(self, url: str, open_link: Open, limits: Limits) -> None:
        self.ledger = Ledger()
        self.way = ""
        self._url = url
        self._open_link = open_link
        self._most = limits.connections
        self._closing = threading.Event()
        self._changed = threading.Condition()
        self._idle: deque[Connection] = deque()
        self._all: set[Connection] = set()
        self._opening = 0
        self._waiting = 0

    def borrow(self, now: float, seconds: float) -> Connection:
        """A connection for the caller alone, ``seconds`` from ``now`` on at the latest.

        Raises StreamTimeout, StreamClosed, and what connecting raises.
        """
        late = False
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                late = True
                if self._may_open(now + seconds):
                    return self._open(now + seconds)
                continue
            if now - connection.quiet_since < _FRESH_S or not connection.link.has_ended():
                connection.late = late
                return connection
            self.drop(connection)

    def give_back(self, connection: Connection, now: float) -> None:
        """The next call may use this connection."""
        connection.quiet_since = now
        self._idle.append(connection)
        if self._waiting:
            with self._changed:
                self._changed.notify()
        if self._closing.is_set():
            self.close()

    def drop(self, connection: Connection) -> None:
        """Close a connection that cannot be used any more."""
        connection.link.close()
        self.ledger.close(connection.tally)
        with self._changed:
            self._all.discard(connection)
            self._changed.notify()

    def close(self) -> None:
        """Close what is idle, interrupt what is not."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
            for connection in self._all:
                connection.link.interrupt()
        while True:
            try:
                self.drop(self._idle.pop())
            except IndexError:
                return

    def _may_open(self, deadline: float) -> bool:
        """Wait until there is room for another connection, or (False) an idle one."""
        with self._changed:
            self._waiting += 1
            try:
                there = self._changed.wait_for(
                    lambda: self._closing.is_set() or self._idle or self._has_room(),
                    max(0.0, deadline - monotonic()),
                )
            finally:
                self._waiting -= 1
            if self._closing.is_set():
                raise StreamClosed("The client is closed: connect again.")
            if not there:
                raise StreamTimeout(f"{self._most} calls to {self._url} are waiting already.")
            if self._idle:
                return False
            self._opening += 1
            return True

    def _has_room(self) -> bool:
        return len(self._all) + self._opening < self._most

    def _open(self, deadline: float) -> Connection:
        """Connect, again and again until the deadline; raises what cannot become better."""
        tally = self.ledger.open()
        try:
            connection = Connection(self._persist(tally, deadline), tally)
        except BaseException:
            self.ledger.close(tally)
            with self._changed:
                self._opening -= 1
                self._changed.notify()
            raise
        with self._changed:
            self._opening -= 1
            self._all.add(connection)
            self.way = connection.link.way
        if self._closing.is_set():
            self.drop(connection)
            raise StreamClosed("The client is closed: connect again.")
        return connection

    def _persist(self, tally: Tally, deadline: float) -> Link:
        pause, why = _FIRST_PAUSE_S, ""
        while True:
            try:
                return self._open_link(tally, deadline)
            except (OSError, StreamClosed, StreamTimeout) as error:
                if not (why and isinstance(error, StreamTimeout)):  # the last attempt was cut short
                    why = str(error)
            left = deadline - monotonic()
            if left <= 0:
                raise StreamTimeout(f"No server answered at {self._url} in time ({why}).")
            if self._closing.wait(min(pause, left)):
                raise StreamClosed("The client is closed: connect again.")
            pause = min(2 * pause, _LONGEST_PAUSE_S)
