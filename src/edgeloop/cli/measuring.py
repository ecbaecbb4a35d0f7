"""How long small calls to a server take, and how fast large ones carry bytes."""

import dataclasses
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from edgeloop.stream import Client, Message

_SMALL_BYTES = 1_000
_LEAST_CALLS = 3


@dataclass(frozen=True, slots=True)
class Latency:
    """Of small calls, one after the other, in microseconds."""

    calls: int
    least_us: float
    p50_us: float
    p90_us: float
    p99_us: float
    most_us: float


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Of one call after the other with so many bytes in one direction."""

    size_bytes: int
    up_ms: float
    up_mb_per_s: float
    down_ms: float
    down_mb_per_s: float


def measure_latency(client: Client, *, calls: int) -> Latency:
    """Of calls of 1 kB with an empty answer."""
    message = {"data": bytes(_SMALL_BYTES)}
    times = np.array([_time(client, message) for _ in range(calls + 1)][1:]) * 1e6
    p50, p90, p99 = (float(value) for value in np.percentile(times, (50, 90, 99)))
    return Latency(calls, float(times.min()), p50, p90, p99, float(times.max()))


def measure_bandwidth(client: Client, size_bytes: int, *, seconds: float) -> Bandwidth:
    """Of messages with ``size_bytes`` up, then down; each for some seconds."""
    data = np.random.default_rng(0).integers(0, 256, size_bytes, dtype=np.uint8)
    up_s = _mean_time(client, {"data": data}, seconds)
    down_s = _mean_time(client, {"reply_bytes": size_bytes}, seconds)
    megabytes = size_bytes / 1e6
    return Bandwidth(size_bytes, up_s * 1e3, megabytes / up_s, down_s * 1e3, megabytes / down_s)


def plainly(figures: Latency | Bandwidth) -> dict[str, Any]:
    """As JSON says it."""
    return {name: round(value, 3) for name, value in dataclasses.asdict(figures).items()}


def _mean_time(client: Client, message: Message, seconds: float) -> float:
    _time(client, message)
    begun, calls = perf_counter(), 0
    while (passed := perf_counter() - begun) < seconds or calls < _LEAST_CALLS:
        _time(client, message)
        calls += 1
    return passed / calls


def _time(client: Client, message: Message) -> float:
    begun = perf_counter()
    client.call("ping", message)
    return perf_counter() - begun
