"""Trainers for tests: what both sides agree on, stores that are looked at, a wire that is cut."""

import contextlib
import socket
import threading
from collections.abc import Iterable
from typing import Any

from edgeloop.stream import (
    DataStore,
    Limits,
    QueuedDataStore,
    ReplayBuffer,
    TrainerClient,
    TrainerConfig,
    TrainerServer,
)
from streams import WAIT_S
from transitions import numbers_in, transitions

CONFIG = TrainerConfig(port_number=0, request_types=["ask"])
NAME = "buffer"
FAR = Limits(shortcut=False)
"""Over TCP, where a proxy can stand between."""


def serve_store(
    url: str, store: DataStore | None = None, *, limits: Limits | None = None
) -> TrainerServer:
    """A running server with a store called NAME."""
    server = TrainerServer(CONFIG, url=url, limits=limits or Limits())
    chosen = ReplayBuffer(capacity=100_000) if store is None else store
    server.register_data_store(NAME, chosen)
    server.start()
    return server


def client_of(
    url: str, store: DataStore, *, limits: Limits | None = None, **options: Any
) -> TrainerClient:
    """A client whose store goes to the one called NAME."""
    chosen = {"timeout_s": WAIT_S, "limits": limits or Limits(), **options}
    return TrainerClient("actor", url, CONFIG, data_stores={NAME: store}, **chosen)


def filled(first: int, count: int, *, capacity: int = 10_000) -> QueuedDataStore:
    """An actor's store with these transitions."""
    store = QueuedDataStore(capacity)
    store.insert_batch(transitions(first, count))
    return store


def numbers(server: TrainerServer) -> list[int]:
    """Which transitions the server has, in the order in which they came."""
    return numbers_in(server.data_store(NAME).since(0)[0])


class Proxy:
    """A TCP port that leads to a server, until it is told to cut what goes through it."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.was_cut = threading.Event()
        self._cut_next_reply = False
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._listening.getsockname()[1]}"
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def cut_next_reply(self) -> None:
        """Let nothing through of what the server says next: end its connection instead."""
        self.was_cut.clear()
        self._cut_next_reply = True

    def cut(self) -> None:
        """End all connections."""
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End all connections, and take no more."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(WAIT_S)
        self._listening.close()
        self.cut()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            host, port = self.target.removeprefix("tcp://").rsplit(":", 1)
            try:
                far = socket.create_connection((host, int(port)), WAIT_S)
            except OSError:
                near.close()
                continue
            self._lead([near, far])

    def _lead(self, ends: list[socket.socket]) -> None:
        near, far = ends
        with self._lock:
            self._connections.update(ends)
        pumps = [
            threading.Thread(target=self._pump, args=(near, far, False), daemon=True),
            threading.Thread(target=self._pump, args=(far, near, True), daemon=True),
        ]
        for pump in pumps:
            pump.start()
        threading.Thread(target=self._bury, args=(pumps, ends), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, from_server: bool) -> None:  # noqa: FBT001 - a thread's
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if from_server and self._cut_next_reply:
                    self._cut_next_reply = False
                    self.was_cut.set()
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _bury(self, pumps: Iterable[threading.Thread], ends: list[socket.socket]) -> None:
        for pump in pumps:
            pump.join()
        with self._lock:
            self._connections.difference_update(ends)
        for end in ends:
            end.close()
