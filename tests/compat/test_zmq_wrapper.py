"""agentlace.zmq_wrapper."""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from compat.material import SOON_MS, TIMEOUT_MS
from edgeloop.compat.agentlace.zmq_wrapper.broadcast import BroadcastClient, BroadcastServer
from edgeloop.compat.agentlace.zmq_wrapper.pair import PairClient, PairServer
from edgeloop.compat.agentlace.zmq_wrapper.pipeline import Consumer, Producer
from edgeloop.compat.agentlace.zmq_wrapper.req_rep import ReqRepClient, ReqRepServer
from edgeloop.errors import CodecError, RemoteError
from edgeloop.stream import connect
from streams import WAIT_S, in_thread

HERE = "127.0.0.1"


@contextlib.contextmanager
def answering(callback: Callable[[Any], Any] | None = None) -> Iterator[ReqRepServer]:
    """A server whose `run` runs."""
    server = ReqRepServer(0, callback)
    running = in_thread(server.run)
    asker(server).send_msg("is it there?")
    try:
        yield server
    finally:
        server.stop()
        running.result()


def asker(server: ReqRepServer) -> ReqRepClient:
    return ReqRepClient(HERE, server.port, TIMEOUT_MS)


def test_a_request_is_answered() -> None:
    with answering(lambda request: {"got": request}) as server:
        assert asker(server).send_msg({"type": "hash"}) == {"got": {"type": "hash"}}
        assert asker(server).send_msg([1, (2,)]) == {"got": [1, (2,)]}


def test_without_a_callback_the_answer_is_world() -> None:
    with answering() as server:
        assert asker(server).send_msg("Hello") == b"World"


def test_an_answer_may_be_left_alone() -> None:
    with answering() as server:
        assert asker(server).send_msg("Hello", wait_for_response=False) is None


def test_a_callback_that_raises_is_none_and_the_server_lives() -> None:
    with answering(lambda request: request and 1 / (request == 1)) as server:
        assert asker(server).send_msg(2) is None
        assert asker(server).send_msg(1) == 1.0


def test_a_request_that_cannot_travel_is_the_callers_error() -> None:
    with answering() as server, pytest.raises(CodecError):
        asker(server).send_msg({1, 2})


def test_a_timeout_is_none_and_may_be_changed() -> None:
    release = threading.Event()
    with answering(lambda request: request != "slow" or release.wait(WAIT_S)) as server:
        client = asker(server)
        client.timeout_ms = SOON_MS
        client.reset_socket()
        assert client.send_msg("slow") is None
        release.set()
        client.timeout_ms = TIMEOUT_MS
        assert client.send_msg("slow") is True
        assert (client.ip, client.port) == (HERE, server.port)


def test_it_listens_again_at_its_port_after_a_stop() -> None:
    with answering(lambda request: 1) as server:
        client = asker(server)
        states = [server.is_kill]
    states.append(server.is_kill)
    server.reset()
    states.append(server.is_kill)
    assert states == [False, True, False]
    again = in_thread(server.run)
    assert client.send_msg({}) == 1
    server.stop()
    again.result()


def test_there_is_no_socket_of_zeromq() -> None:
    with answering() as server:
        assert server.socket.url == f"tcp://0.0.0.0:{server.port}"
        assert server.context is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: ReqRepServer(0, compression="rar"),
        lambda: ReqRepClient(HERE, 1, compression="rar"),
        lambda: BroadcastServer(0, compression="rar"),
        lambda: BroadcastClient(HERE, 1, comppression="rar"),
        lambda: PairServer(0, compression="rar"),
        lambda: PairClient(HERE, 1, compression="rar"),
        lambda: Producer(HERE, 1, compression="rar"),
        lambda: Consumer(print, 0, compression="rar"),
    ],
)
def test_another_compression_fails_with_agentlaces_words(make: Callable[[], Any]) -> None:
    with pytest.raises(Exception, match=r"^Unknown compression algorithm: rar$"):
        make()


def test_a_broadcast_arrives_with_arrays_of_its_own() -> None:
    arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
    server = BroadcastServer(0)
    client = BroadcastClient(HERE, server.port)
    client.async_start(arrived.put)
    server.broadcast(np.zeros(3))
    value = arrived.get(timeout=WAIT_S)
    value += 1
    client.stop()
    server.stop()


