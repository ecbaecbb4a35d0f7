"""Updating a trainer: transitions of 49.2 kB, from insert() here to the store of the server.

A round inserts a batch one by one and updates, again and again. Rates are those of update(), from
its call until the server has acknowledged all; CPU time is that of both ends, inserts included. The
server is a process of its own: ``python -m stream.updating KIND``.
"""

import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np

from edgeloop.stream import (
    Limits,
    QueuedDataStore,
    ReplayBuffer,
    TrainerClient,
    TrainerConfig,
    TrainerServer,
)
from stream.calls import bare_call
from stream.processes import Process, in_background, obey
from stream.reference import ReferenceClient, ReferenceServer, dumps, loads
from stream.rows import Row, rates, times

_BATCHES = (1, 10, 100, 1000)
_GOALS = {("tcp", 100): 15.0, ("near", 100): 50.0}
_CAPACITY = 2000
_ROUND_S = 0.25
_FEWEST = 2
_STORE = "actor"
_CONFIG = TrainerConfig(port_number=0)

Item = dict[str, Any]


def measure(rounds: int, only: str = "") -> Iterator[Row]:
    """The rows of all sizes of batches."""
    if not any(only in f"update {size}" for size in _BATCHES):
        return
    with ExitStack() as stack:
        trainer = stack.enter_context(Process("stream.updating", "trainer"))
        reference = stack.enter_context(Process("stream.updating", "reference"))
        quiet = stack.enter_context(Process("stream.updating", "quiet-reference"))
        bare = stack.enter_context(Process("stream.servers", "tcp"))
        sides = [
            _Side("peer", reference, ReferenceActor(int(reference.address))),
            _Side("quiet", quiet, ReferenceActor(int(quiet.address))),
            _Side("tcp", trainer, Actor(stack, trainer.address, Limits(shortcut=False))),
            _Side("near", trainer, Actor(stack, trainer.address, Limits())),
        ]
        for size in _BATCHES:
            if only in f"update {size}":
                yield from _rows(size, rounds, sides, bare)


class Actor:
    """Our client and its store."""

    def __init__(self, stack: ExitStack, address: str, limits: Limits) -> None:
        self._store = QueuedDataStore(_CAPACITY)
        self._client = stack.enter_context(
            TrainerClient(_STORE, address, _CONFIG, self._store, limits=limits, timeout_s=60)
        )

    def insert(self, items: list[Item]) -> None:
        """Gather transitions."""
        for item in items:
            self._store.insert(item)

    def update(self, count: int) -> None:
        """Send them."""
        if self._client.update() != count:
            raise RuntimeError("not all transitions arrived")


class ReferenceActor:
    """A deque, and on the wire what agentlace's client does: ask for the last id, send a list."""

    def __init__(self, port: int) -> None:
        self._client = _Asking(port)
        self._queue: deque[Item] = deque(maxlen=_CAPACITY)
        self._ids: deque[int] = deque(maxlen=_CAPACITY)
        self._latest = -1

    def insert(self, items: list[Item]) -> None:
        """Gather transitions."""
        for item in items:
            self._latest += 1
            self._queue.append(item)
            self._ids.append(self._latest)

    def update(self, count: int) -> None:
        """Send them."""
        question = {"type": "get_last_update_id", "payload": {"store_name": _STORE}}
        last = self._client.ask(question)["payload"]
        data = [item for number, item in zip(self._ids, self._queue, strict=True) if number > last]
        payload = {"data": data, "last_id": self._latest}
        self._client.ask({"type": "datastore", "store_name": _STORE, "payload": payload})


class _Asking(ReferenceClient):
    """Sends requests of other types than calls of interfaces."""

    def ask(self, request: object) -> Any:
        """The answer to ``request``."""
        with self._lock:
            self._socket.send(dumps(request))
            return loads(self._socket.recv())


