"""A robot's server and its clients."""

import threading
from typing import Any

import numpy as np
import pytest

from edgeloop.errors import CodecError, ConfigError, ConfigMismatch, NotFound, RemoteError
from edgeloop.stream import ActionClient, ActionConfig, ActionServer, Message
from pairs import client_options, server_options
from streams import WAIT_S, Gate, Way, arrays, assert_same, in_thread

CONFIG = ActionConfig(port_number=0, action_keys=["move"], observation_keys=["image", "joints"])
SEEN = {"image": np.full((4, 4, 3), 7, np.uint8), "joints": np.arange(7.0)}


def observe(keys: set[str]) -> Message:
    return {key: SEEN[key] for key in sorted(keys)}


def act(key: str, payload: Message) -> Message:
    return {"key": key, **payload}


def serve(way: Way, *callbacks: Any, config: ActionConfig = CONFIG, **options: Any) -> ActionServer:
    server = ActionServer(config, *(callbacks or (observe, act)), **server_options(way, **options))
    return way.stack.enter_context(server)


def connect(
    way: Way, server: ActionServer, *, config: ActionConfig = CONFIG, **options: Any
) -> ActionClient:
    client = ActionClient(server.url, config, **client_options(way, **options))
    return way.stack.enter_context(client)


def test_all_observations_are_given_where_none_is_named(each_way: Way) -> None:
    assert_same(connect(each_way, serve(each_way)).obs(), SEEN)


def test_only_the_named_observations_are_asked_for(each_way: Way) -> None:
    asked: list[object] = []

    def note(keys: set[str]) -> Message:
        asked.append(keys)
        return observe(keys)

    client = connect(each_way, serve(each_way, note, act))
    assert_same(client.obs(["joints"]), {"joints": SEEN["joints"]})
    assert asked == [{"joints"}]


def test_an_action_is_done_with_its_payload(each_way: Way) -> None:
    client = connect(each_way, serve(each_way))
    assert_same(client.act("move", {"to": np.arange(3)}), {"key": "move", "to": np.arange(3)})


def test_an_action_without_payload_gets_an_empty_one(near: Way) -> None:
    assert connect(near, serve(near)).act("move") == {"key": "move"}


def test_a_callback_that_raises_is_told_and_the_server_lives(each_way: Way) -> None:
    def stall(key: str, payload: Message) -> Message:
        raise RuntimeError("the motor is stalled")

    client = connect(each_way, serve(each_way, observe, stall))
    for _ in range(2):
        with pytest.raises(RemoteError, match="the motor is stalled") as caught:
            client.act("move")
        assert caught.value.type == "RuntimeError"
    assert_same(client.obs(), SEEN)


def test_a_slow_action_keeps_no_observation_waiting(each_way: Way) -> None:
    gate = Gate()
    server = serve(each_way, observe, lambda key, payload: gate("slow", payload))
    client, other = connect(each_way, server), connect(each_way, server)
    slow = in_thread(lambda: client.act("move", {"n": 1}))
    assert gate.entered.wait(WAIT_S)
    assert_same(other.obs(), SEEN)
    assert_same(client.obs(), SEEN)
    gate.open.set()
    assert slow.result() == {"n": 1}


def test_a_key_that_is_not_in_the_config_is_not_found_before_anything_is_sent(near: Way) -> None:
    server = serve(near)
    client = connect(near, server)
    before = client.counters()
    with pytest.raises(NotFound, match="no observation depth: there are image, joints"):
        client.obs({"image", "depth"})
    with pytest.raises(NotFound, match="no action jump: there are move"):
        client.act("jump")
    assert client.counters() == before


def test_a_server_refuses_keys_that_its_client_did_not_check(near: Way) -> None:
    client = near.connect(serve(near).url)
    with pytest.raises(RemoteError, match="NotFound: There is no observation depth"):
        client.call("obs", {"keys": ["depth"]})
    with pytest.raises(RemoteError, match="NotFound: There is no action jump"):
        client.call("act", {"key": "jump", "payload": {}})


@pytest.mark.parametrize("route", ["act", "obs"])
@pytest.mark.parametrize("message", [{}, {"keys": 1}, {"key": 1, "payload": {}}, {"key": "move"}])
def test_a_request_of_another_form_is_refused(near: Way, route: str, message: Message) -> None:
    server = serve(near)
    client = near.connect(server.url)
    with pytest.raises(RemoteError, match="InputError"):
        client.call(route, message)
    assert_same(connect(near, server).obs(), SEEN)


