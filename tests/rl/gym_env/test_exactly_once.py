"""Every step is made once, whatever happens to requests and replies."""

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest

from edgeloop.errors import CodecError, Conflict, RemoteError, StreamClosed, StreamTimeout
from edgeloop.rl.gym_env import GymEnvServer
from edgeloop.rl.gym_env.asking import Asker
from edgeloop.stream.transport import Callback, Client, Counters, Message, Subscription
from rl.gym_env.environments import Counting, client_of, serve_env, until
from rl.gym_env.losing import LosingProxy
from streams import Way, assert_same, in_thread, way_of

TIMEOUT_S = 8.0
"""A lost reply is asked for again after half of it, where nothing tells that it was lost."""
REMOTE = ["tcp", "grpc", "zmq"]


@pytest.fixture(params=REMOTE)
def far(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Way]:
    way = way_of(request.param, tmp_path)
    with way.stack:
        yield way


@pytest.fixture
def tcp(tmp_path: Any) -> Iterator[Way]:
    way = way_of("tcp", tmp_path)
    with way.stack:
        yield way


def losing(way: Way, server: GymEnvServer) -> LosingProxy:
    proxy = LosingProxy(server.url)
    way.stack.callback(proxy.close)
    return proxy


def test_a_step_whose_reply_is_lost_is_made_once(far: Way) -> None:
    env = Counting()
    server = serve_env(far, env)
    proxy = losing(far, server)
    client = client_of(far, proxy.url, timeout_s=TIMEOUT_S)
    client.reset()
    proxy.lose("cut")
    observation, reward, *_ = client.step(0)
    assert (observation.tolist(), reward, env.steps) == ([1, 1], 1, 1)
    assert proxy.losses == 1


def test_a_repeat_gets_the_answer_that_was_lost(tcp: Way) -> None:
    server = serve_env(tcp, Counting())
    proxy = losing(tcp, server)
    client = client_of(tcp, proxy.url)
    client.reset()
    proxy.lose("cut")
    client.step(0)
    assert server.counters()["repeats"] == 1


def test_a_reset_whose_reply_is_lost_is_made_once(far: Way) -> None:
    env = Counting()
    proxy = losing(far, serve_env(far, env))
    client = client_of(far, proxy.url, timeout_s=TIMEOUT_S)
    proxy.lose("cut")
    observation, infos = client.reset(seed=3, options={"pose": 1})
    assert (observation.tolist(), infos) == ([1, 0], {"options": {"pose": 1}})
    assert (env.resets, env.steps) == (1, 0)


def test_a_reply_that_never_comes_is_asked_for_again(tcp: Way) -> None:
    env = Counting()
    proxy = losing(tcp, serve_env(tcp, env))
    client = client_of(tcp, proxy.url, timeout_s=TIMEOUT_S)
    client.reset()
    proxy.lose("silence")
    assert client.step(0)[1] == env.steps == 1


def test_episodes_are_the_same_when_every_third_exchange_is_lost(tcp: Way) -> None:
    here = gymnasium.make("Pendulum-v1")
    server = serve_env(tcp, lambda: gymnasium.make("Pendulum-v1"))
    proxy = losing(tcp, server)
    there = client_of(tcp, proxy.url)
    here.action_space.seed(5)
    assert_same(there.reset(seed=1), here.reset(seed=1))
    for number in range(150):
        if number % 3 == 0:
            proxy.lose("cut" if number % 2 else "request")
        action = here.action_space.sample()
        assert_same(there.step(action), here.step(action))
    assert proxy.losses == 50
    counters = server.counters()
    assert (counters["steps"], counters["repeats"]) == (150, 25)


def test_what_the_environment_raised_is_told_again_when_it_was_lost(tcp: Way) -> None:
    env = Counting()
    proxy = losing(tcp, serve_env(tcp, env))
    client = client_of(tcp, proxy.url)
    client.reset()
    proxy.lose("cut")
    with pytest.raises(RemoteError, match="hit the table"):
        client.step(2)
    assert env.steps == 1


def test_a_step_that_is_slower_than_the_timeout_is_waited_for(far: Way) -> None:
    env = Counting()
    server = serve_env(far, env)
    client = client_of(far, server, timeout_s=4)
    client.reset()
    step = in_thread(lambda: client.step(1))
    until(lambda: server.counters()["repeats"] >= 4)  # the client asked for longer than 4 s
    env.gate.set()
    assert step.result()[1] == env.steps == 1


LOSSES = {"closed": StreamClosed, "timeout": StreamTimeout, "key": KeyboardInterrupt}


class Line(Client):
    """A client of a server in the same process, whose replies are lost one by one as told."""

    def __init__(self, server: GymEnvServer) -> None:
        self.server = server
        self.losses: list[str] = []

    def call(self, route: str, message: Message, *, timeout_s: float | None = None) -> Message:
        try:
            return self.server.routes[route](message)
        except Exception as error:
            raise RemoteError(type(error).__name__, str(error)) from error
        finally:
            if self.losses and route != "leave":
                raise LOSSES[self.losses.pop()]("lost")

    def subscribe(self, topic: str, callback: Callback) -> Subscription:
        raise NotImplementedError

    def counters(self) -> Counters:
        return {}

    def close(self) -> None:
        pass


@pytest.fixture
def env() -> Counting:
    return Counting()


