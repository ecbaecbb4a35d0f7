"""agentlace.trainer."""

import copy
import logging
import queue
import threading
from typing import Any

import numpy as np
import pytest

from compat.material import SOON_MS, TIMEOUT_MS, actor, filled, held, learner, running
from edgeloop.compat.agentlace.data.data_store import QueuedDataStore
from edgeloop.compat.agentlace.trainer import (
    TrainerClient,
    TrainerConfig,
    TrainerServer,
    TrainerSMInterface,
)
from streams import WAIT_S, in_thread
from transitions import transition, transitions


def test_an_update_brings_what_is_new() -> None:
    with running(learner("a")) as server:
        store = filled(1, 2)
        client = actor(server, store)
        assert held(server) == [1, 2]
        store.insert(3)
        assert client.update() is True
        assert held(server) == [1, 2, 3]


@pytest.mark.parametrize(
    "item",
    [7, 2.5, "text", [1, 2], {"r": 1.5, "done": False, "n": 3}, {"a": {"b": [1]}}, None],
)
def test_items_arrive_as_what_they_were(item: Any) -> None:
    with running(learner("a")) as server:
        actor(server, filled(item, item))
        arrived = held(server)
    assert arrived == [item, item]
    assert type(arrived[0]) is type(item)
    if isinstance(item, dict):
        assert [type(value) for value in arrived[0].values()] == [type(v) for v in item.values()]


def test_arrays_arrive_as_what_they_were() -> None:
    with running(learner("a")) as server:
        actor(server, filled(*transitions(0, 3)))
        arrived = held(server)
    for number, item in enumerate(arrived):
        expected = transition(number)
        assert list(item) == list(expected)
        for key, value in expected.items():
            assert type(item[key]) is type(value)
            assert np.array_equal(item[key], value)


def test_large_items_with_numbers_go_in_messages_of_bounded_size() -> None:
    with running(learner("a")) as server:
        frames = [{"image": np.full((640, 640, 3), n, np.uint8), "reward": 1.0} for n in range(9)]
        actor(server, filled(*frames))
        arrived = held(server)
        assert [int(item["image"][0, 0, 0]) for item in arrived] == list(range(9))
        assert type(arrived[0]["reward"]) is float
        assert server.req_rep_server.counters()["calls"] >= 4


def test_each_of_several_stores_is_filled() -> None:
    with running(learner("left", "right")) as server:
        stores = {"left": filled(1), "right": filled(2, 3)}
        client = actor(server, None, data_stores=stores)
        assert client.update() is True
        assert (held(server, "left"), held(server, "right")) == ([1], [2, 3])


def test_a_single_store_wins_over_several() -> None:
    with running(learner("a", "b")) as server:
        actor(server, filled(1), data_stores={"b": filled(2)})
        assert (held(server, "a"), held(server, "b")) == ([1], [])


def test_without_a_store_an_update_is_false(caplog: pytest.LogCaptureFixture) -> None:
    with running(learner()) as server:
        assert actor(server, None).update() is False
    assert "the first update of a failed" in caplog.text


def test_a_store_that_the_server_lacks_makes_an_update_false() -> None:
    with running(learner("other")) as server:
        assert actor(server, filled(1)).update() is False


def test_the_data_callback_gets_the_data_and_the_last_id() -> None:
    seen: list[Any] = []
    server = learner("a", data_callback=lambda name, payload: seen.append((name, payload)))
    with running(server):
        store = filled({"n": np.int64(1)}, {"n": np.int64(2)})
        client = actor(server, store)
        store.insert({"n": np.int64(3)})
        client.update()
    assert [name for name, _ in seen] == ["a", "a"]
    assert [payload["last_id"] for _, payload in seen] == [1, 2]
    assert [[int(i["n"]) for i in payload["data"]] for _, payload in seen] == [[1, 2], [3]]
    assert server.last_update_id_map == {"a": 2}


def test_a_data_callback_that_raises_does_not_end_the_server() -> None:
    server = learner("a", data_callback=lambda name, payload: 1 / 0)
    with running(server):
        client = actor(server, filled(1))
        assert client.update()
        assert held(server) == [1]


