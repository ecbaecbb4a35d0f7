"""agentlace.inference: functions of a server by name, and clients that call them."""

import threading
import weakref
from collections.abc import Callable
from typing import Any

from edgeloop import stream
from edgeloop.compat.agentlace.hosting import Host, everywhere
from edgeloop.compat.agentlace.lines import Line
from edgeloop.compat.agentlace.payloads import unwrap, wrap
from edgeloop.errors import NotFound
from edgeloop.stream import Message

_TIMEOUT_MS = 800
_INVALID = {"success": False, "message": "Invalid interface or payload"}

Interface = Callable[[Any], Any]


class InferenceServer:
    """Answers by the registered callbacks, one call at a time; at all interfaces.

    With the port number 0 it is found at ``port_num``.
    """

    def __init__(self, port_num: int) -> None:
        self.interfaces: dict[str, Interface] = {}
        self._turn = threading.Lock()
        self._host = Host(self._make, port_num, daemon=False)
        self.port_num = self._host.port

    @property
    def server(self) -> stream.InferenceServer:
        """What answers."""
        return self._host.hosted

    @property
    def thread(self) -> threading.Thread | None:
        """Keeps the process alive while the server answers, if it was started threaded."""
        return self._host.thread

    def register_interface(self, name: str, callback: Interface) -> None:
        """Answer calls of ``name``; it replaces an earlier one."""
        self.interfaces[name] = callback
        self._offer(self.server, name)

    def start(self, threaded: bool = False) -> None:
        """Answer until it is stopped; ``threaded`` returns at once."""
        self._host.start(threaded=threaded)

    def stop(self) -> None:
        """End."""
        self._host.stop()

    def _make(self, port: int) -> stream.InferenceServer:
        server = stream.InferenceServer(port, url=everywhere(port))
        for name in self.interfaces:
            self._offer(server, name)
        return server

    def _offer(self, server: stream.InferenceServer, name: str) -> None:
        def answer(message: Message) -> Message:
            with self._turn:
                return wrap(self.interfaces[name](unwrap(message)))

        server.register_interface(name, answer)


class InferenceClient:
    """Calls an inference server, which need not be there yet.

    A call may take 800 ms; ``client.timeout_ms`` may be changed at any time.
    """

    def __init__(self, server_ip: str, port_num: int) -> None:
        self.client = Line(server_ip, port_num, _TIMEOUT_MS)
        self._lock = threading.Lock()
        self._found: stream.InferenceClient | None = None

    def interfaces(self) -> set[str]:
        """The names that can be called; empty, with a warning, where there was no answer."""
        return self.client.ask(lambda: self._reach().interfaces(), {}) or set()

    def call(self, name: str, payload: Any) -> Any:
        """What the callback returned; None, and a warning, where there was no answer.

        Raises CodecError for a payload that cannot be sent.
        """
        sent = wrap(payload)

        def call() -> Message:
            return self._reach().call(name, sent, timeout_s=self.client.timeout_s)

        try:
            answer = self.client.ask(call, sent, refused=(NotFound,))
        except NotFound:
            return dict(_INVALID)
        return None if answer is None else unwrap(answer)

    def _reach(self) -> stream.InferenceClient:
        """The client, as soon as there was a server once."""
        with self._lock:
            if self._found is None:
                self._found = stream.InferenceClient(
                    self.client.ip, self.client.port, timeout_s=self.client.timeout_s
                )
                weakref.finalize(self, self._found.close)
            return self._found
