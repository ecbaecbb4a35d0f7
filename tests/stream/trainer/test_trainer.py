"""The pair of a trainer: stores, requests, what both sides must agree on."""

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgeloop.errors import (
    CodecError,
    ConfigError,
    ConfigMismatch,
    InputError,
    NotFound,
    RateLimited,
    RemoteError,
    StreamClosed,
    StreamTimeout,
    TooLarge,
)
from edgeloop.stream import (
    DataStore,
    Limits,
    Message,
    QueuedDataStore,
    ReplayBuffer,
    TrainerClient,
    TrainerConfig,
    TrainerServer,
    TrajectoryBuffer,
)
from edgeloop.stream.stores.base import Batch
from pairs import client_options, server_options
from streams import WAIT_S, Way
from trainers import CONFIG, FAR, NAME, client_of, filled, numbers, serve_store
from transitions import as_columns, assert_same, numbers_in, transition, transitions


def test_what_a_client_inserts_comes_to_the_servers_store(each_way: Way) -> None:
    with TrainerServer(CONFIG, **server_options(each_way)) as server:
        server.register_data_store("actor", QueuedDataStore(1000))
        store = QueuedDataStore(1000)
        with TrainerClient(
            "actor", server.url, CONFIG, store, **client_options(each_way)
        ) as client:
            assert client.update() == 0
            for item in transitions(0, 300):
                store.insert(item)
            assert client.update() == 300
            assert client.update() == 0
        items, _ = server.data_store("actor").since(0)
        for number, item in enumerate(items):
            assert_same(item, transition(number))
        assert len(items) == 300


def test_every_store_of_a_client_goes_to_its_namesake(near: Way) -> None:
    with TrainerServer(CONFIG, url=near.url) as server:
        for name in ("states", "steps", "robot"):
            server.register_data_store(name, QueuedDataStore(100))
        with TrainerClient(
            "robot",
            server.url,
            CONFIG,
            filled(20, 4),
            data_stores={"states": filled(0, 3), "steps": filled(10, 2)},
            **client_options(near),
        ) as client:
            assert client.update() == 9
        assert server.store_names() == {"states", "steps", "robot"}
        found = {
            name: numbers_in(server.data_store(name).since(0)[0]) for name in ("steps", "robot")
        }
        assert found == {"steps": [10, 11], "robot": [20, 21, 22, 23]}


@pytest.mark.parametrize("kind", ["replay", "trajectory", "queue"])
def test_any_store_can_send_and_any_can_receive(near: Way, kind: str) -> None:
    makers: dict[str, Callable[[], DataStore]] = {
        "replay": lambda: ReplayBuffer(capacity=500),
        "trajectory": lambda: TrajectoryBuffer(500),
        "queue": lambda: QueuedDataStore(500),
    }
    store = makers[kind]()
    with serve_store(near.url, makers[kind]()) as server, client_of(server.url, store) as client:
        store.insert_batch(as_columns(transitions(0, 200)))
        assert client.update() == 200
        assert numbers(server) == list(range(200))


def test_items_that_are_no_transitions_travel_as_they_are(near: Way) -> None:
    store = QueuedDataStore(100)
    items: list[Any] = [1, "text", [1.5, None], {"a": np.arange(3)}, {"a": np.arange(4)}, b"x"]
    for item in items:
        store.insert(item)
    with serve_store(near.url, QueuedDataStore(100)) as server:
        with client_of(server.url, store) as client:
            assert client.update() == len(items)
        for mine, other in zip(items, server.data_store(NAME).since(0)[0], strict=True):
            assert_same(mine, other)


def test_the_data_callback_gets_only_what_is_new(near: Way) -> None:
    came: list[tuple[str, list[int]]] = []

    def note(name: str, batch: Batch) -> None:
        came.append((name, numbers_in(batch)))

    with TrainerServer(CONFIG, note, url=near.url) as server:
        server.register_data_store(NAME, ReplayBuffer(capacity=100))
        server.data_store(NAME).receive((store := filled(0, 5)).identity, 0, transitions(0, 3))
        with client_of(server.url, store) as client:
            client.update()
            client.update()
            store.insert(transition(5))
            client.update()
        assert came == [(NAME, [3, 4]), (NAME, [5])]


