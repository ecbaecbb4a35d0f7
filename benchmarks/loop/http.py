"""A client that costs little, so that the server is what is measured."""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlencode

_FORM = "application/x-www-form-urlencoded"


class Connection:
    """One connection that is kept; requests one after the other.

    ``cookie`` is that of its session, once it has logged in.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(1 << 20)
        self.cookie = ""

    def log_in(self, username: str, password: str) -> None:
        """Ask with a session from now on."""
        body = urlencode({"username": username, "password": password}).encode()
        head, _ = self._exchange(self.request("POST", "/api/login", body, kind=_FORM))
        line = next(line for line in head.split("\r\n") if line.lower().startswith("set-cookie"))
        self.cookie = line.split(":", 1)[1].split(";")[0].strip()

    def request(
        self, method: str, path: str, body: bytes = b"", *, kind: str = "application/json"
    ) -> bytes:
        """The bytes of a request."""
        lines = [f"{method} {path} HTTP/1.1", "Host: loop", f"Cookie: {self.cookie}"]
        if body:
            lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def send(self, request: bytes) -> bytes:
        """The body of the answer, which must be a good one."""
        head, body = self._exchange(request)
        if not head.startswith(("HTTP/1.1 2", "HTTP/1.0 2")):
            raise RuntimeError(f"{head}\n{body[:500]!r}")
        return body

    def get(self, path: str) -> bytes:
        """The body of an answer to GET."""
        return self.send(self.request("GET", path))

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _exchange(self, request: bytes) -> tuple[str, bytes]:
        self._socket.sendall(request)
        view = memoryview(self._buffer)
        filled, end = 0, -1
        while end < 0:
            filled += self._received(view[filled:])
            end = self._buffer.find(b"\r\n\r\n", 0, filled)
        head = bytes(view[:end]).decode("latin-1")
        size = end + 4 + _content_length(head)
        if size > len(self._buffer):
            view.release()
            self._buffer.extend(bytes(size - len(self._buffer)))
            view = memoryview(self._buffer)
        while filled < size:
            filled += self._received(view[filled:size])
        body = bytes(view[end + 4 : size])
        view.release()
        return head, body

    def _received(self, view: memoryview) -> int:
        count = self._socket.recv_into(view)
        if not count:
            raise RuntimeError("the server hung up")
        return count


def _content_length(head: str) -> int:
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return int(value)
    return 0


def in_parallel(
    connections: Sequence[Connection], work: Callable[[Connection, int], None], seconds: float
) -> tuple[int, float]:
    """Let each connection work in turns for so long; returns how many turns, in how long.

    ``work`` gets a connection and the number of the turn.
    """
    turns = iter(range(1 << 60))
    done: list[int] = []
    failures: list[Exception] = []
    lock = threading.Lock()
    ends = time.perf_counter() + seconds

    def go_on(connection: Connection) -> None:
        count = 0
        try:
            while time.perf_counter() < ends and not failures:
                with lock:
                    turn = next(turns)
                work(connection, turn)
                count += 1
        except Exception as error:  # noqa: BLE001 - raised again by who waits
            failures.append(error)
        done.append(count)

    began = time.perf_counter()
    threads = [threading.Thread(target=go_on, args=(c,)) for c in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return sum(done), time.perf_counter() - began