def test_the_server_says_up_to_where_it_has_come() -> None:
    with running(learner("a")) as server:
        store = filled()
        client = actor(server, store)
        assert client.get_server_last_update_id("a") == -1
        store.batch_insert([1, 2, 3])
        client.update()
        assert client.get_server_last_update_id("a") == store.latest_data_id() == 2
        assert client.get_server_last_update_id("unknown") is None
    client.req_rep_client.timeout_ms = SOON_MS
    assert client.get_server_last_update_id("a") is None


def test_one_store_may_be_updated_by_name(caplog: pytest.LogCaptureFixture) -> None:
    with running(learner("a")) as server:
        store = filled()
        client = actor(server, store)
        assert client.update_datastore("a", -1) is True
        store.insert(1)
        assert client.update_datastore("a", -1, confirm_update=True) is True
        assert held(server) == [1]
        assert client.update_datastore("unknown", -1) is False
    assert "no data store 'unknown'" in caplog.text


def test_a_request_is_answered_by_the_callback() -> None:
    server = learner(request_callback=lambda kind, payload: {kind: payload})
    with running(server):
        assert actor(server, None).request("ask", {"n": 1}) == {"ask": {"n": 1}}
        assert actor(server, None).request("ask", [1]) == {"ask": [1]}


def test_a_request_without_a_callback_is_an_empty_dict() -> None:
    with running(learner()) as server:
        assert actor(server, None).request("ask", {}) == {}


def test_a_request_that_the_config_does_not_name_is_none() -> None:
    with running(learner()) as server:
        client = actor(server, None)
        calls = server.req_rep_server.counters()["calls"]
        assert client.request("other", {}) is None
        assert server.req_rep_server.counters()["calls"] == calls


def test_a_request_whose_callback_raises_is_none_and_the_server_lives() -> None:
    with running(learner(request_callback=lambda kind, payload: 1 / payload)) as server:
        client = actor(server, None)
        assert client.request("ask", 0) is None
        assert client.request("ask", 2) == 0.5


def test_a_request_that_nobody_answers_is_none() -> None:
    with running(learner()) as server:
        client = actor(server, None)
    client.req_rep_client.timeout_ms = SOON_MS
    client.req_rep_client.reset_socket()
    assert client.request("ask", {}) is None


def test_requests_beyond_the_rate_are_none_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = TrainerConfig(0, request_types=["ask"], rate_limit=1)
    server = TrainerServer(config, request_callback=lambda kind, payload: {"n": 1})
    server.register_data_store("a", QueuedDataStore(10))
    with running(server):
        store = filled()
        client = actor(server, store)
        answers = [client.request("ask", {}) for _ in range(50)]
        assert answers[0] == {"n": 1}
        assert None in answers
        store.insert(1)
        assert client.update() is True  # updates are not limited
        assert held(server) == [1]
    assert "requests per second are allowed" in caplog.text


def test_networks_arrive_with_arrays_of_their_own() -> None:
    arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with running(learner()) as server:
        client = actor(server, None)
        client.recv_network_callback(arrived.put)
        server.publish_network(np.array([100, 200]))
        network = arrived.get(timeout=WAIT_S)
        client.stop()
    network += 1
    assert network.tolist() == [101, 201]


def test_a_client_that_comes_late_gets_the_current_network() -> None:
    arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with running(learner()) as server:
        server.publish_network({"w": (np.ones(2), [1.0])})
        actor(server, None).recv_network_callback(arrived.put)
        network = arrived.get(timeout=WAIT_S)
    assert network["w"][0].tolist() == [1, 1]
    assert type(network["w"]) is tuple


def test_a_slow_client_gets_the_newest_network() -> None:
    seen: list[int] = []
    last, begun, go_on = threading.Event(), threading.Event(), threading.Event()

    def slow(network: int) -> None:
        seen.append(network)
        begun.set()
        assert go_on.wait(WAIT_S)
        if network == 30:
            last.set()

    with running(learner()) as server:
        client = actor(server, None)
        client.recv_network_callback(slow)
        server.publish_network(1)
        assert begun.wait(WAIT_S)
        for number in range(2, 31):
            server.publish_network(number)
        go_on.set()
        assert last.wait(WAIT_S)
    assert seen == [1, 30]


