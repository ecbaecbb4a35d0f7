"""The server lives on, whatever its environment and its clients do."""

import logging
import threading
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv

from edgeloop import __version__
from edgeloop.errors import (
    CodecError,
    ConfigError,
    Conflict,
    RemoteError,
    StreamClosed,
    Unauthenticated,
)
from edgeloop.rl.gym_env import GymEnvServer
from edgeloop.rl.gym_env.description import describe
from edgeloop.rl.gym_env.thread import EnvThread
from edgeloop.stream import Client, Message, serve
from rl.gym_env.environments import Counting, client_of, serve_env, until
from streams import WAIT_S, Way, in_thread


def test_what_the_environment_raises_arrives_and_the_server_lives(each_way: Way) -> None:
    client = client_of(each_way, serve_env(each_way, Counting()))
    client.reset()
    for _ in range(2):
        with pytest.raises(RemoteError, match="the arm hit the table") as caught:
            client.step(2)
        assert caught.value.type == "ZeroDivisionError"
    assert client.step(0)[0].tolist() == [1, 3]


class Quitting(Counting):
    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        raise SystemExit("the simulator has no licence")


def test_an_environment_that_ends_the_program_ends_only_the_step(near: Way) -> None:
    client = client_of(near, serve_env(near, Quitting()))
    client.reset()
    with pytest.raises(RemoteError, match="no licence"):
        client.step(0)
    client.reset()


def test_a_step_before_the_first_reset_is_refused(near: Way) -> None:
    env = Counting()
    server = serve_env(near, env)
    client = client_of(near, server)
    with pytest.raises(RemoteError, match="Reset") as caught:
        client.step(0)
    assert caught.value.type == gymnasium.error.ResetNeeded.__name__
    client.reset()
    client.close()
    with pytest.raises(RemoteError, match="Reset"):  # another's episode is not gone on with
        client_of(near, server).step(0)
    assert env.steps == 0


@pytest.mark.parametrize(
    ("infos", "place"),
    [
        ({"robot": {"joints": {1, 2}}}, r"\['infos'\]\['robot'\]\['joints'\]: a set"),
        ({"pose": [object()]}, r"\['infos'\]\['pose'\]\[0\]: a object"),
        ({("a", 1): 2}, r"\['infos'\]: a key of type tuple|\['infos'\].*a key of type tuple"),
        ({"all": np.array([None, {3}])}, r"\['infos'\]\['all'\]\[1\]: a set"),
        ({"table": np.zeros(2, "i4,O")}, r"\['infos'\]\['table'\]"),
    ],
    ids=["set", "object", "key", "array", "record"],
)
def test_an_info_that_cannot_travel_is_refused_with_its_name(
    near: Way, infos: dict[Any, Any], place: str
) -> None:
    env = Counting()
    client = client_of(near, serve_env(near, env))
    client.reset()
    env.infos = infos
    with pytest.raises(RemoteError, match=place) as caught:
        client.step(0)
    assert caught.value.type == CodecError.__name__
    env.infos = {}
    assert client.step(0)[1] == 2


def test_options_that_cannot_travel_are_refused_with_their_name(near: Way) -> None:
    env = Counting()
    client = client_of(near, serve_env(near, env))
    with pytest.raises(CodecError, match=r"message\['options'\]\['robot'\]: a object"):
        client.reset(options={"robot": object()})
    assert env.resets == 0


def test_the_environment_is_made_used_and_closed_in_one_thread(each_way: Way) -> None:
    made: list[Counting] = []
    threads: list[int] = []

    def make() -> Counting:
        threads.append(threading.get_ident())
        made.append(Counting())
        return made[0]

    server = serve_env(each_way, make)
    for _ in range(3):
        client = client_of(each_way, server)
        client.reset()
        client.step(0)
        client.close()
    server.close()
    assert made[0].threads == set(threads)
    assert threading.get_ident() not in threads


def test_closing_the_server_closes_the_environment_once(near: Way) -> None:
    env = Counting()
    server = serve_env(near, env)
    client_of(near, server).close()
    assert env.closed == 0
    server.close()
    server.close()
    assert env.closed == 1


