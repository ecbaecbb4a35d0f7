"""agentlace.inference."""

import threading
from functools import partial
from typing import Any

import numpy as np
import pytest

from compat.material import SOON_MS, TIMEOUT_MS, model_client, robot, running
from edgeloop.compat.agentlace.inference import InferenceClient, InferenceServer
from edgeloop.errors import CodecError
from streams import WAIT_S, in_thread


def model(**interfaces: Any) -> Any:
    server = InferenceServer(0)
    for name, callback in interfaces.items():
        server.register_interface(name, callback)
    return running(server)


def test_calls_are_answered_by_the_interface() -> None:
    with model(double=lambda payload: {"y": 2 * payload["x"]}) as server:
        assert model_client(server).call("double", {"x": np.ones(2)})["y"].tolist() == [2, 2]


def test_anything_plain_may_be_sent_and_returned() -> None:
    with model(same=lambda payload: payload, nothing=lambda payload: None) as server:
        client = model_client(server)
        assert client.call("same", [1, 2]) == [1, 2]
        assert client.call("nothing", {}) is None


def test_the_interfaces_are_a_set() -> None:
    with model(a=dict, b=dict) as server:
        assert model_client(server).interfaces() == {"a", "b"}
        assert list(server.interfaces) == ["a", "b"]


def test_an_interface_may_be_replaced_while_it_runs() -> None:
    with model(a=lambda payload: 1) as server:
        client = model_client(server)
        assert client.call("a", {}) == 1
        server.register_interface("a", lambda payload: 2)
        assert client.call("a", {}) == 2


def test_an_unknown_interface_is_answered_as_agentlace_does() -> None:
    with model() as server:
        expected = {"success": False, "message": "Invalid interface or payload"}
        assert model_client(server).call("nobody", {}) == expected


def test_a_client_is_made_without_a_server() -> None:
    server = InferenceServer(0)
    server.stop()
    client = InferenceClient("127.0.0.1", server.port_num)
    assert client.client.timeout_ms == 800
    client.client.timeout_ms = SOON_MS
    client.client.reset_socket()
    assert client.call("a", {}) is None
    assert client.interfaces() == set()


def test_a_client_finds_a_server_that_comes_later() -> None:
    server = InferenceServer(0)
    server.register_interface("a", lambda payload: 1)
    server.stop()
    client = model_client(server)
    client.client.timeout_ms = SOON_MS
    assert client.call("a", {}) is None
    client.client.timeout_ms = TIMEOUT_MS
    with running(server):
        assert client.call("a", {}) == 1


def test_a_callback_that_raises_is_none_and_the_server_lives() -> None:
    with model(divide=lambda payload: 1 / payload) as server:
        client = model_client(server)
        assert client.call("divide", 0) is None
        assert client.call("divide", 2) == 0.5


def test_a_payload_that_cannot_travel_is_the_callers_error() -> None:
    with model(a=dict) as server, pytest.raises(CodecError, match="a function cannot be sent"):
        model_client(server).call("a", {"f": model_client})


def test_another_kind_of_server_is_none(caplog: pytest.LogCaptureFixture) -> None:
    with robot() as server:
        client = InferenceClient("127.0.0.1", server.config.port_number)
        client.client.timeout_ms = TIMEOUT_MS
        assert client.call("a", {}) is None
    assert "is of kind 'action'" in caplog.text


def test_interfaces_are_called_one_at_a_time() -> None:
    inside = threading.Lock()

    def alone(payload: Any) -> bool:
        if not inside.acquire(blocking=False):
            return False
        threading.Event().wait(0.01)
        inside.release()
        return True

    with model(a=alone, b=alone) as server:
        clients = [model_client(server) for _ in range(4)]
        work = [
            in_thread(partial(client.call, name, {})) for client in clients for name in ("a", "b")
        ]
        assert all(each.result() for each in work)


def test_a_threaded_server_keeps_the_process_alive_until_it_is_stopped() -> None:
    with model() as server:
        thread = server.thread
        assert not thread.daemon
    thread.join(WAIT_S)
    assert not thread.is_alive()


def test_it_answers_again_after_a_stop() -> None:
    with model(a=lambda payload: 1) as server:
        client = model_client(server)
        assert client.call("a", {}) == 1
    with running(server):
        assert client.call("a", {}) == 1
        assert server.server.interfaces() == ["a"]