def test_a_new_network_callback_takes_the_place_of_the_last() -> None:
    first: queue.SimpleQueue[Any] = queue.SimpleQueue()
    second: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with running(learner()) as server:
        client = actor(server, None)
        client.recv_network_callback(first.put)
        client.recv_network_callback(second.put)
        server.publish_network(1)
        assert second.get(timeout=WAIT_S) == 1
    assert first.empty()


def test_updates_go_on_by_themselves_until_the_client_stops() -> None:
    arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
    server = learner("a", data_callback=lambda name, payload: arrived.put(payload["data"]))
    with running(server):
        store = filled()
        client = actor(server, store)
        client.start_async_update(interval=0.01)
        thread = client.update_thread
        client.start_async_update(interval=0.01)
        assert client.update_thread is thread
        store.insert(1)
        assert arrived.get(timeout=WAIT_S) == [1]
        client.stop()
        assert thread is not None
        assert not thread.is_alive()
        assert client.request("ask", {}) == {}  # stop ends updates and listening alone


def test_updates_may_be_started_again_after_a_stop() -> None:
    arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
    server = learner("a", data_callback=lambda name, payload: arrived.put(payload["data"]))
    with running(server):
        store = filled()
        client = actor(server, store)
        client.start_async_update(interval=0.01)
        client.stop()
        client.start_async_update(interval=0.01)
        store.insert(1)
        assert arrived.get(timeout=WAIT_S) == [1]
        client.stop()


def test_no_server_fails_with_agentlaces_words() -> None:
    server = learner()
    server.stop()
    with pytest.raises(Exception, match=r"^Failed to connect to server$"):
        actor(server, None, timeout_ms=SOON_MS)


def test_a_client_waits_for_a_server_if_asked_to() -> None:
    server = learner("a")
    server.stop()
    looking = in_thread(
        lambda: actor(server, filled(1), timeout_ms=10 * SOON_MS, wait_for_server=True)
    )
    with running(server):
        client = looking.result()
        client.req_rep_client.timeout_ms = TIMEOUT_MS
        assert client.update()
        assert held(server) == [1]


@pytest.mark.parametrize(
    ("field", "value"), [("request_types", ["x"]), ("rate_limit", 3), ("version", "9")]
)
def test_another_config_fails_with_agentlaces_words(field: str, value: Any) -> None:
    with running(learner()) as server:
        config = copy.deepcopy(server.config)
        setattr(config, field, value)
        with pytest.raises(Exception, match=r"^Incompatible config with hash with server\. "):
            TrainerClient("a", "127.0.0.1", config, timeout_ms=TIMEOUT_MS)


def test_the_server_knows_its_stores() -> None:
    server = learner("a", "b")
    with running(server):
        assert server.store_names() == {"a", "b"}
        assert server.data_store("c") is None
        assert server.data_stores["a"] is server.data_store("a")
        assert server.last_update_id_map == {"a": -1, "b": -1}
        assert server.broadcast_server is server.req_rep_server
        assert server.thread is not None
        assert server.thread.daemon


def test_start_blocks_until_it_is_stopped() -> None:
    server = learner("a")
    blocked = in_thread(server.start)
    actor(server, filled(1))
    server.stop()
    blocked.result()
    assert held(server) == [1]


def test_servers_and_clients_start_and_stop_as_often_as_one_likes() -> None:
    server = learner("a")
    for number in range(30):
        with running(server):
            client = actor(server, filled(number))
            client.recv_network_callback(print)
            client.start_async_update(interval=0.01)
            client.stop()
    assert held(server) == list(range(30))


def test_the_stand_in_for_one_process_hands_on() -> None:
    both, seen = TrainerSMInterface(), list[int]()
    assert both.request("ask", {}) is None
    both.publish_network(0)
    both.recv_network_callback(seen.append)
    both.register_request_callback(lambda kind, payload: (kind, payload))
    both.start(threaded=True)
    both.start_async_update(interval=1)
    both.publish_network(1)
    assert both.request("ask", 2) == ("ask", 2)
    both.update()
    both.stop()
    assert seen == [1]


def test_making_servers_and_clients_leaves_logging_alone() -> None:
    before = list(logging.getLogger().handlers), logging.getLogger().level
    with running(learner("a")) as server:
        actor(server, filled(1))
    assert (list(logging.getLogger().handlers), logging.getLogger().level) == before
