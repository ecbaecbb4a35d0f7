"""One side may be changed over to `edgeloop.stream` before the other."""

import queue
from typing import Any

import numpy as np

from compat.material import TIMEOUT_MS, held, learner, robot, running
from edgeloop import stream
from edgeloop.compat.agentlace import (
    ActionClient,
    ActionConfig,
    InferenceClient,
    InferenceServer,
    TrainerClient,
    TrainerConfig,
)
from edgeloop.compat.agentlace.data.data_store import QueuedDataStore
from streams import WAIT_S
from transitions import transitions

KEYS = (["move", "turn"], ["cam", "arm"])


def test_a_new_client_asks_an_old_robot() -> None:
    with robot() as server:
        config = stream.ActionConfig(server.config.port_number, *KEYS)
        with stream.ActionClient("127.0.0.1", config, timeout_s=WAIT_S) as client:
            assert client.obs({"cam"}) == {"keys": ["cam"]}
            assert client.act("move", {"x": 1}) == {"key": "move", "payload": {"x": 1}}


def test_an_old_client_asks_a_new_robot() -> None:
    config = stream.ActionConfig(0, *KEYS)
    with stream.ActionServer(config, lambda keys: {"n": 1}, lambda key, payload: payload) as server:
        port = int(server.url.rpartition(":")[2])
        client = ActionClient("127.0.0.1", ActionConfig(port, *KEYS), timeout_ms=TIMEOUT_MS)
        assert client.obs() == {"n": 1}
        assert client.act("turn", np.arange(2)).tolist() == [0, 1]


def test_old_and_new_models_and_their_callers_mix() -> None:
    old = InferenceServer(0)
    old.register_interface("a", lambda payload: payload)
    with running(old), stream.InferenceClient("127.0.0.1", old.port_num) as client:
        assert client.call("a", {"x": 1}, timeout_s=WAIT_S) == {"x": 1}
    with stream.InferenceServer() as new:
        new.register_interface("a", lambda message: message)
        caller = InferenceClient("127.0.0.1", int(new.url.rpartition(":")[2]))
        caller.client.timeout_ms = TIMEOUT_MS
        assert caller.call("a", [1, 2]) == [1, 2]


def test_a_new_actor_fills_an_old_learner() -> None:
    with running(learner("a")) as server:
        config = stream.TrainerConfig(server.config.port_number, request_types=["ask"])
        store = stream.QueuedDataStore(100)
        store.insert_batch(transitions(0, 5))
        with stream.TrainerClient("a", "127.0.0.1", config, store, timeout_s=WAIT_S) as client:
            assert client.update() == 5
            assert client.request("ask") == {}
        assert len(held(server)) == 5


def test_an_old_actor_fills_a_new_learner() -> None:
    arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
    buffer = stream.ReplayBuffer(capacity=100)
    with stream.TrainerServer(stream.TrainerConfig(0)) as server:
        server.register_data_store("a", buffer)
        store = QueuedDataStore(100)
        store.batch_insert(transitions(0, 5))
        config = TrainerConfig(int(server.url.rpartition(":")[2]))
        client = TrainerClient("a", "127.0.0.1", config, store, timeout_ms=TIMEOUT_MS)
        client.recv_network_callback(arrived.put)
        server.publish_network({"w": np.ones(2)})
        assert arrived.get(timeout=WAIT_S)["w"].tolist() == [1, 1]
        client.stop()
    assert len(buffer) == 5
