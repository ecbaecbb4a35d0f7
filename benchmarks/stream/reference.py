"""The reference: what agentlace does on the wire, in our own words.

lz4 over pickle in one ZeroMQ message; REQ/REP for calls, PUB/SUB for broadcasts. Logging is
silenced. agentlace formats its log line for every request all the same: only where ``log_lines``
asks for it does the reference, so that by default the wire alone is compared.
"""

import pickle
import threading
from collections.abc import Callable
from typing import Any

import lz4.frame
import zmq


def dumps(value: object) -> bytes:
    """An object as it travels."""
    packed: bytes = lz4.frame.compress(pickle.dumps(value))
    return packed


def loads(packed: bytes) -> Any:
    """The object that travelled."""
    return pickle.loads(lz4.frame.decompress(packed))


class ReferenceServer:
    """Answers one request after the other in one thread."""

    def __init__(self, handler: Callable[[Any], Any], *, log_lines: bool = False) -> None:
        self._handler = handler
        self._log_lines = log_lines
        self._socket = zmq.Context.instance().socket(zmq.REP)
        self.port = self._socket.bind_to_random_port("tcp://127.0.0.1")

    def run(self) -> None:
        """Answer for ever."""
        while True:
            message = loads(self._socket.recv())
            if self._log_lines:
                f"Received new request: {message}"
            self._socket.send(dumps(self._handler(message)))


class ReferenceClient:
    """Asks a ReferenceServer; a lock around every call."""

    def __init__(self, port: int, *, timeout_ms: int = 60_000) -> None:
        self._lock = threading.Lock()
        self._socket = zmq.Context.instance().socket(zmq.REQ)
        self._socket.setsockopt(zmq.RCVTIMEO, timeout_ms)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(f"tcp://127.0.0.1:{port}")

    def call(self, request: object) -> Any:
        """The answer to ``request``."""
        with self._lock:
            self._socket.send(dumps(request))
            return loads(self._socket.recv())


class ReferenceBroadcaster:
    """Publishes objects to all that listen."""

    def __init__(self) -> None:
        self._socket = zmq.Context.instance().socket(zmq.PUB)
        self._socket.setsockopt(zmq.SNDHWM, 3)
        self.port = self._socket.bind_to_random_port("tcp://127.0.0.1")

    def broadcast(self, message: object) -> None:
        """Send ``message`` to whoever listens now."""
        self._socket.send(dumps(message))


def listen(port: int, callback: Callable[[Any], None]) -> None:
    """Call back with everything that is broadcast, for ever."""
    context = zmq.Context.instance()
    listening = context.socket(zmq.SUB)
    listening.setsockopt(zmq.SUBSCRIBE, b"")
    listening.connect(f"tcp://127.0.0.1:{port}")
    while True:
        callback(loads(listening.recv()))
