"""Calls: a payload up, a small answer back; and a fast call beside a slow one."""

import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgeloop.stream.transport import Limits, connect
from stream.processes import Process, in_background
from stream.reference import ReferenceClient
from stream.rows import Row, times

_ROUND_S = 0.25
"""How long every implementation is asked in a round."""
_FEWEST = 3
_SMALL_BYTES = 2000


@dataclass
class Side:
    """One implementation under measurement."""

    name: str
    process: Process
    call: Callable[[], object]
    wall_us: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    def measure(self) -> None:
        """One round: the median time of a call, and the CPU time of both ends per call."""
        for _ in range(_FEWEST):
            self.call()
        walls: list[float] = []
        begun_cpu = time.process_time() + self.process.cpu_s()
        end = time.perf_counter() + _ROUND_S
        while len(walls) < _FEWEST or time.perf_counter() < end:
            begun = time.perf_counter()
            self.call()
            walls.append(time.perf_counter() - begun)
        cpu = time.process_time() + self.process.cpu_s() - begun_cpu
        self.wall_us.append(statistics.median(walls) * 1e6)
        self.cpu_us.append(cpu / len(walls) * 1e6)

    @property
    def wall(self) -> float:
        """Median over the rounds, us."""
        return statistics.median(self.wall_us)

    @property
    def cpu(self) -> float:
        """Median over the rounds, us."""
        return statistics.median(self.cpu_us)


@dataclass(frozen=True)
class Case:
    """A payload, and the goals for it: (wall TCP, wall same host, CPU TCP, CPU same host)."""

    name: str
    payload: dict[str, Any]
    goals: dict[str, float]


def cases() -> list[Case]:
    """The payloads of the table."""
    rng = np.random.default_rng(0)
    weights = {f"layer {i}": rng.standard_normal((1_250_000,)) for i in range(10)}
    vga = rng.integers(0, 255, (480, 640, 3), dtype=np.uint8)
    full_hd = rng.integers(0, 255, (1080, 1920, 3), dtype=np.uint8)
    return [
        Case("1 kB bytes", {"data": rng.bytes(1000)}, {"tcp wall": 3.5, "near wall": 4.5}),
        Case("1 kB array", {"data": rng.standard_normal(256, dtype=np.float32)}, {}),
        Case("100 kB", {"data": rng.bytes(100_000)}, {}),
        Case("640x480x3", {"image": vga}, {"tcp cpu": 12, "near cpu": 35}),
        Case("1920x1080x3", {"image": full_hd}, {"near wall": 30}),
        Case("100 MB", weights, {"tcp wall": 10, "near wall": 40}),
    ]


def measure(rounds: int, only: str = "") -> Iterator[Row]:
    """The rows of all payloads, and of a fast call beside a slow one."""
    with ExitStack() as stack:
        ours = stack.enter_context(Process("stream.servers", "ours"))
        reference = stack.enter_context(Process("stream.servers", "reference"))
        quiet = stack.enter_context(Process("stream.servers", "bare-reference"))
        bare = {
            family: stack.enter_context(Process("stream.servers", family))
            for family in ("tcp", "unix")
        }
        for case in cases():
            if only in case.name:
                yield from _rows(case, rounds, _Servers(ours, reference, quiet, bare))
    if only in "beside":
        yield _beside(rounds)


@dataclass(frozen=True)
class _Servers:
    """The processes that answer; ``quiet`` is the reference that formats no log lines."""

    ours: Process
    reference: Process
    quiet: Process
    bare: dict[str, Process]


def _rows(case: Case, rounds: int, servers: _Servers) -> Iterator[Row]:
    ours, reference, bare = servers.ours, servers.reference, servers.bare
    far = connect(ours.address, timeout_s=60, limits=Limits(shortcut=False))
    near = connect(ours.address, timeout_s=60)
    peer = ReferenceClient(int(reference.address))
    quiet = ReferenceClient(int(servers.quiet.address))
    size = sum(len(v) if isinstance(v, bytes) else v.nbytes for v in case.payload.values())
    sides = {
        "peer": Side("peer", reference, lambda: peer.call("call", case.payload)),
        "tcp": Side("tcp", ours, lambda: far.call("call", case.payload)),
        "near": Side("near", ours, lambda: near.call("call", case.payload)),
        "quiet": Side("quiet", servers.quiet, lambda: quiet.call("call", case.payload)),
        "bare tcp": Side("bare tcp", bare["tcp"], bare_call("tcp", bare["tcp"].address, size)),
        "bare unix": Side("bare unix", bare["unix"], bare_call("unix", bare["unix"].address, size)),
    }
    if size > _SMALL_BYTES:
        del sides["quiet"]
    for _ in range(rounds):
        for side in sides.values():
            side.measure()
    far.close()
    near.close()
    if size <= _SMALL_BYTES:
        yield times(
            f"call {case.name}, TCP, p50, the reference formats no log lines",
            "us",
            sides["tcp"].wall,
            sides["quiet"].wall,
            limit=sides["bare tcp"].wall,
        )
    for way, limit, shown in (("tcp", "bare tcp", "TCP"), ("near", "bare unix", "same host")):
        for kind in ("wall", "cpu"):
            goal = case.goals.get(f"{way} {kind}")
            yield times(
                f"call {case.name}, {shown}, {'p50' if kind == 'wall' else 'CPU of both ends'}",
                "us",
                getattr(sides[way], kind),
                getattr(sides["peer"], kind),
                limit=getattr(sides[limit], kind),
                **({"goal": goal} if goal else {}),
            )


def bare_call(family: str, address: str, size: int) -> Callable[[], None]:
    """So many bytes over a bare socket, and a short answer."""
    connection = socket.socket(socket.AF_UNIX if family == "unix" else socket.AF_INET)
    connection.connect(f"\0{address}" if family == "unix" else ("127.0.0.1", int(address)))
    if family == "tcp":
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    payload = bytes(size)
    connection.sendall(size.to_bytes(8, "little"))
    connection.recv(1)

    def call() -> None:
        connection.sendall(payload)
        connection.recv(34)

    return call


def _beside(rounds: int) -> Row:
    """A fast call while another client's handler takes 0.3 s."""
    ours, peers = [], []
    with (
        Process("stream.servers", "ours") as server,
        Process("stream.servers", "reference") as reference,
    ):
        slow, fast = connect(server.address), connect(server.address)
        slow_peer, fast_peer = (ReferenceClient(int(reference.address)) for _ in range(2))
        in_background(lambda: _repeat(lambda: slow.call("slow", {})))
        in_background(lambda: _repeat(lambda: slow_peer.call("slow", {})))
        for _ in range(max(3, rounds)):
            ours.append(_median(lambda: fast.call("call", {"data": bytes(1000)}), 20))
            peers.append(_median(lambda: fast_peer.call("call", {"data": bytes(1000)}), 2))
    wall, peer = statistics.median(ours) * 1e3, statistics.median(peers) * 1e3
    return times("a fast call beside a 0.3 s handler, p50", "ms", wall, peer, limit=2.0)


def _repeat(call: Callable[[], object]) -> None:
    try:
        while True:
            call()
    except Exception:  # noqa: BLE001, S110 - the server was ended: the measurement is over
        pass


def _median(call: Callable[[], object], count: int) -> float:
    walls = []
    for _ in range(count):
        begun = time.perf_counter()
        call()
        walls.append(time.perf_counter() - begun)
    return statistics.median(walls)