def test_closing_the_server_waits_for_the_present_step(near: Way) -> None:
    env = Counting()
    server = serve_env(near, env)
    client = client_of(near, server)
    client.reset()
    step = in_thread(lambda: client.step(1))
    until(env.entered.is_set)
    closing = in_thread(server.close)
    client.close()
    with pytest.raises(StreamClosed):
        step.result()
    assert env.closed == 0
    env.gate.set()
    closing.result()
    assert env.closed == 1


def test_an_environment_that_cannot_be_closed_ends_all_the_same(
    near: Way, caplog: pytest.LogCaptureFixture
) -> None:
    env = Counting()
    env.close = lambda: [][0]  # type: ignore[method-assign]
    serve_env(near, env).close()
    assert "could not be closed" in caplog.text


def test_servers_start_and_stop_twenty_times(each_way: Way) -> None:
    before = threading.active_count()
    for _ in range(20):
        with GymEnvServer(Counting, url=each_way.url, limits=each_way.limits) as server:
            client = client_of(each_way, server)
            client.reset()
            assert client.step(0)[1] == 1
            client.close()
    until(lambda: threading.active_count() <= before + 5)  # a transport may keep a few


def test_a_server_says_what_its_environment_is(near: Way) -> None:
    server = serve_env(near, Counting())
    about = near.connect(server.url).call("about", {})
    assert (about["kind"], about["version"]) == ("gym", __version__)
    assert about["config"] == {"is_vector": False}
    assert about["environment"]["spaces"]["action_space"]["kind"] == "Discrete"


def test_a_server_counts_steps_and_resets(near: Way) -> None:
    server = serve_env(near, Counting())
    client = client_of(near, server)
    client.reset()
    for _ in range(3):
        client.step(0)
    counters = server.counters()
    assert (counters["resets"], counters["steps"]) == (1, 3)
    assert client.counters()["calls"] >= 5
    assert near.connect(server.url).call("counters", {})["steps"] == 3


def test_an_environment_of_which_there_is_one_cannot_be_copied() -> None:
    for env in (Counting(), SyncVectorEnv([Counting])):
        with pytest.raises(ConfigError, match="a function that makes one"):
            GymEnvServer(env, num_envs=2)


def test_what_making_the_environment_raises_is_raised(near: Way) -> None:
    before = threading.active_count()

    def make() -> Counting:
        raise FileNotFoundError("no robot.xml")

    with pytest.raises(FileNotFoundError, match=r"robot.xml"):
        serve_env(near, make)
    until(lambda: threading.active_count() <= before)


def test_a_server_that_cannot_listen_closes_its_environment(near: Way) -> None:
    env = Counting()
    with pytest.raises(ConfigError):
        GymEnvServer(env, url=serve_env(near, Counting()).url)
    assert env.closed == 1


def good(session: str, **more: Any) -> Message:
    return {"session": session, "sequence": 1, "patience_s": 1.0, **more}


HOSTILE: list[Message] = [
    {},
    {"session": 5},
    good("nobody"),
    good("", sequence="1"),
    good("", sequence=True),
    good("", sequence=1 << 200),
    good("", sequence=None),
    good("", patience_s=1),
    good("", patience_s=-1.0),
    good("", patience_s=float("nan")),
    good("", patience_s=float("inf")),
    good("", patience_s=1e9),
    {"session": {"a": [np.zeros(3)]}, "sequence": [1], "patience_s": b""},
    {"client": "", "takeover": True},
    {"client": "c" * 1000, "takeover": True},
    {"client": 1, "takeover": True},
    {"client": "a", "takeover": 1},
]
ROUTES = ["enter", "leave", "reset", "step", "render", "random", "randomize"]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("message", HOSTILE, ids=str)
def test_hostile_messages_are_refused_and_disturb_nobody(
    near: Way, route: str, message: Message
) -> None:
    env = Counting()
    server = serve_env(near, env)
    client = client_of(near, server)
    client.reset()
    stranger = near.connect(server.url)
    assert _outcome(stranger, route, message) in ("InputError", "refused", {})
    assert client.step(0)[0].tolist() == [1, 1]
    assert (env.resets, env.steps) == (1, 1)


def _outcome(stranger: Client, route: str, message: Message) -> object:
    try:
        answer = stranger.call(route, message)
    except RemoteError as error:
        return error.type
    return "refused" if "refused" in answer else answer


