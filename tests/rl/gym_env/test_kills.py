"""Either side is killed outright: nobody steps an episode that is not theirs."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from edgeloop.errors import ConfigMismatch, Conflict, EnvironmentLost
from rl.gym_env.environments import Counting, client_of, serve_env, until
from streams import WAIT_S, Way, in_thread

TESTS = Path(__file__).parents[2]
Start = Callable[..., "Program"]


class Program:
    """A module beside this file, as a process; its first line is what it said."""

    def __init__(self, script: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"rl.gym_env.{script}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=TESTS,
        )
        assert self._process.stdout is not None
        self.said = self._process.stdout.readline().strip()

    def kill(self) -> None:
        """Kill it outright."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(WAIT_S)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def begin(*arguments: str) -> Program:
            program = Program(*arguments)
            stack.callback(program.kill)
            return program

        yield begin


def test_a_step_at_a_server_that_was_started_again_says_to_reset(
    each_way: Way, start: Start
) -> None:
    server = start("env_server", each_way.url, "0")
    client = client_of(each_way, server.said)
    client.reset()
    client.step(0)
    server.kill()
    start("env_server", server.said, "0")
    for call in (lambda: client.step(0), client.render, lambda: client.step(0)):
        with pytest.raises(EnvironmentLost, match="reset"):
            call()
    assert client.reset()[0].tolist() == [1, 0]
    assert client.step(0)[0].tolist() == [1, 1]


def test_a_step_during_which_the_server_is_killed_is_not_made_in_another_episode(
    near: Way, start: Start
) -> None:
    server = start("env_server", near.url, "0")
    client = client_of(near, server.said)
    client.reset()
    step = in_thread(lambda: client.step(1))
    watcher = near.connect(server.said)
    until(lambda: watcher.call("counters", {})["steps"] == 1)
    server.kill()
    again = start("env_server", server.said, "0")
    with pytest.raises(EnvironmentLost):
        step.result()
    assert near.connect(again.said).call("counters", {})["steps"] == 0
    client.reset()


def test_a_reset_needs_no_other_reset_after_the_server_was_started_again(
    near: Way, start: Start
) -> None:
    server = start("env_server", near.url, "0")
    client = client_of(near, server.said)
    client.reset(seed=1)
    server.kill()
    start("env_server", server.said, "0")
    assert client.reset(seed=2)[0].tolist() == [1, 0]


def test_another_environment_at_the_same_place_is_refused(near: Way, start: Start) -> None:
    server = start("env_server", near.url, "0")
    client = client_of(near, server.said)
    server.kill()
    other = start("env_server", server.said, "2")
    for _ in range(2):
        with pytest.raises(ConfigMismatch, match="another environment now"):
            client.reset()
    client.close()
    assert near.connect(other.said).call("about", {})["environment"]["num_envs"] == 2


def test_an_environment_of_a_killed_client_can_be_taken_over(near: Way, start: Start) -> None:
    env = Counting()
    server = serve_env(near, env)
    start("env_client", server.url).kill()
    with pytest.raises(Conflict, match="Another client has the environment"):
        client_of(near, server)
    assert client_of(near, server, takeover=True).reset()[0].tolist() == [2, 1]


def test_a_killed_client_gives_way_when_it_was_silent_for_long_enough(
    near: Way, start: Start
) -> None:
    server = serve_env(near, Counting(), silence_s=0.2)
    start("env_client", server.url).kill()

    def is_in() -> Any:
        try:
            return client_of(near, server)
        except Conflict:
            return None

    until(lambda: is_in() is not None)
