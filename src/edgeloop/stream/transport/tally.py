"""Counts what a server or a client does, without a lock on the way of a call."""

import threading
from collections import Counter

from edgeloop.stream.transport.base import Counters

_BUCKETS = 64


class Tally:
    """The figures of one connection: only its own thread adds to them.

    Latencies are a histogram with a bucket per power of two of microseconds.
    """

    __slots__ = ("_buckets", "bytes_in", "bytes_out", "failures", "longest_s", "seconds")

    def __init__(self) -> None:
        self.failures = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.seconds = 0.0
        self.longest_s = 0.0
        self._buckets = [0] * _BUCKETS

    def timed(self, seconds: float) -> None:
        """Count a call that took so long."""
        self.seconds += seconds
        if seconds > self.longest_s:
            self.longest_s = seconds
        self._buckets[int(seconds * 1e6).bit_length()] += 1

    @property
    def calls(self) -> int:
        """How many calls took any time."""
        return sum(self._buckets)

    def merge(self, other: "Tally") -> None:
        """Add the figures of ``other``."""
        self.failures += other.failures
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out
        self.seconds += other.seconds
        self.longest_s = max(self.longest_s, other.longest_s)
        self._buckets = [a + b for a, b in zip(self._buckets, other._buckets, strict=True)]

    def within_s(self, share: float) -> float:
        """How long the quickest ``share`` of all calls took at most, to a factor of two."""
        wanted, seen = share * self.calls, 0
        for exponent, count in enumerate(self._buckets):
            seen += count
            if count and seen >= wanted:
                return min(2.0**exponent / 1e6, self.longest_s)
        return 0.0


class Ledger:
    """Adds up the tallies of all connections, also of those that are gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[Tally] = set()
        self._gone = Tally()
        self._counts: Counter[str] = Counter()

    def open(self) -> Tally:
        """A tally for a new connection."""
        tally = Tally()
        with self._lock:
            self._open.add(tally)
            self._counts["connections_made"] += 1
        return tally

    def close(self, tally: Tally) -> None:
        """Keep the figures of a connection that is gone. Idempotent."""
        with self._lock:
            if tally in self._open:
                self._open.discard(tally)
                self._gone.merge(tally)

    def add(self, tally: Tally) -> None:
        """Add the figures of a call that has no connection of its own."""
        with self._lock:
            self._gone.merge(tally)

    def count(self, name: str) -> None:
        """Count a rare event."""
        with self._lock:
            self._counts[name] += 1

    def counters(self) -> Counters:
        """All figures by name."""
        total = Tally()
        with self._lock:
            total.merge(self._gone)
            for tally in self._open:
                total.merge(tally)
            counts = dict(self._counts)
            connections = len(self._open)
        return {
            "calls": total.calls,
            "failures": total.failures,
            "bytes_in": total.bytes_in,
            "bytes_out": total.bytes_out,
            "connections": connections,
            "call_seconds": total.seconds,
            "call_seconds_max": total.longest_s,
            "call_seconds_p50": total.within_s(0.5),
            "call_seconds_p99": total.within_s(0.99),
            **counts,
        }