@pytest.fixture
def line(near: Way, env: Counting) -> Line:
    return Line(serve_env(near, env))


def asker_on(line: Line, *, timeout_s: float = 0.05) -> Asker:
    return Asker(line, timeout_s=timeout_s, takeover=False)


def reset(asker: Asker, seed: int | None = None) -> Message:
    return asker.ask("reset", {"seed": seed, "options": None})


def step(asker: Asker, action: Any) -> Message:
    return asker.ask("step", {"action": action})


@pytest.mark.parametrize("loss", ["closed", "timeout"])
def test_all_ways_to_lose_a_reply_are_as_good(line: Line, env: Counting, loss: str) -> None:
    asker = asker_on(line, timeout_s=30)
    reset(asker)
    line.losses = [loss] * 4
    assert step(asker, 0)["reward"] == env.steps == 1


def test_entering_is_repeated_as_well(line: Line) -> None:
    line.losses = ["closed", "timeout"]
    reset(asker_on(line, timeout_s=30))


def after_silence(line: Line, asker: Asker, action: Any = 0) -> None:
    """A step was made, and nothing was heard of it."""
    line.losses = ["timeout"] * 1000
    with pytest.raises(StreamTimeout, match="No answer for"):
        step(asker, action)
    line.losses = []


def test_the_same_step_again_gets_the_answer_that_the_timeout_hid(
    line: Line, env: Counting
) -> None:
    asker = asker_on(line)
    reset(asker)
    after_silence(line, asker, np.array([0.5]))
    assert step(asker, np.array([0.5]))["reward"] == env.steps == 1
    assert step(asker, np.array([0.5]))["reward"] == env.steps == 2


def test_a_step_that_was_interrupted_is_not_made_twice(line: Line, env: Counting) -> None:
    asker = asker_on(line)
    reset(asker)
    line.losses = ["key"]
    with pytest.raises(KeyboardInterrupt):
        step(asker, 0)
    assert step(asker, 0)["reward"] == env.steps == 1


def test_another_step_after_one_of_unknown_outcome_is_refused(line: Line, env: Counting) -> None:
    asker = asker_on(line)
    reset(asker)
    after_silence(line, asker)
    for route, request in (("step", {"action": 7}), ("render", {})):
        with pytest.raises(Conflict, match="last step was done is not known"):
            asker.ask(route, request)
    until(lambda: env.steps == 1)


def test_a_reset_after_a_step_of_unknown_outcome_begins_anew(line: Line, env: Counting) -> None:
    asker = asker_on(line)
    reset(asker)
    after_silence(line, asker)
    reset(asker)
    assert step(asker, 5)["observation"].tolist() == [2, 2]


@pytest.mark.parametrize(("seed", "resets"), [(1, 2), (2, 3)])
def test_only_the_same_reset_again_is_not_another_one(
    line: Line, env: Counting, seed: int, resets: int
) -> None:
    asker = asker_on(line)
    reset(asker)
    line.losses = ["timeout"] * 1000
    with pytest.raises(StreamTimeout):
        reset(asker, 1)
    line.losses = []
    reset(asker, seed)
    assert env.resets == resets


def test_a_rendering_of_unknown_outcome_holds_nothing_up(line: Line, env: Counting) -> None:
    asker = asker_on(line)
    reset(asker)
    line.losses = ["timeout"] * 1000
    with pytest.raises(StreamTimeout):
        asker.ask("render", {})
    line.losses = []
    assert step(asker, 0)["reward"] == 1


def test_what_a_repeat_raises_leaves_nothing_unknown(line: Line, env: Counting) -> None:
    asker = asker_on(line)
    reset(asker)
    after_silence(line, asker, 2)
    with pytest.raises(RemoteError, match="hit the table"):
        step(asker, 2)
    assert step(asker, 0)["reward"] == env.steps == 2


def test_a_step_that_cannot_be_sent_leaves_nothing_unknown(tcp: Way) -> None:
    client = client_of(tcp, serve_env(tcp, Counting()))
    client.reset()
    with pytest.raises(CodecError, match=r"message\['action'\]: a set cannot be sent"):
        client.step({1})
    assert client.step(0)[1] == 1


def test_a_request_that_is_older_than_the_last_is_refused(line: Line, env: Counting) -> None:
    session = line.call("enter", {"client": "late", "takeover": False})["session"]
    request = {"session": session, "patience_s": 30.0, "seed": 1, "options": None}
    for sequence in (1, 2):
        line.call("reset", {**request, "sequence": sequence})
    assert line.call("reset", {**request, "sequence": 1})["refused"] == "Conflict"
    assert env.resets == 2


def test_closing_ends_what_another_thread_waits_for(tcp: Way) -> None:
    env = Counting()
    client = client_of(tcp, serve_env(tcp, env))
    client.reset()
    waiting = in_thread(lambda: client.step(1))
    until(env.entered.is_set)
    client.close()
    with pytest.raises(StreamClosed):
        waiting.result()
    env.gate.set()


def test_a_closed_client_says_so(near: Way) -> None:
    client = client_of(near, serve_env(near, Counting()))
    client.close()
    client.close()
    with pytest.raises(StreamClosed, match="make a new client"):
        client.reset()


def test_closing_where_no_server_is_raises_nothing(near: Way) -> None:
    server = serve_env(near, Counting())
    client = client_of(near, server)
    server.close()
    client.close()
