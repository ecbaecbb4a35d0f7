"""agentlace.action."""

import copy
import logging
import queue
import threading
from functools import partial
from typing import Any

import numpy as np
import pytest

from compat.material import SOON_MS, TIMEOUT_MS, action_config, operator, robot, running
from edgeloop.compat.agentlace.action import ActionClient, ActionConfig, ActionServer
from edgeloop.errors import CodecError
from streams import WAIT_S, in_thread


def test_the_callback_gets_the_wanted_keys_as_a_set() -> None:
    seen: list[Any] = []
    with robot(lambda keys: seen.append(keys)) as server:
        operator(server).obs({"cam"})
        operator(server).obs()
    assert seen == [{"cam"}, {"cam", "arm"}]
    assert type(seen[0]) is set


def test_an_action_answers_what_its_callback_returned() -> None:
    with robot() as server:
        assert operator(server).act("move", {"x": 1}) == {"key": "move", "payload": {"x": 1}}
        assert operator(server).act("turn") == {"key": "turn", "payload": {}}


@pytest.mark.parametrize("value", [None, 3, "text", [1, "two"], (1, 2), True])
def test_any_plain_value_travels_both_ways(value: Any) -> None:
    with robot(act=lambda key, payload: payload) as server:
        answer = operator(server).act("move", value)
    assert answer == value
    assert type(answer) is type(value)


def test_a_bare_array_travels_both_ways() -> None:
    with robot(act=lambda key, payload: payload + 1) as server:
        answer = operator(server).act("move", np.arange(3))
    assert answer.tolist() == [1, 2, 3]


def test_arrays_of_other_libraries_arrive_as_numpys() -> None:
    with robot(act=lambda key, payload: payload) as server:
        answer = operator(server).act("move", {"params": [Foreign()]})
    assert isinstance(answer["params"][0], np.ndarray)
    assert answer["params"][0].tolist() == [7.0]


