"""The servers that are measured: ``python -m stream.servers KIND``."""

import functools
import socket
import sys
import time
from collections.abc import Callable

import numpy as np

from edgeloop.stream.transport import Message, serve
from stream.processes import in_background, obey
from stream.reference import ReferenceServer

_CHUNK = 1 << 20


def answer(route: str, message: Message) -> Message:
    """Touches nothing: what is measured is the way there and back."""
    if route == "slow":
        time.sleep(0.3)
    return {}


def ours() -> None:
    """Our own server, over TCP and by the shortcut."""
    server = serve("tcp://127.0.0.1:0", answer)
    server.start()
    obey(server.url)


def reference(*, log_lines: bool = True) -> None:
    """The reference."""
    interfaces = {name: functools.partial(answer, name) for name in ("call", "slow")}
    server = ReferenceServer(interfaces, log_lines=log_lines)
    in_background(server.run)
    obey(server.port)


def bare(family: str) -> None:
    """A socket that takes bytes and answers each whole message with as few as a call does."""
    if family == "unix":
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(f"\0edgeloop-bare-{time.time_ns()}")
    else:
        listening = socket.create_server(("127.0.0.1", 0))
    listening.listen()
    in_background(lambda: _serve_bare(listening))
    name = listening.getsockname()
    obey(name[1] if family == "tcp" else name.decode().lstrip("\0"))


def _serve_bare(listening: socket.socket) -> None:
    while True:
        connection, _ = listening.accept()
        if connection.family == socket.AF_INET:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        in_background(lambda connection=connection: _echo_bare(connection))  # type: ignore[misc]


def _echo_bare(connection: socket.socket) -> None:
    """Takes messages of one size; the size is the first eight bytes on the connection."""
    size = int.from_bytes(connection.recv(8, socket.MSG_WAITALL), "little")
    target = memoryview(np.empty(size, np.uint8)).cast("B")
    connection.sendall(b"k")
    while True:
        there = 0
        while there < size:
            count = connection.recv_into(target[there:])
            if not count:
                return
            there += count
        connection.sendall(bytes(34))


KINDS: dict[str, Callable[[], None]] = {
    "ours": ours,
    "reference": reference,
    "bare-reference": lambda: reference(log_lines=False),
    "tcp": lambda: bare("tcp"),
    "unix": lambda: bare("unix"),
}

if __name__ == "__main__":
    KINDS[sys.argv[1]]()