BAD_REQUESTS: list[tuple[str, Message]] = [
    ("reset", {}),
    ("reset", {"seed": "one", "options": None}),
    ("reset", {"seed": -1, "options": None}),
    ("step", {}),
    ("randomize", {}),
    ("randomize", {"state": {"bit_generator": "os"}}),
]


@pytest.mark.parametrize(("route", "message"), BAD_REQUESTS, ids=str)
def test_a_client_that_sends_nonsense_is_told_so_and_may_go_on(
    near: Way, route: str, message: Message
) -> None:
    line = near.connect(serve_env(near, Counting()).url)
    session = line.call("enter", {"client": "c", "takeover": False})["session"]
    line.call("reset", good(session, sequence=1, seed=1, options=None))
    with pytest.raises(RemoteError):
        line.call(route, good(session, sequence=2, **message))
    assert line.call("step", good(session, sequence=3, action=0))["reward"] == 1


def answering(near: Way, **answers: Message) -> str:
    """A server that is of the right kind and then answers as told."""
    known: dict[str, Message] = {
        "about": {"kind": "gym", "config": {"is_vector": False}},
        "leave": {},
        "enter": {"session": "s", "environment": describe(Counting())},
        **answers,
    }
    server = serve(near.url, lambda route, message: known[route])
    return near.stack.enter_context(server).url


@pytest.mark.parametrize(
    "enter", [{}, {"session": "s"}, {"session": "s", "environment": {"spaces": 5}}], ids=str
)
def test_a_server_that_describes_nothing_is_refused(near: Way, enter: Message) -> None:
    with pytest.raises(CodecError, match="description of the environment"):
        client_of(near, answering(near, enter=enter))


@pytest.mark.parametrize(
    ("route", "answer"),
    [
        ("step", {}),
        ("step", {"observation": 1, "reward": 1, "terminated": False, "truncated": False}),
        ("reset", {"infos": {}}),
        ("reset", {"observation": 1, "infos": {}, "objects": [["a", [1]]]}),
        ("random", {}),
        ("random", {"state": [5]}),
    ],
    ids=str,
)
def test_a_server_that_answers_with_nonsense_is_told_from_a_good_one(
    near: Way, route: str, answer: Message
) -> None:
    client = client_of(near, answering(near, **{route: answer}))
    calls = {"step": lambda: client.step(0), "reset": client.reset, "random": _random(client)}
    with pytest.raises(CodecError):
        calls[route]()


def _random(client: Any) -> Any:
    return lambda: client.np_random


def test_a_refusal_of_an_unknown_kind_is_a_conflict(near: Way) -> None:
    url = answering(near, enter={"refused": "OSError", "why": "it is night"})
    with pytest.raises(Conflict, match="it is night"):
        client_of(near, url)


def test_work_that_waits_for_the_thread_when_it_ends_is_not_done() -> None:
    gate, begun, done = threading.Event(), threading.Event(), []
    thread: EnvThread[int] = EnvThread(lambda: 1, lambda env: None)
    first = thread.submit(lambda: _enter(begun, gate))
    assert begun.wait(WAIT_S)
    second = thread.submit(lambda: done.append(1))
    closing = in_thread(thread.close)
    until(lambda: _refuses(thread))
    gate.set()
    closing.result()
    assert first.result()
    with pytest.raises(StreamClosed):
        second.result()
    assert done == []


def _enter(begun: threading.Event, gate: threading.Event) -> bool:
    begun.set()
    return gate.wait(WAIT_S)


def _refuses(thread: EnvThread[int]) -> bool:
    try:
        thread.submit(lambda: None)
    except StreamClosed:
        return True
    return False


def test_an_environment_that_never_comes_back_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edgeloop.rl.gym_env.thread._CLOSE_S", 0.05)
    gate, begun = threading.Event(), threading.Event()
    thread: EnvThread[int] = EnvThread(lambda: 1, lambda env: None)
    thread.submit(lambda: _enter(begun, gate))
    assert begun.wait(WAIT_S)
    with caplog.at_level(logging.WARNING):
        thread.close()
    assert "still at work" in caplog.text
    gate.set()


def test_who_has_no_token_is_refused(near: Way) -> None:
    server = serve_env(near, Counting(), token="of the robot")
    with pytest.raises(Unauthenticated):
        client_of(near, server)
    client_of(near, server, token="of the robot").reset()
