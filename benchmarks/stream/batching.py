"""Batches of calls: what they cost a lone client, and what they give sixteen."""

import statistics
import threading
import time

import numpy as np

from edgeloop.stream import InferenceClient
from stream.processes import Process
from stream.rows import Row, rates, times

_ROUND_S = 1.0
_CALLS = 1_000
_CLIENTS = (1, 4, 16)
_PAYLOAD = {"x": np.zeros(1024, np.float32)}


def measure(rounds: int, only: str) -> list[Row]:
    """All rows whose name has the word ``only`` in it; what is not batched stands as the peer."""
    with Process("stream.batching_server") as process:
        rows = [_lone(process.address, rounds)]
        rows += [_model(process.address, count, rounds) for count in _CLIENTS]
    return [row for row in rows if only in row.measurement]


def _lone(url: str, rounds: int) -> Row:
    with InferenceClient(url) as client:
        pairs = [(_call_us(client, "batched"), _call_us(client, "plain")) for _ in range(rounds)]
    batched, plain = (statistics.median(column) for column in zip(*pairs, strict=True))
    return times("a lone call, 4 kB: batched, not batched", "us", batched, plain)


def _call_us(client: InferenceClient, name: str) -> float:
    walls = []
    for _ in range(_CALLS):
        begun = time.perf_counter()
        client.call(name, _PAYLOAD)
        walls.append(time.perf_counter() - begun)
    return statistics.median(walls) * 1e6


def _model(url: str, clients: int, rounds: int) -> Row:
    pairs = [(_rate(url, "together", clients), _rate(url, "alone", clients)) for _ in range(rounds)]
    batched, plain = (statistics.median(column) for column in zip(*pairs, strict=True))
    name = f"a model of 4 ms a batch, 0.1 ms a call; {clients} clients: batched, not batched"
    return rates(name, "calls/s", batched, plain)


def _rate(url: str, name: str, clients: int) -> float:
    """Calls per second of so many clients, each in a thread."""
    counts = [0] * clients
    end = time.perf_counter() + _ROUND_S

    def ask(index: int) -> None:
        with InferenceClient(url) as client:
            while time.perf_counter() < end:
                client.call(name, _PAYLOAD)
                counts[index] += 1

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / _ROUND_S
