"""Publishing weights: from the call of publish to the callback of the last subscriber.

Publisher and subscribers are processes of their own: ``python -m stream.publishing KIND ...``.
"""

import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np

from edgeloop.stream.transport import Limits, Message, connect, serve
from stream.processes import Process, in_background, obey
from stream.reference import ReferenceBroadcaster, listen
from stream.rows import Row, times

_MEGABYTE = 1 << 20
_CASES = [(1, 1), (1, 8), (50, 1), (50, 8)]
"""(MB, subscribers)"""
_GOALS = {("tcp", 50, 8): 8.0, ("near", 50, 8): 20.0}


def measure(rounds: int, only: str = "") -> Iterator[Row]:
    """The rows of all sizes and numbers of subscribers."""
    for megabytes, count in _CASES:
        if only in f"publish {megabytes} MB to {count}":
            yield from _rows(megabytes, count, max(3, rounds // 2))


class _Way:
    """A publisher and its subscribers."""

    def __init__(self, stack: ExitStack, kind: str, count: int) -> None:
        publisher = "reference-publisher" if kind == "peer" else "publisher"
        self.publisher = stack.enter_context(Process("stream.publishing", publisher))
        self.subscribers = [
            stack.enter_context(Process("stream.publishing", kind, self.publisher.address))
            for _ in range(count)
        ]
        while any(int(subscriber.ask("count")) == 0 for subscriber in self.subscribers):
            self.publisher.ask("publish 0")  # until nobody is late any more
        self.ms: list[float] = []

    def settle(self) -> None:
        """Wait until all have what was published last."""
        number = self.publisher.ask("published")
        for subscriber in self.subscribers:
            subscriber.ask(f"wait {number}")

    def measure(self, megabytes: int) -> None:
        """Publish once; how long it takes until all were called back."""
        self.settle()
        begun = float(self.publisher.ask(f"publish {megabytes}"))
        number = self.publisher.ask("published")
        arrived = [float(subscriber.ask(f"wait {number}")) for subscriber in self.subscribers]
        self.ms.append((max(arrived) - begun) * 1e3)


def _rows(megabytes: int, count: int, rounds: int) -> Iterator[Row]:
    with ExitStack() as stack:
        ways = {kind: _Way(stack, kind, count) for kind in ("peer", "tcp", "near")}
        for way in ways.values():
            way.measure(megabytes)  # memory that all need is touched once
            way.ms.clear()
        for _ in range(rounds):
            for way in ways.values():
                way.measure(megabytes)
        medians = {kind: statistics.median(way.ms) for kind, way in ways.items()}
    limit = _copy_ms(megabytes)
    for kind, shown in (("tcp", "TCP"), ("near", "same host")):
        goal = _GOALS.get((kind, megabytes, count))
        yield times(
            f"publish {megabytes} MB to {count}, {shown}, last callback",
            "ms",
            medians[kind],
            medians["peer"],
            limit=limit if kind == "near" else limit * count,
            **({"goal": goal} if goal else {}),
        )


def _copy_ms(megabytes: int) -> float:
    """Copying so much once, into memory that was used before."""
    source, target = (
        np.ones(megabytes * _MEGABYTE, np.uint8),
        np.ones(megabytes * _MEGABYTE, np.uint8),
    )
    walls = []
    for _ in range(5):
        begun = time.perf_counter()
        np.copyto(target, source)
        walls.append(time.perf_counter() - begun)
    return statistics.median(walls) * 1e3


def _weights(megabytes: int) -> Message:
    rng = np.random.default_rng(megabytes)
    count = max(1, megabytes * _MEGABYTE // 40)
    return {f"layer {i}": rng.standard_normal(count, dtype=np.float32) for i in range(10)}


class _Publisher:
    """Publishes numbered weights on demand, and says when it began."""

    def __init__(self, publish: Callable[[Message], object]) -> None:
        self._publish = publish
        self._weights = {megabytes: _weights(megabytes) for megabytes in (0, 1, 50)}
        self.published = 0

    def publish(self, megabytes: str) -> float:
        """Publish so much; the time at which that began."""
        self.published += 1
        begun = time.monotonic()
        self._publish({"number": self.published, "weights": self._weights[int(megabytes)]})
        return begun


class _Arrivals:
    """Notes when which weights arrived."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.count = 0
        self._number = 0
        self._at = 0.0

    def note(self, message: Any) -> None:
        """Called back with weights: looks into each array."""
        assert all(array[-1] is not None for array in message["weights"].values())
        with self._changed:
            self.count += 1
            self._number, self._at = message["number"], time.monotonic()
            self._changed.notify_all()

    def wait(self, number: str) -> float:
        """When the weights with this number arrived."""
        with self._changed:
            self._changed.wait_for(lambda: self._number >= int(number))
            return self._at


def _publisher() -> None:
    server = serve("tcp://127.0.0.1:0", lambda route, message: message)
    server.start()
    publisher = _Publisher(lambda message: server.publish("weights", message))
    obey(server.url, {"publish": publisher.publish, "published": lambda: publisher.published})


def _reference_publisher() -> None:
    broadcaster = ReferenceBroadcaster()
    publisher = _Publisher(broadcaster.broadcast)
    obey(broadcaster.port, {"publish": publisher.publish, "published": lambda: publisher.published})


def _subscriber(kind: str, address: str) -> None:
    arrivals = _Arrivals()
    if kind == "peer":
        in_background(lambda: listen(int(address), arrivals.note))
    else:
        client = connect(address, limits=Limits(shortcut=kind == "near"))
        client.subscribe("weights", lambda publication: arrivals.note(publication.message))
    obey("ready", {"count": lambda: arrivals.count, "wait": arrivals.wait})


if __name__ == "__main__":
    _, chosen, *rest = sys.argv
    if chosen == "publisher":
        _publisher()
    elif chosen == "reference-publisher":
        _reference_publisher()
    else:
        _subscriber(chosen, *rest)