class _Side:
    """One implementation under measurement."""

    def __init__(self, name: str, process: Process, actor: Actor | ReferenceActor) -> None:
        self.name = name
        self._process = process
        self._actor = actor
        self.rates: list[float] = []
        self.cpu_us: list[float] = []

    def measure(self, items: list[Item]) -> None:
        """One round: transitions per second, and the CPU time of both ends per transition."""
        count, walls = len(items), []
        begun_cpu = time.process_time() + self._process.cpu_s()
        end = time.perf_counter() + _ROUND_S
        while len(walls) < _FEWEST or time.perf_counter() < end:
            self._actor.insert(items)
            begun = time.perf_counter()
            self._actor.update(count)
            walls.append(time.perf_counter() - begun)
        cpu = time.process_time() + self._process.cpu_s() - begun_cpu
        self.rates.append(count / statistics.median(walls))
        self.cpu_us.append(cpu / (len(walls) * count) * 1e6)


def _rows(size: int, rounds: int, sides: list[_Side], bare: Process) -> Iterator[Row]:
    items = _items(size)
    limits = {
        "tcp": _bare_rate(size, bare_call("tcp", bare.address, size * _size_bytes(items[0]))),
        "near": _bare_rate(size, _copy(size * _size_bytes(items[0]))),
    }
    for side in sides:
        for _ in range(1 + 2 * _CAPACITY // size // 20):  # memory that is needed is touched once
            side.measure(items)
        side.rates.clear()
        side.cpu_us.clear()
    for _ in range(rounds):
        for side in sides:
            side.measure(items)
    found = {side.name: side for side in sides}
    peer = found["peer"]
    for way, shown in (("tcp", "TCP"), ("near", "same host")):
        goal = _GOALS.get((way, size))
        yield rates(
            f"update {size}, {shown}",
            "transitions/s",
            statistics.median(found[way].rates),
            statistics.median(peer.rates),
            limit=limits[way],
            **({"goal": goal} if goal else {}),
        )
        yield rates(
            f"update {size}, {shown}, the reference formats no log lines",
            "transitions/s",
            statistics.median(found[way].rates),
            statistics.median(found["quiet"].rates),
            limit=limits[way],
        )
        yield times(
            f"update {size}, {shown}, CPU of both ends per transition",
            "us",
            statistics.median(found[way].cpu_us),
            statistics.median(peer.cpu_us),
        )


def _items(count: int) -> list[Item]:
    rng = np.random.default_rng(0)
    return [
        {
            "image": rng.integers(0, 255, (128, 128, 3), dtype=np.uint8),
            "actions": rng.random(7, dtype=np.float32),
        }
        for _ in range(count)
    ]


def _size_bytes(item: Item) -> int:
    return sum(value.nbytes for value in item.values())


def _copy(size_bytes: int) -> Callable[[], None]:
    """Copying so much, into memory that was used before."""
    source, target = np.ones(size_bytes, np.uint8), np.ones(size_bytes, np.uint8)
    return lambda: np.copyto(target, source)


def _bare_rate(count: int, action: Callable[[], object]) -> float:
    """Transitions per second, if all that there is to do was this: the median of some rounds."""
    walls = []
    for _ in range(7):
        begun = time.perf_counter()
        action()
        walls.append(time.perf_counter() - begun)
    return count / statistics.median(walls)


def _trainer() -> None:
    server = TrainerServer(_CONFIG)
    server.register_data_store(_STORE, ReplayBuffer(capacity=_CAPACITY))
    server.start()
    obey(server.url)


class _ReferenceTrainer(ReferenceServer):
    """Keeps what comes, and the last id of each store."""

    def __init__(self, *, log_lines: bool) -> None:
        super().__init__({}, log_lines=log_lines)
        self._store: deque[Item] = deque(maxlen=_CAPACITY)
        self._last_ids = {_STORE: -1}

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["type"] == "get_last_update_id":
            return {"success": True, "payload": self._last_ids[request["payload"]["store_name"]]}
        for item in request["payload"]["data"]:
            self._store.append(item)
        self._last_ids[request["store_name"]] = request["payload"]["last_id"]
        return {"success": True}


def _reference(*, log_lines: bool) -> None:
    server = _ReferenceTrainer(log_lines=log_lines)
    in_background(server.run)
    obey(server.port)


_KINDS: dict[str, Callable[[], None]] = {
    "trainer": _trainer,
    "reference": lambda: _reference(log_lines=True),
    "quiet-reference": lambda: _reference(log_lines=False),
}

if __name__ == "__main__":
    _KINDS[sys.argv[1]]()
