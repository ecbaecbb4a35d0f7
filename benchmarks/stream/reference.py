"""The reference: what agentlace does on the wire, in our own words.

lz4 over pickle in one ZeroMQ message; REQ/REP for calls, PUB/SUB for broadcasts, time-outs on all
that receive. A call of an interface is a dict of "type", "interface" and "payload", by which the
server finds what answers. Output is silenced as users can do it, by the level of the log: the line
about a request, with the whole message in it, is formatted for every request all the same. Without
``log_lines`` the reference leaves that out, and is quicker than agentlace is.
"""

import logging
import pickle
import threading
from collections.abc import Callable
from typing import Any

import lz4.frame
import zmq

_LISTEN_MS = 1500


def dumps(value: object) -> bytes:
    """An object as it travels."""
    packed: bytes = lz4.frame.compress(pickle.dumps(value))
    return packed


def loads(packed: bytes) -> Any:
    """The object that travelled."""
    return pickle.loads(lz4.frame.decompress(packed))


class ReferenceServer:
    """Answers one request after the other in one thread."""

    def __init__(
        self, interfaces: dict[str, Callable[[Any], Any]], *, log_lines: bool = True
    ) -> None:
        self._interfaces = interfaces
        self._log_lines = log_lines
        self._socket = zmq.Context.instance().socket(zmq.REP)
        self._socket.setsockopt(zmq.RCVTIMEO, _LISTEN_MS)
        self._socket.setsockopt(zmq.LINGER, 0)
        self.port = self._socket.bind_to_random_port("tcp://127.0.0.1")

    def run(self) -> None:
        """Answer for ever."""
        while True:
            try:
                message = loads(self._socket.recv())
            except zmq.Again:
                continue
            if self._log_lines:
                logging.debug(f"Received new request: {message}")  # noqa: G004, LOG015 - as it does
            self._socket.send(dumps(self._answer(message)))

    def _answer(self, request: dict[str, Any]) -> Any:
        if request.get("type") == "call_interface":
            name = request.get("interface")
            if name in self._interfaces:
                return self._interfaces[name](request["payload"])
        return {"success": False, "message": "Invalid interface or payload"}


class ReferenceClient:
    """Asks a ReferenceServer; a lock around every call."""

    def __init__(self, port: int, *, timeout_ms: int = 60_000) -> None:
        self._lock = threading.Lock()
        self._socket = zmq.Context.instance().socket(zmq.REQ)
        self._socket.setsockopt(zmq.RCVTIMEO, timeout_ms)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(f"tcp://127.0.0.1:{port}")

    def call(self, interface: str, payload: dict[str, Any]) -> Any:
        """What the interface answers."""
        request = dumps({"type": "call_interface", "interface": interface, "payload": payload})
        with self._lock:
            self._socket.send(request)
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
    listening.setsockopt(zmq.RCVTIMEO, _LISTEN_MS)
    listening.connect(f"tcp://127.0.0.1:{port}")
    while True:
        try:
            message = loads(listening.recv())
        except zmq.Again:
            continue
        callback(message)
