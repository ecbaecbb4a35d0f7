"""A network that loses replies."""

import contextlib
import socket
import threading
from typing import Literal

from edgeloop.stream.transport.address import parse_address

Loss = Literal["cut", "silence", "request"]


class LosingProxy:
    """Carries bytes between clients and a server, and loses some when told to.

    To "cut" ends the connection instead of the next reply, "request" does instead of the next
    request; after "silence" nothing comes back on that connection any more.
    """

    def __init__(self, server_url: str) -> None:
        address = parse_address(server_url)
        self._server = (address.host, address.port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"{address.scheme}://127.0.0.1:{self._listening.getsockname()[1]}"
        self._lock = threading.Lock()
        self._next: Loss | None = None
        self.losses = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, loss: Loss) -> None:
        """Lose the next reply, or request."""
        with self._lock:
            self._next = loss

    def close(self) -> None:
        """Take no new connections."""
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._server)
                for work in (self._up, self._down):
                    threading.Thread(target=work, args=(client, server), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while (data := client.recv(1 << 16)) and not self._is_lost("request"):
                server.sendall(data)
        _end(client, server)

    def _down(self, client: socket.socket, server: socket.socket) -> None:
        silent = False
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                if self._is_lost("cut"):
                    break
                silent = silent or self._is_lost("silence")
                if not silent:
                    client.sendall(data)
        _end(client, server)

    def _is_lost(self, loss: Loss) -> bool:
        with self._lock:
            if self._next != loss:
                return False
            self._next = None
            self.losses += 1
            return True


def _end(*connections: socket.socket) -> None:
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()