def test_without_a_callback_there_is_nothing_to_ask_for(near: Way) -> None:
    client = connect(near, serve(near, None, None))
    with pytest.raises(NotFound, match="no obs_callback"):
        client.obs()
    with pytest.raises(NotFound, match="no act_callback"):
        client.act("move")


def test_a_subscriber_gets_the_current_observation_and_newer_ones(each_way: Way) -> None:
    server, seen = serve(each_way), Seen()
    assert server.publish_obs({"n": 1, **arrays(1)}) == 1
    connect(each_way, server).register_obs_callback(seen)
    assert_same(seen.until(1), {"n": 1, **arrays(1)})
    assert server.publish_obs({"n": 2}) == 2
    assert seen.until(2) == {"n": 2}


def test_a_slow_subscriber_sees_the_newest(each_way: Way) -> None:
    server, gate, seen = serve(each_way), Gate(), Seen()

    def hold(message: Message) -> None:
        gate("slow", message)
        seen(message)

    connect(each_way, server).register_obs_callback(hold)
    server.publish_obs({"n": 1})
    assert gate.entered.wait(WAIT_S)
    for number in range(2, 31):
        server.publish_obs({"n": number})
    gate.open.set()
    assert seen.until(30) == {"n": 30}
    assert len(seen.numbers) <= 3  # at most one more was on its way when the first one came


def test_an_error_in_a_callback_does_not_end_the_subscription(each_way: Way) -> None:
    server, seen = serve(each_way), Seen()

    def stumble(message: Message) -> None:
        seen(message)
        raise RuntimeError("stumbled")

    client = connect(each_way, server)
    client.register_obs_callback(stumble)
    for number in (1, 2, 3):
        server.publish_obs({"n": number})
        seen.until(number)
    assert client.counters()["callback_errors"] >= 2


def test_a_closed_subscription_calls_back_no_more(near: Way) -> None:
    server, seen, others = serve(near), Seen(), Seen()
    client = connect(near, server)
    subscription = client.register_obs_callback(seen)
    client.register_obs_callback(others)
    server.publish_obs({"n": 1})
    seen.until(1)
    subscription.close()
    server.publish_obs({"n": 2})
    others.until(2)
    assert seen.numbers == [1]


def test_a_config_that_differs_is_refused_with_the_fields_that_do(each_way: Way) -> None:
    server = serve(each_way)
    other = ActionConfig(1, ["move", "grip"], ["image", "joints"], version="9")
    said = r"action_keys is \('move',\) there and \('move', 'grip'\) here; version is '0.0.1' there"
    with pytest.raises(ConfigMismatch, match=said):
        connect(each_way, server, config=other)


def test_the_port_may_differ(near: Way) -> None:
    other = ActionConfig(5, CONFIG.action_keys, CONFIG.observation_keys)
    assert_same(connect(near, serve(near), config=other).obs(), SEEN)


def test_server_and_clients_may_share_a_config_and_leave_it_as_it_is(near: Way) -> None:
    config = ActionConfig(port_number=0, action_keys=["move"], observation_keys=["joints"])
    server = serve(near, config=config)
    for _ in range(2):
        client = connect(near, server, config=config)
        assert list(client.obs()) == ["joints"]
    assert config == ActionConfig(0, ("move",), ("joints",))


def test_keys_that_are_one_text_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"action_keys is a list of texts: write \['move'\]"):
        ActionConfig(0, "move", ["image"])


def test_a_config_is_frozen_with_its_keys() -> None:
    keys = ["move"]
    config = ActionConfig(0, keys, [])
    keys.append("grip")
    assert config.action_keys == ("move",)


def test_what_cannot_be_sent_is_refused_where_it_is_made(near: Way) -> None:
    server = serve(near)
    with pytest.raises(CodecError, match="'hand'"):
        connect(near, server).act("move", {"hand": object()})
    with pytest.raises(CodecError, match="'hand'"):
        server.publish_obs({"hand": object()})


class Seen:
    """Notes the numbers of observations; waits for them."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self._newest: Message = {}
        self._changed = threading.Condition()

    def __call__(self, message: Message) -> None:
        with self._changed:
            self.numbers.append(message["n"])
            self._newest = message
            self._changed.notify_all()

    def until(self, number: int) -> Message:
        """The observation with this number."""
        with self._changed:
            there = self._changed.wait_for(lambda: self._newest.get("n") == number, WAIT_S)
            assert there, f"{number} was not seen, but {self.numbers}"
            return self._newest
