"""What servers of all pairs share: routes, figures, a start and an end."""

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypedDict

import numpy as np

from edgeloop import __version__
from edgeloop.errors import InputError, NotFound, TooLarge
from edgeloop.stream.transport import Counters, Limits, Message, Security, serve

log = logging.getLogger(__name__)

Route = Callable[[Message], Message]
_FRAME_BYTES = 1 << 12
"""What a frame adds to its message at most."""


class ServerOptions(TypedDict, total=False):
    """What every server takes as keywords.

    ``url`` is where it listens, by default ``tcp://127.0.0.1:PORT``; port 0 is any free one. Give
    a ``token`` and ``tls`` where others can reach it. ``limits`` bound messages and connections.
    """

    url: str
    token: str
    tls: Security
    limits: Limits


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