def test_who_comes_late_gets_the_newest_broadcast() -> None:
    arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
    server = BroadcastServer(0)
    for number in range(3):
        server.broadcast({"n": number})
    client = BroadcastClient(HERE, server.port)
    client.async_start(arrived.put)
    assert arrived.get(timeout=WAIT_S) == {"n": 2}
    client.stop()
    server.stop()


def test_a_callback_that_raises_does_not_end_the_listening() -> None:
    second = threading.Event()

    def listen(number: int) -> None:
        if number == 1:
            first.set()
            raise ValueError(number)
        second.set()

    first = threading.Event()
    server = BroadcastServer(0)
    client = BroadcastClient(HERE, server.port)
    client.async_start(listen)
    server.broadcast(1)
    assert first.wait(WAIT_S)
    server.broadcast(2)
    assert second.wait(WAIT_S)
    client.stop()
    server.stop()


def test_a_broadcaster_answers_no_calls() -> None:
    server = BroadcastServer(0)
    with connect(f"{HERE}:{server.port}") as client, pytest.raises(RemoteError, match="broadcasts"):
        client.call("anything", {})
    server.stop()


@contextlib.contextmanager
def pair() -> Iterator[tuple[PairServer, PairClient]]:
    """Both sides, running."""
    server = PairServer(0)
    client = PairClient(HERE, server.port)
    with running_pair(server, client):
        yield server, client


@contextlib.contextmanager
def running_pair(*sides: Any) -> Iterator[None]:
    work = [in_thread(side.run) for side in sides]
    try:
        yield
    finally:
        for side in reversed(sides):
            side.stop()
        for each in work:
            each.result()


def test_messages_go_both_ways_in_order() -> None:
    to_server: queue.SimpleQueue[Any] = queue.SimpleQueue()
    to_client: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with pair() as (server, client):
        server.register_callback(to_server.put)
        client.register_callback(to_client.put)
        for number in range(20):
            client.broadcast(number)
            server.broadcast({"n": number})
        assert [to_server.get(timeout=WAIT_S) for _ in range(20)] == list(range(20))
        assert [to_client.get(timeout=WAIT_S)["n"] for _ in range(20)] == list(range(20))
        assert to_client.empty()


def test_messages_wait_for_a_client_that_comes_later() -> None:
    came: queue.SimpleQueue[Any] = queue.SimpleQueue()
    server = PairServer(0)
    server.broadcast("early")
    client = PairClient(HERE, server.port)
    client.register_callback(came.put)
    with running_pair(server, client):
        assert came.get(timeout=WAIT_S) == "early"


def test_a_client_goes_on_with_a_server_that_was_started_again() -> None:
    came: queue.SimpleQueue[Any] = queue.SimpleQueue()
    server = PairServer(0)
    client = PairClient(HERE, server.port)
    client.register_callback(came.put)
    running = in_thread(client.run)
    for number in range(3):
        server.broadcast(number)
        assert came.get(timeout=WAIT_S) == number
    server.stop()
    again = PairServer(server.port)
    again.broadcast("again")
    assert came.get(timeout=WAIT_S) == "again"
    client.stop()
    running.result()
    again.stop()


def test_a_pair_answers_no_other_calls() -> None:
    with pair() as (server, _):
        stranger = ReqRepClient(HERE, server.port, TIMEOUT_MS)
        assert stranger.send_msg({}) is None


def test_what_is_produced_is_consumed_in_order() -> None:
    consumed: list[Any] = []
    consumer = Consumer(consumed.append, 0)
    consumer.async_start()
    producer = Producer(HERE, consumer.port)
    for number in range(10):
        producer.send_msg({"id": number})
    thread = consumer.thread
    assert thread is not None
    assert not thread.daemon
    consumer.stop()
    thread.join(WAIT_S)
    assert not thread.is_alive()
    assert consumer.is_kill
    assert consumed == [{"id": number} for number in range(10)]


def test_consuming_blocks_until_it_is_stopped() -> None:
    consumed: queue.SimpleQueue[Any] = queue.SimpleQueue()
    consumer = Consumer(consumed.put, 0)
    blocked = in_thread(consumer.start)
    Producer(HERE, consumer.port).send_msg("x")
    assert consumed.get(timeout=WAIT_S) == "x"
    consumer.stop()
    blocked.result()
