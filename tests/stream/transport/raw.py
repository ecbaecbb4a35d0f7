"""The other side by hand: frames of any content, well-formed or not."""

import socket
from dataclasses import dataclass
from typing import Any, Self

from edgeloop.stream.codec import decode, encode
from edgeloop.stream.transport.frames import MAGIC, PREFIX, VERSION, Kind
from streams import WAIT_S, in_thread


def frame(
    kind: int, header: bytes = b"", body: bytes = b"", *, place: int = 0, slot: int = 0, **fake: Any
) -> bytes:
    """A frame; ``magic``, ``header_size``, ``size``, ``released`` may be lies."""
    prefix = PREFIX.pack(
        fake.get("magic", MAGIC),
        kind,
        place,
        slot,
        fake.get("header_size", len(header)),
        fake.get("size", len(body)),
        fake.get("released", 0),
    )
    return prefix + header + body


@dataclass
class Raw:
    """A connection that says what it is told to."""

    connection: socket.socket

    @classmethod
    def dial(cls, url: str) -> Self:
        """A connection to a server of the native transport."""
        scheme, _, rest = url.partition("://")
        if scheme == "unix":
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(WAIT_S)
            connection.connect(rest)
        else:
            host, port = rest.rsplit(":", 1)
            connection = socket.create_connection((host, int(port)), WAIT_S)
        return cls(connection)

    @classmethod
    def enter(cls, url: str) -> Self:
        """A connection that was let in."""
        raw = cls.dial(url)
        assert raw.receive()[0] == Kind.GREETING
        raw.say(frame(Kind.HELLO, encode([b"", 1 << 30]).header))
        assert raw.receive()[0] == Kind.WELCOME
        return raw

    def say(self, data: bytes) -> None:
        """Send bytes."""
        self.connection.sendall(data)

    def receive(self) -> tuple[int, Any]:
        """The kind and the content of the next frame."""
        _, kind, _, _, header_size, size, _ = PREFIX.unpack(self._exactly(PREFIX.size))
        header = self._exactly(header_size)
        return kind, decode(header, self._exactly(size))

    def is_cut_off(self) -> bool:
        """Whether the other side ends the connection, whatever it says before."""
        try:
            while self.connection.recv(1 << 16):
                continue
        except ConnectionResetError:
            pass
        return True

    def close(self) -> None:
        """End the connection."""
        self.connection.close()

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.connection.recv(size - len(data))
            assert piece, "the other side closed the connection"
            data += piece
        return data


def greeting(*, version: int = VERSION, shortcut: str = "") -> bytes:
    """What a server says first."""
    return frame(Kind.GREETING, encode([version, bytes(32), shortcut]).header)


class pretender:  # noqa: N801 - used like a function
    """A listener that says the same to everybody, whatever they say."""

    def __init__(self, said: bytes) -> None:
        self._said = said
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []

    def __enter__(self) -> str:
        self._thread = in_thread(self._run)
        return f"tcp://127.0.0.1:{self._listening.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.result()
        for connection in (self._listening, *self._connections):
            connection.close()

    def _run(self) -> None:
        try:
            while True:
                connection, _ = self._listening.accept()
                self._connections.append(connection)
                connection.sendall(self._said)
        except OSError:
            return