class Foreign:
    """An array as jax has them: numpy.asarray takes it."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array([7.0], dtype)


def test_without_a_callback_the_answer_says_invalid_payload() -> None:
    with running(ActionServer(action_config(), None, None)) as server:
        expected = {"success": False, "message": "Invalid payload"}
        assert operator(server).obs() == expected
        assert operator(server).act("move") == expected


def test_an_unknown_observation_fails_before_anything_is_sent() -> None:
    with robot() as server:
        client = operator(server)
    with pytest.raises(AssertionError, match=r"^Invalid obs key: nose$"):
        client.obs({"nose"})


def test_an_unknown_action_fails_before_anything_is_sent() -> None:
    with robot() as server:
        client = operator(server)
    with pytest.raises(Exception, match=r"^Invalid action key: fly$"):
        client.act("fly")


def test_no_server_fails_with_agentlaces_words() -> None:
    server = ActionServer(action_config(), None, None)
    server.stop()
    with pytest.raises(Exception, match=r"^Failed to connect to action server$"):
        ActionClient("127.0.0.1", server.config, timeout_ms=SOON_MS)


def test_a_client_waits_for_a_server_if_asked_to() -> None:
    server = ActionServer(action_config(), lambda keys: {"ok": True}, None)
    server.stop()
    looking = in_thread(lambda: ActionClient("127.0.0.1", server.config, True, 10 * SOON_MS))
    with running(server):
        client = looking.result()
        client.client.timeout_ms = TIMEOUT_MS
        assert client.obs() == {"ok": True}


@pytest.mark.parametrize("field", ["action_keys", "observation_keys", "version"])
def test_another_config_fails_with_agentlaces_words(field: str) -> None:
    with robot() as server:
        config = copy.deepcopy(server.config)
        setattr(config, field, ["other"])
        with pytest.raises(Exception, match=r"^Incompatible config with hash with server\. "):
            ActionClient("127.0.0.1", config, timeout_ms=TIMEOUT_MS)


def test_a_server_that_is_gone_is_none_and_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with robot() as server:
        client = operator(server)
    client.client.timeout_ms = SOON_MS
    assert client.obs() is None
    assert client.act("move") is None
    assert "no answer from 127.0.0.1" in caplog.text


def test_a_callback_that_takes_too_long_is_none() -> None:
    release = threading.Event()
    with robot(lambda keys: release.wait(WAIT_S)) as server:
        client = operator(server)
        client.client.timeout_ms = SOON_MS
        client.client.reset_socket()
        assert client.obs() is None
        release.set()
        client.client.timeout_ms = TIMEOUT_MS
        assert client.obs() is True


def test_a_callback_that_raises_is_none_and_the_server_lives() -> None:
    with robot(lambda keys: {"x": 1 / ("arm" not in keys)}) as server:
        client = operator(server)
        assert client.obs({"arm"}) is None
        assert client.obs({"cam"}) == {"x": 1.0}


def test_a_callback_that_returns_what_cannot_travel_is_none() -> None:
    with robot(lambda keys: {"x": {1, 2}}) as server:
        assert operator(server).obs() is None


def test_a_payload_that_cannot_travel_is_the_callers_error() -> None:
    with robot() as server, pytest.raises(CodecError, match="a set cannot be sent"):
        operator(server).act("move", {"x": {1, 2}})


def test_the_callers_config_stays_as_it_was() -> None:
    config = action_config()
    server = ActionServer(config, lambda keys: {"ok": 1}, None)
    with running(server):
        config.port_number = server.config.port_number
        before = copy.deepcopy(config)
        first = ActionClient("127.0.0.1", config, timeout_ms=TIMEOUT_MS)
        second = ActionClient("127.0.0.1", config, timeout_ms=TIMEOUT_MS)
        assert first.obs() == second.obs() == {"ok": 1}
    assert config == before


def test_server_and_clients_may_share_one_config() -> None:
    with robot() as server:
        operator(server)
        assert operator(server).obs() == {"keys": ["arm", "cam"]}


def test_callbacks_are_called_one_at_a_time() -> None:
    inside, most = [0], [0]

    def act(key: str, payload: Any) -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        threading.Event().wait(0.01)
        inside[0] -= 1

    with robot(act=act) as server:
        clients = [operator(server) for _ in range(4)]
        for turn in [in_thread(partial(client.act, "move")) for client in clients * 3]:
            turn.result()
    assert most == [1]


def test_what_is_published_arrives_with_arrays_of_its_own() -> None:
    arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with robot() as server:
        client = operator(server)
        client.register_obs_callback(arrived.put)
        assert server.publish_obs({"image": np.zeros(3), "parts": [np.ones(2)], "n": 1}) is True
        value = arrived.get(timeout=WAIT_S)
        client.stop()
        assert client.obs() == {"keys": ["arm", "cam"]}
    value["image"] += 1
    value["parts"][0] += 1
    assert value["image"].tolist() == [1, 1, 1]


def test_a_new_callback_takes_the_place_of_the_last() -> None:
    first, second = threading.Event(), threading.Event()
    with robot() as server:
        client = operator(server)
        client.register_obs_callback(lambda value: first.set())
        client.register_obs_callback(lambda value: second.set())
        server.publish_obs(3)
        assert second.wait(WAIT_S)
    assert not first.is_set()


def test_nothing_is_published_without_a_broadcast_port(caplog: pytest.LogCaptureFixture) -> None:
    with robot(broadcast_port=None) as server:
        assert server.publish_obs({"a": 1}) is False
        assert "no broadcast_port" in caplog.text
        assert not hasattr(server, "broadcast")
        with pytest.raises(Exception, match=r"^Broadcast server not initialized$"):
            operator(server).register_obs_callback(print)


def test_it_listens_at_all_interfaces_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    with robot() as server:
        assert server.server.url.startswith("tcp://0.0.0.0:")
        assert server.broadcast is server.server
    assert "is open to everybody who reaches it" in caplog.text


def test_start_blocks_until_it_is_stopped() -> None:
    server = ActionServer(action_config(), lambda keys: {"ok": 1}, None)
    blocked = in_thread(server.start)
    assert operator(server).obs() == {"ok": 1}
    server.stop()
    blocked.result()


def test_start_threaded_returns_and_has_a_thread_that_keeps_nothing_alive() -> None:
    with robot() as server:
        thread = server.thread
        assert thread.daemon
        assert thread.is_alive()
    thread.join(WAIT_S)
    assert not thread.is_alive()


def test_it_starts_again_at_its_port_after_a_stop() -> None:
    with robot() as server:
        client = operator(server)
    with running(server):
        assert client.obs() == {"keys": ["arm", "cam"]}


def test_a_config_compares_and_changes_as_a_dataclass() -> None:
    config = ActionConfig(1, ["a"], ["b"])
    config.port_number = 2
    assert config == ActionConfig(2, ["a"], ["b"], None, "0.0.1")


def test_no_payload_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with robot() as server:
        operator(server).act("move", {"secret": "marmalade"})
    assert "marmalade" not in caplog.text
