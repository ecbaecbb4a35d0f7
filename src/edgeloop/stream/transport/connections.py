"""The connections of a client: each call has one for itself, lost ones are opened again."""

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import ClassVar, Protocol

from edgeloop.errors import EdgeloopError, StreamClosed, StreamTimeout
from edgeloop.stream.codec import Decoder, Encoded
from edgeloop.stream.transport.base import LONGEST_S, Limits
from edgeloop.stream.transport.frames import Frame, Kind
from edgeloop.stream.transport.tally import Ledger, Tally

CLIENT_CLOSED = "The client is closed: connect again."
_FIRST_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 0.5
_LASTING = 4
"""So many connections of a client stay open however long no call needs them."""
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


class Attempt:
    """A link that is being opened; who closes the client ends the waiting for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wake: Callable[[], None] | None = None
        self._interrupted = False

    def waits(self, wake: Callable[[], None]) -> None:
        """From now on ``wake`` ends what is waited for; raises StreamClosed if that was wanted."""
        with self._lock:
            if self._interrupted:
                raise StreamClosed(CLIENT_CLOSED)
            self._wake = wake

    def interrupt(self) -> None:
        """End the attempt from another thread."""
        with self._lock:
            self._interrupted = True
            if self._wake is not None:
                with contextlib.suppress(OSError):  # what was waited for has ended already
                    self._wake()


Open = Callable[[Tally, float, Attempt], Link]
"""(tally, deadline on the monotonic clock, attempt) -> link; raises OSError or EdgeloopError."""


class Connection:
    """A link with what belongs to it.

    ``late`` if time was lost until the caller got it, ``kept`` by a subscription.
    """

    __slots__ = ("decode", "kept", "late", "link", "quiet_since", "tally")

    def __init__(self, link: Link, tally: Tally) -> None:
        self.link = link
        self.tally = tally
        self.decode = Decoder().decode
        self.late = True
        self.kept = False
        self.quiet_since = 0.0


class Connections:
    """Opens, keeps and closes the connections of a client."""

    def __init__(self, url: str, open_link: Open, limits: Limits) -> None:
        self.ledger = Ledger()
        self.way = ""
        self._url = url
        self._open_link = open_link
        self._most = limits.connections
        self._most_calls = min(limits.calls, limits.connections)
        self._idle_s = min(limits.idle_s, LONGEST_S)
        self._closing = threading.Event()
        self._changed = threading.Condition()
        self._idle: deque[Connection] = deque()
        self._all: set[Connection] = set()
        self._opening: set[Attempt] = set()
        self._waiting = 0
        self._kept = 0
        self._trimmer: threading.Timer | None = None

    def borrow(self, now: float, seconds: float, *, kept: bool = False) -> Connection:
        """A connection for the caller alone, ``seconds`` from ``now`` on at the latest.

        Raises StreamTimeout, StreamClosed, and what connecting raises.
        """
        late = False
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                late = True
                attempt = self._attempt(now + seconds, kept=kept)
                if attempt is not None:
                    return self._open(attempt, now + seconds)
                continue
            if now - connection.quiet_since < _FRESH_S or not connection.link.has_ended():
                connection.late = late
                return connection
            self.drop(connection)

    def keep(self, now: float, seconds: float) -> Connection:
        """As `borrow`, for a subscription: leaves calls their room, and is dropped in the end."""
        with self._changed:
            self._kept += 1
        try:
            connection = self.borrow(now, seconds, kept=True)
        except BaseException:
            with self._changed:
                self._kept -= 1
            raise
        connection.kept = True
        return connection

    def give_back(self, connection: Connection, now: float) -> None:
        """The next call may use this connection."""
        connection.quiet_since = now
        self._idle.append(connection)
        if self._waiting:
            with self._changed:
                self._changed.notify()
        if len(self._idle) > _LASTING and self._trimmer is None:
            self._trim_later()
        if self._closing.is_set():
            self.close()

    def drop(self, connection: Connection) -> None:
        """Close a connection that cannot be used any more."""
        connection.link.close()
        self.ledger.close(connection.tally)
        with self._changed:
            self._all.discard(connection)
            self._kept -= connection.kept
            connection.kept = False
            self._changed.notify_all()  # calls and subscriptions wait for different things

    def close(self) -> None:
        """Close what is idle, interrupt what is not."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
            for connection in self._all:
                connection.link.interrupt()
            for attempt in self._opening:
                attempt.interrupt()
            if self._trimmer is not None:
                self._trimmer.cancel()
        while True:
            try:
                self.drop(self._idle.pop())
            except IndexError:
                return

    def _attempt(self, deadline: float, *, kept: bool) -> Attempt | None:
        """Wait until there is room for another connection, or (None) an idle one."""
        with self._changed:
            self._waiting += 1
            try:
                there = self._changed.wait_for(
                    lambda: self._closing.is_set() or self._idle or self._has_room(kept=kept),
                    max(0.0, deadline - monotonic()),
                )
            finally:
                self._waiting -= 1
            if self._closing.is_set():
                raise StreamClosed(CLIENT_CLOSED)
            if not there:
                raise StreamTimeout(f"{self._most_calls} calls to {self._url} are waiting already.")
            if self._idle:
                return None
            self._opening.add(attempt := Attempt())
            return attempt

    def _has_room(self, *, kept: bool) -> bool:
        there = len(self._all) + len(self._opening)
        return there < self._most and (kept or there - self._kept < self._most_calls)

    def _trim_later(self) -> None:
        with self._changed:
            if self._trimmer is not None or self._closing.is_set():
                return
            timer = threading.Timer(self._idle_s, self._trim)
            timer.daemon = True
            with contextlib.suppress(RuntimeError):  # no more threads: the next call tries again
                timer.start()
                self._trimmer = timer

    def _trim(self) -> None:
        """Close what no call needed for long: a server has connections for others, too."""
        with contextlib.suppress(IndexError):  # calls took what was idle
            while len(self._idle) > _LASTING:
                if monotonic() - self._idle[0].quiet_since < self._idle_s:
                    break
                self.drop(self._idle.popleft())
        self._trimmer = None
        if len(self._idle) > _LASTING:
            self._trim_later()

    def _open(self, attempt: Attempt, deadline: float) -> Connection:
        """Connect, again and again until the deadline; raises what cannot become better."""
        tally = self.ledger.open()
        try:
            connection = Connection(self._persist(tally, deadline, attempt), tally)
        except BaseException:
            self.ledger.close(tally)
            with self._changed:
                self._opening.discard(attempt)
                self._changed.notify()
            raise
        with self._changed:
            self._opening.discard(attempt)
            self._all.add(connection)
            self.way = connection.link.way
        if self._closing.is_set():
            self.drop(connection)
            raise StreamClosed(CLIENT_CLOSED)
        return connection

    def _persist(self, tally: Tally, deadline: float, attempt: Attempt) -> Link:
        pause, why = _FIRST_PAUSE_S, ""
        while True:
            try:
                return self._open_link(tally, deadline, attempt)
            except (OSError, EdgeloopError) as error:
                if self._closing.is_set():
                    raise StreamClosed(CLIENT_CLOSED) from error
                if not isinstance(error, OSError | StreamClosed | StreamTimeout):
                    raise
                if not (why and isinstance(error, StreamTimeout)):  # the last attempt was cut short
                    why = str(error)
            left = deadline - monotonic()
            if left <= 0:
                raise StreamTimeout(f"No server answered at {self._url} in time ({why}).")
            if self._closing.wait(min(pause, left)):
                raise StreamClosed(CLIENT_CLOSED)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
