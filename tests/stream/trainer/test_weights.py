"""Weights go down: the newest wins, late comers get them at once, their age is seen."""

import queue
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeloop.errors import CodecError, Conflict
from edgeloop.stream import QueuedDataStore, TrainerClient, TrainerServer
from edgeloop.stream.trainer.deliveries import Weights
from edgeloop.stream.trainer.weights import WeightsInUse
from pairs import client_options, server_options
from streams import WAIT_S, Way, assert_same
from trainers import CONFIG, client_of, filled, serve_store
from transitions import transition


class Actor:
    """Takes weights over one by one."""

    def __init__(self, client: TrainerClient) -> None:
        self.client = client
        self._came: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.subscription = client.recv_network_callback(self._came.put)

    def next(self) -> Any:
        """The weights that come next."""
        return self._came.get(timeout=WAIT_S)

    def until_in_use(self, version: int) -> None:
        """Wait for the end of the callback, which happens a moment after its begin."""
        waiting = threading.Event()
        for _ in range(int(WAIT_S * 100)):
            if self.client.network_version == version:
                return
            waiting.wait(0.01)
        raise AssertionError(f"version {version} is not in use")


def test_weights_of_any_kind_come_as_they_were(each_way: Way) -> None:
    with (
        TrainerServer(CONFIG, **server_options(each_way)) as server,
        TrainerClient("actor", server.url, CONFIG, **client_options(each_way)) as client,
    ):
        actor = Actor(client)
        kinds = [np.arange(1000.0), {"layer": {"w": np.eye(3), "n": 3}}, [1, None, "x"], 7]
        for number, network in enumerate(kinds, start=1):
            assert server.publish_network(network) == number
            assert_same(actor.next(), network)


def test_who_comes_late_gets_the_current_weights_at_once(near: Way) -> None:
    with serve_store(near.url) as server:
        for number in range(1, 6):
            server.publish_network({"number": number})
        with client_of(server.url, QueuedDataStore(1)) as client:
            assert client.network_version == 0
            actor = Actor(client)
            assert actor.next() == {"number": 5}
            actor.until_in_use(5)


def test_a_slow_client_sees_the_newest_weights(near: Way) -> None:
    entered, leave = threading.Event(), threading.Event()
    seen: queue.SimpleQueue[int] = queue.SimpleQueue()

    def learn_slowly(number: int) -> None:
        seen.put(number)
        entered.set()
        assert leave.wait(WAIT_S)

    with serve_store(near.url) as server, client_of(server.url, QueuedDataStore(1)) as client:
        client.recv_network_callback(learn_slowly)
        server.publish_network(1)
        assert entered.wait(WAIT_S)
        for number in range(2, 31):
            server.publish_network(number)
        leave.set()
        assert (seen.get(timeout=WAIT_S), seen.get(timeout=WAIT_S)) == (1, 30)


def test_a_callback_that_raises_keeps_the_old_version_and_gets_the_next(
    near: Way, caplog: pytest.LogCaptureFixture
) -> None:
    taken: queue.SimpleQueue[int] = queue.SimpleQueue()

    def learn(number: int) -> None:
        if number == 1:
            raise ValueError("cannot be learned")
        taken.put(number)

    with serve_store(near.url) as server, client_of(server.url, QueuedDataStore(1)) as client:
        client.recv_network_callback(learn)
        server.publish_network(1)
        raised = threading.Event()
        while client.counters().get("callback_errors", 0) < 1:
            raised.wait(0.01)
        assert (client.network_version, client.staleness) == (0, 1)
        server.publish_network(2)
        assert taken.get(timeout=WAIT_S) == 2
        assert client.counters()["callback_errors"] == 1
    assert "cannot be learned" in caplog.text


def test_eight_clients_get_the_same_weights(near: Way) -> None:
    weights = {"w": np.arange(100_000)}
    with serve_store(near.url) as server:
        clients = [client_of(server.url, QueuedDataStore(1)) for _ in range(8)]
        actors = [Actor(client) for client in clients]
        server.publish_network(weights)
        for actor in actors:
            assert_same(actor.next(), weights)
        for client in clients:
            client.close()


def test_a_closed_subscription_calls_back_no_more(near: Way) -> None:
    with serve_store(near.url) as server, client_of(server.url, QueuedDataStore(1)) as client:
        actor = Actor(client)
        server.publish_network(1)
        assert actor.next() == 1
        actor.until_in_use(1)
        actor.subscription.close()
        server.publish_network(2)
        client.update()
        assert (client.network_version, client.staleness) == (1, 1)


def test_both_sides_see_how_old_the_weights_are(near: Way) -> None:
    store = filled(0, 2)
    with serve_store(near.url) as server, client_of(server.url, store) as client:
        for _ in range(3):
            server.publish_network(None)
        client.update()
        assert (client.network_version, client.staleness) == (0, 3)
        assert server.counters()["staleness"] == 3
        actor = Actor(client)
        actor.next()
        actor.until_in_use(3)
        assert client.staleness == 0
        for number in range(6):
            store.insert(transition(number))
        client.update()
        figures = server.counters()
        assert (figures["staleness"], figures["staleness_max"]) == (0, 3)
        assert figures["staleness_mean"] == pytest.approx(2 * 3 / 8)
        assert figures["network_version"] == client.counters()["network_version"] == 3


def test_versions_can_be_told_and_must_grow(near: Way) -> None:
    with serve_store(near.url) as server, client_of(server.url, QueuedDataStore(1)) as client:
        actor = Actor(client)
        assert server.publish_network("a", version=1000) == 1000
        assert actor.next() == "a"
        with pytest.raises(Conflict, match="not newer"):
            server.publish_network("b", version=1000)
        assert server.publish_network("c") == 1001
        assert actor.next() == "c"


def test_weights_that_cannot_travel_change_nothing(near: Way) -> None:
    with serve_store(near.url) as server:
        with pytest.raises(CodecError):
            server.publish_network({"w": object()})
        assert server.counters()["network_version"] == 0
        assert server.publish_network(1) == 1


def test_a_restarted_server_begins_anew_and_its_first_weights_win(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/trainer.sock"
    first = serve_store(url)
    with client_of(url, QueuedDataStore(1)) as client:
        actor = Actor(client)
        for number in range(1, 4):
            first.publish_network(number)
        while actor.next() != 3:
            continue
        actor.until_in_use(3)
        first.close()
        with serve_store(url) as second:
            client.update()
            assert client.staleness == 0
            second.publish_network("anew")
            assert actor.next() == "anew"
            actor.until_in_use(1)
            second.publish_network("newer")
            assert actor.next() == "newer"


def test_weights_of_another_life_are_all_new() -> None:
    weights = WeightsInUse()
    weights.use(Weights("first", 57))
    weights.hear(Weights("first", 60))
    assert weights.staleness == 3
    weights.hear(Weights("second", 2))
    assert weights.staleness == 2
    weights.hear(Weights("second", 1))
    assert weights.staleness == 2
    weights.use(Weights("second", 2))
    assert weights.staleness == 0
