"""How a server of agentlace runs: at all interfaces, blocking or threaded, startable again."""

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from edgeloop.stream.transport.address import parse_address


class Hosted(Protocol):
    """What is hosted: a service, or a bare server, of `edgeloop.stream`."""

    @property
    def url(self) -> str:
        """Where it listens."""

    def start(self) -> None:
        """Answer from now on; returns."""

    def close(self) -> None:
        """End."""


def everywhere(port: int) -> str:
    """The URL of all interfaces: what agentlace's users expect. The transport warns of it."""
    return f"tcp://0.0.0.0:{port}"


def port_of(url: str) -> int:
    """The port in a URL."""
    return parse_address(url).port


H = TypeVar("H", bound=Hosted)


class Host(Generic[H]):
    """Runs what ``make`` makes; after a stop it is made anew, at the port it had."""

    def __init__(self, make: Callable[[int], H], port: int, *, daemon: bool) -> None:
        self._make = make
        self._daemon = daemon
        self._ended = threading.Event()
        self.hosted = make(port)
        self.port = port_of(self.hosted.url)
        self.thread: threading.Thread | None = None

    def start(self, *, threaded: bool) -> None:
        """Answer: here, until it is stopped or Ctrl-C comes, or else in threads of its own."""
        self.renew()
        self.hosted.start()
        if threaded:
            self.thread = threading.Thread(target=self._ended.wait, daemon=self._daemon)
            self.thread.start()
            return
        try:
            self._ended.wait()
        finally:
            self.stop()

    def stop(self) -> None:
        """End; harmless when repeated."""
        self.hosted.close()
        self._ended.set()

    def renew(self) -> None:
        """Listen again where it was stopped."""
        if self._ended.is_set():
            self._ended.clear()
            self.hosted = self._make(self.port)

    @property
    def is_ended(self) -> bool:
        """Whether it was stopped."""
        return self._ended.is_set()
