"""The native server: listens, and gives every connection a thread."""

import contextlib
import logging
import socket
import threading
from pathlib import Path
from time import monotonic

from edgeloop.errors import Overloaded
from edgeloop.stream.codec import Encoded
from edgeloop.stream.transport.address import Address
from edgeloop.stream.transport.base import Counters, Handler, Limits, Message, Security, Server
from edgeloop.stream.transport.buffers import Buffers
from edgeloop.stream.transport.frames import check_size
from edgeloop.stream.transport.native.listener import identity, listen, listen_nearby, tune
from edgeloop.stream.transport.native.segments import Presses
from edgeloop.stream.transport.native.visit import House, Visit
from edgeloop.stream.transport.tally import Ledger
from edgeloop.stream.transport.tls import server_context
from edgeloop.stream.transport.topics import Topics

log = logging.getLogger(__name__)

_PATIENCE_S = 5.0
_PAUSE_S = 0.1


class NativeServer(Server):
    """Listens from the moment it is made; answers from `start` on."""

    def __init__(
        self,
        address: Address,
        handler: Handler,
        *,
        token: str | None,
        tls: Security | None,
        limits: Limits,
    ) -> None:
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._visits: dict[Visit, threading.Thread] = {}
        self._acceptors: list[threading.Thread] = []
        context = server_context(tls)
        listening, self._address = listen(address)
        self._listening = [listening]
        self._file = identity(Path(address.path)) if address.scheme == "unix" else None
        shortcut = ""
        if address.scheme == "tcp" and tls is None and limits.shortcut:
            nearby, shortcut = listen_nearby()
            self._listening.append(nearby)
        self._presses = Presses(limits.share_from_bytes)
        self._house = House(
            handler, token, context, limits, shortcut, Ledger(), Buffers(), Topics(limits.topics)
        )

    @property
    def url(self) -> str:
        return self._address.url

    def start(self) -> None:
        with self._lock:
            if self._closing.is_set() or self._acceptors:
                return
            for listening in self._listening:
                thread = threading.Thread(
                    target=self._accept, args=(listening,), name="accept", daemon=True
                )
                self._acceptors.append(thread)
                thread.start()

    def publish(self, topic: str, message: Message, *, version: int | None = None) -> int:
        number = self._house.topics.publish(topic, message, version, self._print)
        self._house.ledger.count("publications")
        return number

    def counters(self) -> Counters:
        return self._house.ledger.counters()

    def close(self) -> None:
        with self._lock:
            if self._closing.is_set():
                return
            self._closing.set()
        self._remove_file()  # first: from now on the path may be another server's
        self._house.topics.close()
        for listening in self._listening:
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
        with self._lock:
            threads = [*self._acceptors, *self._visits.values()]
            for visit in self._visits:
                visit.interrupt()
        end = monotonic() + _PATIENCE_S
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, end - monotonic()))
        for listening in self._listening:
            listening.close()

    def _remove_file(self) -> None:
        path = Path(self._address.path)
        if self._file is not None and self._file == identity(path):
            path.unlink(missing_ok=True)

    def _print(self, message: Encoded) -> Encoded:
        check_size(message, self._house.limits.message_bytes)
        return self._presses.print(message)

    def _accept(self, listening: socket.socket) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = listening.accept()
            except OSError as error:
                if not self._closing.wait(_PAUSE_S):  # out of file descriptors, say
                    log.warning("A connection could not be taken: %s", error)
                continue
            self._receive(connection)

    def _receive(self, connection: socket.socket) -> None:
        with self._lock:
            if self._closing.is_set():
                connection.close()
                return
            with contextlib.suppress(OSError):
                tune(connection)
            visit = Visit(connection, self._house, refused=self._why_full())
            thread = threading.Thread(target=self._host, args=(visit,), name="visit", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # no more threads: those that are here stay
                log.warning("A connection could not be taken: %s", error)
                visit.end()
                return
            self._visits[visit] = thread

    def _host(self, visit: Visit) -> None:
        try:
            visit.run()
        finally:
            with self._lock:
                self._visits.pop(visit, None)

    def _why_full(self) -> Overloaded | None:
        most = self._house.limits.connections
        if len(self._visits) < most:
            return None
        return Overloaded(
            f"The server has {most} connections already: close some, or raise Limits."
        )
