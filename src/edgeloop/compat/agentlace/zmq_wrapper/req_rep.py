"""agentlace.zmq_wrapper.req_rep: one question, one answer."""

import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any

from edgeloop.compat.agentlace.hosting import Host, everywhere
from edgeloop.compat.agentlace.internal.utils import check_compression
from edgeloop.compat.agentlace.lines import Line
from edgeloop.compat.agentlace.payloads import unwrap, wrap
from edgeloop.stream import Message, Server, connect, serve
from edgeloop.stream.service import server_url

_ROUTE = "request"


class ReqRepServer:
    """Answers requests by ``impl_callback``, one at a time; without one by ``b"World"``.

    ``log_level`` and ``compression`` have no effect.
    """

    def __init__(
        self,
        port: int = 5556,
        impl_callback: Callable[[Any], Any] | None = None,
        log_level: int = logging.DEBUG,
        compression: str = "lz4",
    ) -> None:
        del log_level
        check_compression(compression)
        self.impl_callback = impl_callback
        self._turn = threading.Lock()
        self._host = Host(self._make, port, daemon=True)
        self.port = self._host.port

    @property
    def is_kill(self) -> bool:
        """Whether it was stopped."""
        return self._host.is_ended

    @property
    def socket(self) -> Any:
        """What listens: a server of `edgeloop.stream`, no socket of ZeroMQ."""
        return self._host.hosted

    @property
    def context(self) -> None:
        """There is none."""

    def run(self) -> None:
        """Answer until it is stopped, from another thread; after a stop, listen again."""
        self._host.start(threaded=False)

    def stop(self) -> None:
        """End."""
        self._host.stop()

    def reset(self) -> None:
        """Listen anew; needed only after a stop."""
        self._host.renew()

    def _make(self, port: int) -> Server:
        return serve(everywhere(port), self._answer)

    def _answer(self, route: str, message: Message) -> Message:
        del route
        with self._turn:
            return wrap(self.impl_callback(unwrap(message)) if self.impl_callback else b"World")


class ReqRepClient(Line):
    """Asks; may be used from several threads. ``timeout_ms`` may be changed at any time."""

    def __init__(
        self,
        ip: str,
        port: int = 5556,
        timeout_ms: float = 800,
        log_level: int = logging.DEBUG,
        compression: str = "lz4",
    ) -> None:
        del log_level
        check_compression(compression)
        super().__init__(ip, port, timeout_ms)
        self.socket = connect(server_url(ip, port))
        weakref.finalize(self, self.socket.close)

    def send_msg(self, request: Any, wait_for_response: bool = True) -> Any:
        """The answer; None after ``timeout_ms``, and where the other side failed.

        Raises CodecError where the request cannot be sent.
        """
        message = wrap(request)
        answer = self.ask(
            lambda: self.socket.call(_ROUTE, message, timeout_s=self.timeout_s), message
        )
        return None if answer is None or not wait_for_response else unwrap(answer)
