"""No connection holds up a server: bounds on the heads of requests, in bytes and in time."""

import asyncio
import logging
import math
import resource
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

log = logging.getLogger(__name__)

_MOST_FILES = 65536
"""More are asked for by nobody; some programs look at each that could be open."""

_SAY_AGAIN_AFTER_S = 60.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a server takes from those who only connect.

    ``head_s`` is how long the head of a request may take, from the connection or from its first
    byte on; ``head_bytes`` is its size, and that of trailers. Of ``connections`` there may be so
    many at once.
    """

    head_s: float = 30.0
    head_bytes: int = 65536
    connections: int = 49152


def bounds_here() -> Bounds:
    """The bounds for a program that may open as many files as this one: a quarter is for others."""
    return Bounds(connections=_allow_files() * 3 // 4)


def bounded(bounds: Bounds) -> type[asyncio.Protocol]:
    """uvicorn's protocol within these bounds."""

    class Bounded(_BoundedHeads):
        limits = bounds

    return Bounded


class _BoundedHeads(HttpToolsProtocol):
    """Ends who takes too long for a head (408), sends too much of one (431), or is one too many."""

    limits: ClassVar[Bounds] = Bounds()
    said_at: ClassVar[float] = -math.inf
    """When the log was told last that there are too many, by the event loop's clock."""
    _timer: asyncio.TimerHandle | None = None
    _is_past_head = False
    _unread_bytes = 0
    """What came since the parser last got to the end of something: of a head, or of a body."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._say_full()
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections: try again later.")
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._is_past_head:
            self._await_head()
        self._unread_bytes += len(data)
        super().data_received(data)
        if self._unread_bytes > self.limits.head_bytes:
            self._refuse_size()

    def on_message_begin(self) -> None:
        self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._head_bytes() > self.limits.head_bytes:
            self._refuse_size()
            raise ValueError("too large")  # ends the parser, see send_400_response
        self._stop_waiting()
        self._is_past_head = True
        self._unread_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_past_head = False
        self._unread_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, unless it is answered already."""
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def _say_full(self) -> None:
        now = self.loop.time()
        if now - self.said_at >= _SAY_AGAIN_AFTER_S:
            type(self).said_at = now
            most = self.limits.connections
            log.warning("Refused a connection: %d are open, as many as there may be", most)

    def _await_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.limits.head_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self._is_answering():  # it may be the answer that the next head waits for
            self._await_head()
        elif self._unread_bytes:
            seconds = f"{self.limits.head_s:g} s"
            message = f"The head of the request took more than {seconds}: send it at once."
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, message)
        else:
            self.transport.close()

    def _head_bytes(self) -> int:
        if self._unread_bytes <= self.limits.head_bytes:
            return self._unread_bytes  # the body's beginning may be among it
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _refuse_size(self) -> None:
        message = f"The head of the request has more than {self.limits.head_bytes} bytes."
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, message)

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        if self.transport.is_closing():
            return
        if not self._is_answering():
            head = (
                f"HTTP/1.1 {status} {status.phrase}\r\nconnection: close\r\n"
                f"content-type: text/plain; charset=utf-8\r\ncontent-length: {len(message)}\r\n\r\n"
            )
            self.transport.write((head + message).encode("ascii"))
        self.transport.close()

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete


def _allow_files() -> int:
    """Let the program open as many files as the system allows it to; how many these are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return most
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most
