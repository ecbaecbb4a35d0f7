"""Environments: steps per second of one elsewhere, single and vector, and of one that is here.

Servers are processes of their own: ``python -m stream.environments KIND COPIES``.
"""

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np

from edgeloop.rl import GymEnvClient, GymEnvServer, GymVectorEnvClient
from edgeloop.stream import Limits
from stream.processes import Process, in_background, obey
from stream.reference import ReferenceClient, ReferenceServer
from stream.rows import Row, rates, times

_ID = "CartPole-v1"
_COPIES = 16
_ROUND_S = 0.5
_AT_ONCE = 50
"""So many steps are made between two looks at the clock."""
_WAYS = {"TCP": Limits(shortcut=False), "same host": Limits()}


@dataclass
class Side:
    """One way to the environment under measurement."""

    reset: Callable[[], object]
    step: Callable[[Any], tuple[Any, ...]]
    process: Process | None = None
    rates: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    def measure(self, actions: list[Any]) -> None:
        """One round: steps per second, and the CPU time of both ends per step.

        Single episodes begin anew when they are over.
        """
        self.reset()
        steps = 0
        begun_cpu_s = self._cpu_s()
        begun = time.perf_counter()
        while (taken := time.perf_counter() - begun) < _ROUND_S:
            for action in actions:
                _, _, terminated, truncated, _ = self.step(action)
                if terminated is True or truncated is True:
                    self.reset()
            steps += len(actions)
        self.rates.append(steps / taken)
        self.cpu_us.append((self._cpu_s() - begun_cpu_s) / steps * 1e6)

    @property
    def rate(self) -> float:
        """Median over the rounds."""
        return statistics.median(self.rates)

    @property
    def cpu(self) -> float:
        """Median over the rounds, us."""
        return statistics.median(self.cpu_us)

    def _cpu_s(self) -> float:
        return time.process_time() + (self.process.cpu_s() if self.process else 0.0)


def measure(rounds: int, only: str = "") -> Iterator[Row]:
    """A row for each way, of a single environment and of copies."""
    for copies, name in ((0, "CartPole, single"), (_COPIES, f"CartPole, vector of {_COPIES}")):
        if only in name:
            yield from _rows(copies, name, rounds)


def _rows(copies: int, name: str, rounds: int) -> Iterator[Row]:
    draws = np.random.default_rng(0).integers(0, 2, (_AT_ONCE, copies) if copies else _AT_ONCE)
    with ExitStack() as stack:
        sides = {"here": _here(copies), "peer": _peer(stack, copies)}
        sides |= {way: _ours(stack, copies, limits) for way, limits in _WAYS.items()}
        for _ in range(rounds):
            for side in sides.values():
                side.measure(list(draws))
        for way in _WAYS:
            yield rates(
                f"{name}, {way}",
                "steps/s" if not copies else "steps of all/s",
                sides[way].rate,
                sides["peer"].rate,
                limit=sides["here"].rate,
            )
            yield times(
                f"{name}, {way}, CPU of both ends",
                "us",
                sides[way].cpu,
                sides["peer"].cpu,
                limit=sides["here"].cpu,
            )


def _here(copies: int) -> Side:
    env = _make(copies)
    return Side(env.reset, env.step)


def _ours(stack: ExitStack, copies: int, limits: Limits) -> Side:
    server = stack.enter_context(Process("stream.environments", "ours", str(copies)))
    make: Any = GymVectorEnvClient if copies else GymEnvClient
    client = stack.enter_context(contextlib.closing(make(server.address, limits=limits)))
    return Side(client.reset, client.step, server)


def _peer(stack: ExitStack, copies: int) -> Side:
    server = stack.enter_context(Process("stream.environments", "reference", str(copies)))
    client = ReferenceClient(int(server.address))
    return Side(
        lambda: client.call("reset", {}),
        lambda action: client.call("step", {"action": action}),
        server,
    )


def _make(copies: int) -> Any:
    if copies:
        return gymnasium.make_vec(_ID, copies, vectorization_mode="sync")
    return gymnasium.make(_ID)


def ours(copies: int) -> None:
    """Our own server."""
    server = GymEnvServer(lambda: _make(copies), url="tcp://127.0.0.1:0")
    server.start()
    obey(server.url)


def reference(copies: int) -> None:
    """The reference: the environment's answers, pickled; it formats no log lines."""
    env = _make(copies)
    interfaces = {
        "reset": lambda payload: env.reset(),
        "step": lambda payload: env.step(payload["action"]),
    }
    server = ReferenceServer(interfaces, log_lines=False)
    in_background(server.run)
    obey(server.port)


if __name__ == "__main__":
    {"ours": ours, "reference": reference}[sys.argv[1]](int(sys.argv[2]))