def test_a_data_callback_that_raises_costs_no_transition(
    near: Way, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(name: str, batch: Batch) -> None:
        raise KeyError(name)

    store = filled(0, 5)
    with TrainerServer(CONFIG, fail, url=near.url) as server:
        server.register_data_store(NAME, ReplayBuffer(capacity=100))
        with client_of(server.url, store) as client:
            assert client.update() == 5
            store.insert(transition(5))
            assert client.update() == 1
        assert numbers(server) == [0, 1, 2, 3, 4, 5]
        assert server.counters()[f"stores/{NAME}/callback_errors"] == 2
    assert "the data callback failed on the store 'buffer'" in caplog.text


def test_requests_are_answered_by_the_callback(each_way: Way) -> None:
    def answer(kind: str, payload: Message) -> Message:
        return {"kind": kind, "double": payload["x"] * 2}

    with (
        TrainerServer(CONFIG, request_callback=answer, **server_options(each_way)) as server,
        TrainerClient("actor", server.url, CONFIG, **client_options(each_way)) as client,
    ):
        reply = client.request("ask", {"x": np.arange(3)})
        assert_same(reply, {"kind": "ask", "double": np.array([0, 2, 4])})
        assert client.update() == 0


def test_without_a_callback_requests_get_an_empty_answer(near: Way) -> None:
    with serve_store(near.url) as server, client_of(server.url, QueuedDataStore(1)) as client:
        assert client.request("ask") == {}


def test_a_request_callback_that_raises_fails_alone(near: Way) -> None:
    def answer(kind: str, payload: Message) -> Message:
        return {"x": 1 // payload["y"]}

    with (
        TrainerServer(CONFIG, request_callback=answer, url=near.url) as server,
        TrainerClient("actor", server.url, CONFIG) as client,
    ):
        with pytest.raises(RemoteError, match="ZeroDivisionError"):
            client.request("ask", {"y": 0})
        assert client.request("ask", {"y": 1}) == {"x": 1}


def test_a_request_that_nobody_agreed_on_is_not_sent(near: Way) -> None:
    with serve_store(near.url) as server, client_of(server.url, QueuedDataStore(1)) as client:
        calls = client.counters()["calls"]
        with pytest.raises(NotFound, match="no request 'fly': there are ask"):
            client.request("fly")
        assert client.counters()["calls"] == calls


def test_requests_beyond_the_rate_are_refused_and_updates_are_not_counted(near: Way) -> None:
    config = TrainerConfig(port_number=0, request_types=("ask",), rate_limit=0.001)
    with TrainerServer(config, url=near.url) as server:
        server.register_data_store("actor", QueuedDataStore(10))
        with TrainerClient("actor", server.url, config, filled(0, 3)) as client:
            client.request("ask")
            with pytest.raises(RateLimited, match=r"0\.001 requests per second") as caught:
                client.request("ask")
            assert 0 < caught.value.retry_after_s <= 1000
            assert client.update() == 3


def test_requests_below_the_rate_get_through(near: Way) -> None:
    config = TrainerConfig(port_number=0, request_types=("ask",), rate_limit=1e9)
    with (
        TrainerServer(config, url=near.url) as server,
        TrainerClient("actor", server.url, config) as client,
    ):
        for _ in range(5):
            assert client.request("ask") == {}


@pytest.mark.parametrize("rate", [0, -1.0, float("nan")])
def test_a_rate_of_nothing_is_refused(rate: float) -> None:
    with pytest.raises(ConfigError, match="give requests per second"):
        TrainerConfig(rate_limit=rate)


def test_request_types_are_a_list() -> None:
    with pytest.raises(ConfigError, match=r"write \['ask'\]"):
        TrainerConfig(request_types="ask")


def test_a_client_that_is_configured_differently_is_told_how(near: Way) -> None:
    with (
        TrainerServer(CONFIG, url=near.url) as server,
        pytest.raises(ConfigMismatch, match="request_types"),
    ):
        TrainerClient("actor", server.url, TrainerConfig(request_types=("other",)))


def test_an_unknown_store_is_named_and_keeps_no_other_waiting(near: Way) -> None:
    with TrainerServer(CONFIG, url=near.url) as server:
        server.register_data_store("known", QueuedDataStore(10))
        stores = {"unknown": filled(0, 2), "known": filled(0, 3)}
        with TrainerClient("actor", server.url, CONFIG, data_stores=stores) as client:
            with pytest.raises(NotFound, match="no store 'unknown': there are known"):
                client.update()
            assert len(server.data_store("known")) == 3
            server.register_data_store("unknown", QueuedDataStore(10))
            assert client.update() == 2
        with pytest.raises(NotFound, match="no store 'nowhere'"):
            server.data_store("nowhere")


def test_transitions_that_do_not_fit_are_refused_and_stay_with_the_client(near: Way) -> None:
    store = QueuedDataStore(10)
    store.insert({"something": np.zeros(3), "rewards": 1.0})
    target = ReplayBuffer(capacity=10)
    target.insert(transition(0))
    with serve_store(near.url, target) as server, client_of(server.url, store) as client:
        for _ in range(2):
            with pytest.raises(RemoteError, match="InputError"):
                client.update()
        assert (numbers(server), client.counters()["waiting"]) == ([0], 1)
        assert client.counters()["update_failures"] == 2


def test_what_cannot_travel_is_said_to_the_client(near: Way) -> None:
    store = QueuedDataStore(10)
    store.insert([{1, 2}])
    with (
        serve_store(near.url) as server,
        client_of(server.url, store) as client,
        pytest.raises(CodecError, match="a set cannot be sent"),
    ):
        client.update()


@pytest.mark.parametrize("rows_bytes", [2000, 30_000])
def test_messages_keep_to_the_bound_of_either_side(near: Way, rows_bytes: int) -> None:
    store = QueuedDataStore(1000)
    for number in range(100):
        store.insert({"rewards": float(number), "image": np.zeros(rows_bytes, np.uint8)})
    few = Limits(message_bytes=40_000)
    with serve_store(near.url, limits=few) as server, client_of(server.url, store) as client:
        assert client.update() == 100
        assert numbers(server) == list(range(100))
        store.insert({"rewards": 0.0, "image": np.zeros(50_000, np.uint8)})
        with pytest.raises(TooLarge, match="A transition of 'buffer' is larger"):
            client.update()


def test_large_and_small_transitions_take_turns_in_one_store(near: Way) -> None:
    store = QueuedDataStore(10_000)
    target = QueuedDataStore(10_000)
    for number in range(2000):
        size = 100_000 if number % 500 == 7 else 10
        store.insert({"rewards": float(number), "data": np.zeros(size, np.uint8)})
    with serve_store(near.url, target) as server, client_of(server.url, store) as client:
        assert client.update() == 2000
        assert numbers(server) == list(range(2000))


def test_without_a_server_an_update_times_out_and_the_next_one_gets_through() -> None:
    store = filled(0, 10)
    server = serve_store("tcp://127.0.0.1:0", limits=FAR)
    with client_of(server.url, store) as client:
        server.close()
        with pytest.raises((StreamTimeout, StreamClosed)):
            client.update(timeout_s=0.2)
        with serve_store(server.url, limits=FAR) as again:
            assert client.update() == 10
            assert numbers(again) == list(range(10))


def test_an_update_may_have_all_the_time_there_is(near: Way) -> None:
    with serve_store(near.url) as server, client_of(server.url, filled(0, 3)) as client:
        assert client.update(timeout_s=math.inf) == 3
        with pytest.raises(InputError, match="NaN"):
            client.update(timeout_s=math.nan)


def test_a_closed_client_sends_nothing_more(near: Way) -> None:
    with serve_store(near.url) as server:
        client = client_of(server.url, filled(0, 3))
        client.close()
        client.close()
        with pytest.raises(StreamClosed):
            client.update()
        with pytest.raises(StreamClosed, match="another"):
            client.start_async_update(0.001)
        assert numbers(server) == []


def test_counters_say_what_came_and_from_where(near: Way) -> None:
    store = filled(0, 30)
    with serve_store(near.url, ReplayBuffer(capacity=20)) as server:
        with client_of(server.url, store) as client:
            client.update()
            figures = client.counters()
            assert (figures["transitions"], figures["updates"], figures["waiting"]) == (30, 1, 0)
        figures = server.counters()
        assert (figures["transitions"], figures[f"stores/{NAME}/size"]) == (30, 20)
        assert figures["calls"] >= 3
        assert figures["bytes_in"] > 30 * 44
        assert figures["call_seconds"] > 0


def test_sixty_servers_start_and_stop_one_after_the_other() -> None:
    before = threading.active_count()
    for number in range(60):
        store = filled(number, 1)
        with (
            serve_store("tcp://127.0.0.1:0") as server,
            client_of(server.url, store) as client,
        ):
            client.recv_network_callback(lambda network: None)
            client.start_async_update(WAIT_S)
            client.update()
            assert numbers(server) == [number]
    assert threading.active_count() <= before + 2
