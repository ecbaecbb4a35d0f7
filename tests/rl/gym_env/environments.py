"""Environments that count what is done to them, and the servers and clients of a test."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from edgeloop.rl.gym_env import GymEnvClient, GymEnvServer, GymVectorEnvClient
from pairs import client_options, server_options
from streams import WAIT_S, Way

AnyEnv = Any


class Counting(gymnasium.Env[Any, Any]):
    """Observes how often it was reset and stepped; an episode has ``length`` steps.

    Action 1 is answered when the gate is open, action 2 raises: neither is drawn.
    """

    metadata = {"render_modes": ["rgb_array", "ansi"], "render_fps": 7}  # noqa: RUF012 - Gymnasium's way
    observation_space = spaces.Box(0, 1 << 30, (2,), np.int64)
    action_space = spaces.Discrete(1)

    def __init__(self, *, render_mode: str | None = None, length: int = 1 << 30) -> None:
        self.render_mode = render_mode
        self.length = length
        self.resets = self.steps = 0
        self.infos: dict[str, Any] = {}
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.threads: set[int] = set()
        self.closed = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.threads.add(threading.get_ident())
        self.resets += 1
        self.begun = self.steps
        return self._observation(), {"options": options or {}}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.threads.add(threading.get_ident())
        self.steps += 1
        if action == 1:
            self.entered.set()
            assert self.gate.wait(WAIT_S)
        if action == 2:
            raise ZeroDivisionError("the arm hit the table")
        over = self.steps - self.begun >= self.length
        return self._observation(), float(self.steps), over, False, dict(self.infos)

    def render(self) -> Any:
        if self.render_mode == "ansi":
            return f"{self.steps} steps"
        return np.full((4, 5, 3), self.steps % 256, np.uint8)

    def close(self) -> None:
        self.threads.add(threading.get_ident())
        self.closed += 1

    def _observation(self) -> Any:
        return np.array([self.resets, self.steps])


def serve_env(way: Way, env: Any, **options: Any) -> GymEnvServer:
    """A running server of ``env``; it ends with the test."""
    return way.stack.enter_context(GymEnvServer(env, **server_options(way, **options)))


def client_of(way: Way, server: GymEnvServer | str, **options: Any) -> GymEnvClient:
    """A client of ``server``; it ends with the test."""
    url = server if isinstance(server, str) else server.url
    client = GymEnvClient(url, **client_options(way, **options))
    way.stack.callback(client.close)
    return client


def vector_client_of(way: Way, server: GymEnvServer, **options: Any) -> GymVectorEnvClient:
    """A client of ``server``, which has a vector environment; it ends with the test."""
    client = GymVectorEnvClient(server.url, **client_options(way, **options))
    way.stack.callback(client.close)
    return client


def until(is_so: Callable[[], bool]) -> None:
    """Wait until it is so."""
    deadline = monotonic() + WAIT_S
    tick = threading.Event()
    while not is_so():
        assert monotonic() < deadline
        tick.wait(0.005)
