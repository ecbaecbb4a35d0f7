"""agentlace.zmq_wrapper.pipeline: messages one way, to one consumer."""

import threading
import weakref
from collections.abc import Callable
from typing import Any

from edgeloop.compat.agentlace.hosting import Host, everywhere
from edgeloop.compat.agentlace.internal.utils import check_compression
from edgeloop.compat.agentlace.payloads import unwrap, wrap
from edgeloop.stream import Message, Server, connect, serve
from edgeloop.stream.service import server_url

_ROUTE = "message"


class Producer:
    """Sends; ``compression`` has no effect."""

    def __init__(self, ip: str = "localhost", port: int = 5547, compression: str = "lz4") -> None:
        check_compression(compression)
        self._client = connect(server_url(ip, port))
        weakref.finalize(self, self._client.close)

    def send_msg(self, msg: Any) -> None:
        """Return when the consumer has had it; raises StreamTimeout where there is none for 10 s,
        RemoteError where its callback raised."""
        self._client.call(_ROUTE, wrap(msg))


class Consumer:
    """Calls back with what is sent, one message at a time."""

    def __init__(
        self, callback_fn: Callable[[Any], Any], port: int = 5547, compression: str = "lz4"
    ) -> None:
        check_compression(compression)
        self.callback_fn = callback_fn
        self._turn = threading.Lock()
        self._host = Host(self._make, port, daemon=False)
        self.port = self._host.port

    @property
    def is_kill(self) -> bool:
        """Whether it was stopped."""
        return self._host.is_ended

    @property
    def thread(self) -> threading.Thread | None:
        """What keeps the process alive after ``async_start``."""
        return self._host.thread

    def start(self) -> None:
        """Take messages until it is stopped, from another thread."""
        self._host.start(threaded=False)

    def async_start(self) -> None:
        """Take messages from now on; returns."""
        self._host.start(threaded=True)

    def stop(self) -> None:
        """End."""
        self._host.stop()

    def _make(self, port: int) -> Server:
        return serve(everywhere(port), self._take)

    def _take(self, route: str, message: Message) -> Message:
        del route
        with self._turn:
            self.callback_fn(unwrap(message))
        return {}
