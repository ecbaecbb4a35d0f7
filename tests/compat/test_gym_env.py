"""agentlace.gym_env."""

import contextlib
import threading
from collections.abc import Iterator
from itertools import count
from typing import Any

import gymnasium
import numpy as np
import pytest

import edgeloop.compat.agentlace as edgeml
from compat.material import SOON_MS, TIMEOUT_MS, running
from edgeloop.compat.agentlace.gym_env import (
    DefaultActionConfig,
    GymEnvClient,
    GymEnvServerWrapper,
)
from edgeloop.errors import Conflict
from streams import WAIT_S, in_thread

NO_SERVER = "Failed to connect to action server"


class Counting(gymnasium.Env[Any, Any]):
    """Counts its steps; with a gate shut a step takes as long as it stays so."""

    observation_space = gymnasium.spaces.Box(0, 1000, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(3)
    render_mode = "rgb_array"

    def __init__(self) -> None:
        self.steps = 0
        self.is_closed = False
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {"seed": seed, "options": options}

    def step(self, action: Any) -> Any:
        self.entered.set()
        assert self.gate.wait(WAIT_S)
        self.steps += 1
        return np.full(1, self.steps, np.float32), float(action), False, False, {}

    def render(self) -> Any:
        return np.zeros((4, 4, 3), np.uint8)

    def close(self) -> None:
        self.is_closed = True


def serving(env: Counting) -> Any:
    return running(GymEnvServerWrapper(env, 0))


@contextlib.contextmanager
def player(server: GymEnvServerWrapper, timeout_ms: float = TIMEOUT_MS) -> Iterator[GymEnvClient]:
    """A client, closed at the end; on a busy machine not every attempt is quick enough."""
    for attempt in count():
        try:
            client = GymEnvClient("127.0.0.1", server.port, 0.01, timeout_ms)
            break
        except Exception as error:
            if str(error) != NO_SERVER or attempt > 500:
                raise
    try:
        yield client
    finally:
        client.close()


def test_the_environment_is_as_if_it_were_here() -> None:
    env = Counting()
    with serving(env) as server, player(server) as client:
        assert client.observation_space == env.observation_space
        assert client.action_space == env.action_space
        observation, info = client.reset(seed=7, options={"x": 1})
        assert observation.tolist() == [0]
        assert info == {"seed": 7, "options": {"x": 1}}
        observation, reward, terminated, truncated, _ = client.step(2)
        assert (observation.tolist(), reward, terminated, truncated) == ([1], 2.0, False, False)
        assert client.render().shape == (4, 4, 3)


def test_a_step_that_takes_longer_than_the_timeout_is_made_once() -> None:
    env = Counting()
    with serving(env) as server, player(server, SOON_MS) as client:
        client.reset()
        env.gate.clear()
        stepping = in_thread(lambda: client.step(1))
        assert env.entered.wait(WAIT_S)
        assert not threading.Event().wait(4 * SOON_MS / 1000)
        env.gate.set()
        observation, *_ = stepping.result()
        assert (env.steps, observation.tolist()) == (1, [1])


def test_a_client_waits_for_a_server_that_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    server = GymEnvServerWrapper(Counting(), 0)
    with running(server):
        entered = contextlib.ExitStack()
        client = entered.enter_context(player(server, 10 * SOON_MS))
    resetting = in_thread(lambda: client.reset(seed=1))
    while "waiting for the environment" not in caplog.text:
        assert not threading.Event().wait(0.01)
    with running(server), entered:
        _, info = resetting.result()
    assert info["seed"] == 1


def test_the_newest_client_has_the_environment() -> None:
    with serving(Counting()) as server, player(server) as first, player(server) as second:
        second.reset()
        with pytest.raises(Conflict):
            first.reset()


def test_the_environment_stays_open_when_its_server_stops() -> None:
    env = Counting()
    with serving(env) as server, player(server):
        pass
    states = [env.is_closed]
    server.close()
    assert [*states, env.is_closed] == [False, True]


def test_start_blocks_until_it_is_stopped() -> None:
    server = GymEnvServerWrapper(Counting(), 0)
    blocked = in_thread(server.start)
    with player(server) as client:
        client.reset()
    server.stop()
    blocked.result()


def test_no_server_fails_with_agentlaces_words() -> None:
    server = GymEnvServerWrapper(Counting(), 0)
    server.stop()
    with pytest.raises(Exception, match=r"^Failed to connect to action server$"):
        GymEnvClient("127.0.0.1", server.port, timeout_ms=SOON_MS)


def test_the_config_that_agentlace_shares_stays_as_it_is() -> None:
    with serving(Counting()) as server, player(server):
        pass
    assert DefaultActionConfig.port_number == 5546
    assert DefaultActionConfig.action_keys == ["reset", "step", "render", "close"]


def test_the_module_comes_when_it_is_asked_for() -> None:
    assert edgeml.__getattr__("gym_env").GymEnvClient is GymEnvClient
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        edgeml.nothing  # noqa: B018
