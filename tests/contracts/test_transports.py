"""What every transport does, whatever carries it."""

import contextlib
import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from campaigns import until
from edgeloop.errors import (
    CodecError,
    Conflict,
    InputError,
    Overloaded,
    RemoteError,
    StreamClosed,
    StreamTimeout,
    TooLarge,
    Unauthenticated,
)
from edgeloop.stream.transport import Limits, Message, Publication, Subscription, serve
from streams import (
    WAIT_S,
    Callbacks,
    Gate,
    Way,
    arrays,
    assert_same,
    echo,
    in_thread,
    way_of,
)

NATIVE = ["tcp", "tls", "near", "unix", "shared"]
OTHERS = ["grpc", "grpc+tls", "zmq", "zmq+curve"]


@pytest.fixture(params=[*NATIVE, *OTHERS])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Way]:
    way = way_of(request.param, tmp_path)
    with way.stack:
        yield way


def raising(route: str, message: Message) -> Message:
    raise KeyError(f"no {route}")


def test_a_call_is_answered_by_the_handler(way: Way) -> None:
    server = way.serve(lambda route, message: {"route": route, "twice": message["x"] * 2})
    answer = way.connect(server).call("double", {"x": np.arange(3)})
    assert_same(answer, {"route": "double", "twice": np.array([0, 2, 4])})


@pytest.mark.parametrize("size", [0, 1, 1_000, 70_000, 3_000_000])
def test_messages_of_any_size_arrive_as_they_were_sent(way: Way, size: int) -> None:
    client = way.connect(way.serve(echo))
    rng = np.random.default_rng(size)
    message = {
        "bytes": rng.bytes(size),
        "array": rng.integers(0, 255, size, dtype=np.uint8),
        "every other": rng.standard_normal(size)[::2],
        "text": "ü" * size,
    }
    for _ in range(3):
        assert_same(client.call("echo", message), message)


def test_an_answer_stays_as_it_is_while_later_calls_are_made(way: Way) -> None:
    client = way.connect(way.serve(echo))
    sent = [arrays(number) for number in range(1, 40)]
    answers = [client.call("echo", message) for message in sent]
    for answer, message in zip(answers, sent, strict=True):
        assert_same(answer, message)


def test_what_a_handler_keeps_stays_as_it_is(way: Way) -> None:
    kept: list[Message] = []

    def keep(route: str, message: Message) -> Message:
        kept.append(message)
        return {}

    client = way.connect(way.serve(keep))
    sent = [arrays(number) for number in range(1, 40)]
    for message in sent:
        client.call("keep", message)
    for one, message in zip(kept, sent, strict=True):
        assert_same(one, message)


def test_arrays_of_answers_and_calls_can_be_written_to(way: Way) -> None:
    def change(route: str, message: Message) -> Message:
        message["array 0"] += 1
        return message

    sent = arrays()
    answer = way.connect(way.serve(change)).call("change", sent)
    answer["array 0"] -= 1
    np.testing.assert_allclose(answer["array 0"], sent["array 0"])


def test_an_error_of_the_handler_reaches_the_caller_and_the_server_lives(way: Way) -> None:
    client = way.connect(way.serve(raising))
    for _ in range(2):
        with pytest.raises(RemoteError, match="no left") as caught:
            client.call("left", {})
        assert caught.value.type == "KeyError"


def test_a_handler_that_returns_no_dict_is_told_to_the_caller(way: Way) -> None:
    server = way.serve(lambda route, message: [1])  # type: ignore[arg-type, return-value]
    with pytest.raises(RemoteError, match="returns a dict"):
        way.connect(server).call("list", {})


def test_a_handler_that_returns_an_object_is_told_to_the_caller(way: Way) -> None:
    server = way.serve(lambda route, message: {"thing": object()})
    with pytest.raises(RemoteError, match="'thing'"):
        way.connect(server).call("object", {})


def test_a_message_with_an_object_is_refused_before_it_is_sent(way: Way) -> None:
    server = way.serve(echo)
    with pytest.raises(CodecError, match="'set'"):
        way.connect(server).call("echo", {"set": {1, 2}})
    assert server.counters()["calls"] == 0


def test_a_slow_call_does_not_keep_others_waiting(way: Way) -> None:
    gate = Gate()
    server = way.serve(gate)
    client, other = way.connect(server), way.connect(server)
    slow = in_thread(lambda: client.call("slow", {"n": 1}))
    assert gate.entered.wait(WAIT_S)
    assert other.call("quick", {"n": 2}) == {"n": 2}
    assert client.call("quick", {"n": 3}) == {"n": 3}
    gate.open.set()
    assert slow.result() == {"n": 1}


def test_a_call_without_an_answer_ends_at_its_deadline(way: Way) -> None:
    gate = Gate()
    client = way.connect(way.serve(gate))
    with pytest.raises(StreamTimeout):
        client.call("slow", {}, timeout_s=0.05)
    gate.open.set()
    assert client.call("quick", {"n": 1}) == {"n": 1}


@pytest.mark.parametrize("timeout_s", [math.inf, 1e12])
def test_a_call_may_have_all_the_time_there_is(way: Way, timeout_s: float) -> None:
    client = way.connect(way.serve(echo), timeout_s=timeout_s)
    for number in range(2):
        assert client.call("echo", {"n": number}) == {"n": number}
        assert client.call("echo", {"n": number}, timeout_s=timeout_s) == {"n": number}


def test_a_call_without_any_time_is_not_made(way: Way) -> None:
    server = way.serve(echo)
    client = way.connect(server)
    client.call("echo", {})
    for timeout_s in (0, -1):
        with pytest.raises(StreamTimeout, match="give it time"):
            client.call("echo", {}, timeout_s=timeout_s)
    with pytest.raises(InputError, match="NaN"):
        client.call("echo", {}, timeout_s=math.nan)
    assert server.counters()["calls"] == 1


def test_a_call_where_no_server_is_ends_at_its_deadline(way: Way) -> None:
    server = way.serve(echo)
    server.close()
    with pytest.raises(StreamTimeout):
        way.connect(server, timeout_s=0.1).call("echo", {})


def test_a_client_waits_for_a_server_that_comes_up_within_the_deadline(way: Way) -> None:
    server = way.serve(echo)
    server.close()
    call = in_thread(lambda: way.connect(server).call("echo", {"n": 1}))
    way.serve(echo, url=server.url)
    assert call.result() == {"n": 1}


def test_a_client_comes_back_to_a_restarted_server(way: Way) -> None:
    server = way.serve(echo)
    client = way.connect(server)
    for number in range(3):
        assert client.call("echo", {"n": number}) == {"n": number}
        server.close()
        server = way.serve(echo, url=server.url)
    assert client.call("echo", {"n": 9}) == {"n": 9}


def test_closing_the_server_ends_a_call_that_waits(way: Way) -> None:
    gate = Gate()
    server = way.serve(gate)
    client = way.connect(server, timeout_s=2)
    slow = in_thread(lambda: client.call("slow", {}))
    assert gate.entered.wait(WAIT_S)
    closing = in_thread(server.close)
    with pytest.raises((StreamClosed, StreamTimeout)):
        slow.result()
    gate.open.set()
    closing.result()


def test_closing_the_client_ends_a_call_that_waits(way: Way) -> None:
    gate = Gate()
    client = way.connect(way.serve(gate))
    slow = in_thread(lambda: client.call("slow", {}))
    assert gate.entered.wait(WAIT_S)
    client.close()
    with pytest.raises(StreamClosed):
        slow.result()
    gate.open.set()


def test_a_closed_client_says_so(way: Way) -> None:
    client = way.connect(way.serve(echo))
    client.close()
    client.close()
    with pytest.raises(StreamClosed, match="closed"):
        client.call("echo", {})


def test_closing_the_client_ends_a_call_that_is_still_connecting(way: Way) -> None:
    silent = way.stack.enter_context(
        contextlib.closing(serve(way.url, echo, tls=way.server_security))
    )
    client = way.connect(silent, timeout_s=2 * WAIT_S)
    call = in_thread(lambda: client.call("echo", {}))
    assert until(lambda: client.counters().get("connections_made") == 1)
    client.close()
    with pytest.raises(StreamClosed):
        call.result()


def test_nobody_subscribes_by_a_closed_client(way: Way) -> None:
    client = way.connect(way.serve(echo))
    client.close()
    with pytest.raises(StreamClosed, match="connect again"):
        client.subscribe("weights", Callbacks())


def test_who_has_the_token_is_let_in(way: Way) -> None:
    server = way.serve(echo, token="open sesame")
    assert way.connect(server, token="open sesame").call("echo", {"n": 1}) == {"n": 1}


@pytest.mark.parametrize("token", [None, "", "open barley"])
def test_who_has_not_the_token_is_refused(way: Way, token: str | None) -> None:
    server = way.serve(echo, token="open sesame")
    with pytest.raises(Unauthenticated, match="token"):
        way.connect(server, token=token).call("echo", {})
    assert server.counters()["calls"] == 0


def test_a_message_above_the_bound_is_refused_and_the_client_goes_on(way: Way) -> None:
    small = Limits(message_bytes=100_000, shortcut=way.limits.shortcut)
    client = way.connect(way.serve(echo, limits=small))
    with pytest.raises(TooLarge, match=r"100000 are allowed|larger than max"):
        client.call("echo", {"x": bytes(200_000)})
    assert client.call("echo", {"n": 1}) == {"n": 1}


def test_an_answer_above_the_clients_bound_is_refused_and_the_client_goes_on(way: Way) -> None:
    def grow(route: str, message: Message) -> Message:
        return {"x": bytes(message["n"])}

    small = Limits(message_bytes=100_000, shortcut=way.limits.shortcut)
    client = way.connect(way.serve(grow), limits=small)
    with pytest.raises(TooLarge):
        client.call("grow", {"n": 200_000})
    assert client.call("grow", {"n": 2}) == {"x": bytes(2)}


def test_many_threads_use_one_client(way: Way) -> None:
    client = way.connect(way.serve(echo))

    def work(thread: int) -> None:
        for number in range(30):
            message = {"n": number, "x": np.full(thread * 3_000, number)}
            assert_same(client.call("echo", message), message)

    for outcome in [in_thread(lambda thread=thread: work(thread)) for thread in range(8)]:  # type: ignore[misc]
        outcome.result()


def test_connections_that_no_call_needs_any_more_are_closed_but_for_a_few(way: Way) -> None:
    together = threading.Barrier(10)

    def wait_for_all(route: str, message: Message) -> Message:
        if route == "all":
            together.wait(WAIT_S)
        return message

    limits = replace(way.limits, idle_s=0.05)
    client = way.connect(way.serve(wait_for_all), limits=limits)
    for outcome in [in_thread(lambda: client.call("all", {})) for _ in range(10)]:
        outcome.result()
    assert client.counters()["connections_made"] == 10
    assert until(lambda: client.counters()["connections"] == 4)
    assert client.call("echo", {"n": 1}) == {"n": 1}


def test_more_calls_than_a_client_makes_at_once_wait_and_subscriptions_do_not(way: Way) -> None:
    gate, callbacks = Gate(), Callbacks()
    server = way.serve(gate)
    client = way.connect(server, limits=replace(way.limits, calls=1))
    slow = in_thread(lambda: client.call("slow", {}))
    assert gate.entered.wait(WAIT_S)
    with pytest.raises(StreamTimeout, match="1 calls"):
        client.call("echo", {}, timeout_s=0.05)
    client.subscribe("weights", callbacks)
    callbacks.until(server.publish("weights", {}))
    gate.open.set()
    assert slow.result() == {}
    assert client.call("echo", {"n": 1}) == {"n": 1}


def test_a_subscriber_gets_what_is_published(way: Way) -> None:
    server, callbacks = way.serve(echo), Callbacks()
    way.connect(server).subscribe("weights", callbacks)
    for number in range(1, 4):
        message = arrays(number)
        version = server.publish("weights", message)
        publication = callbacks.until(version)
        assert publication.topic == "weights"
        assert publication.version == number
        assert_same(publication.message, message)


def test_a_late_subscriber_gets_the_current_publication(way: Way) -> None:
    server, callbacks = way.serve(echo), Callbacks()
    server.publish("weights", {"n": 1})
    server.publish("weights", {"n": 2})
    way.connect(server).subscribe("weights", callbacks)
    assert callbacks.next().message == {"n": 2}


def test_a_published_message_is_copied_at_once(way: Way) -> None:
    server, callbacks = way.serve(echo), Callbacks()
    weights = np.ones(100_000)
    server.publish("weights", {"w": weights})
    weights[:] = 0
    way.connect(server).subscribe("weights", callbacks)
    assert callbacks.next().message["w"].all()


def test_published_arrays_are_read_only_and_stay_as_they_are(way: Way) -> None:
    server, callbacks = way.serve(echo), Callbacks()
    way.connect(server).subscribe("weights", callbacks)
    kept = []
    for number in range(1, 12):
        server.publish("weights", {"w": np.full(50_000, number)})
        kept.append(callbacks.until(number))
    for number, publication in enumerate(kept, start=1):
        array = publication.message["w"]
        assert (array == number).all()
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_a_slow_subscriber_gets_the_newest_and_keeps_nobody_waiting(way: Way) -> None:
    server, quick, slow = way.serve(echo), Callbacks(), Callbacks()
    gate = threading.Event()

    def hold(publication: Publication) -> None:
        slow(publication)
        assert gate.wait(WAIT_S)

    way.connect(server).subscribe("weights", hold)
    way.connect(server).subscribe("weights", quick)
    server.publish("weights", {"n": 1})
    assert slow.next().version == 1
    for number in range(2, 8):
        server.publish("weights", {"n": number, "w": np.zeros(30_000)})
        quick.until(number)
    gate.set()
    assert slow.next().version == 7


def test_topics_are_told_apart(way: Way) -> None:
    server, left, right = way.serve(echo), Callbacks(), Callbacks()
    client = way.connect(server)
    client.subscribe("left", left)
    client.subscribe("right", right)
    server.publish("left", {"n": 1}, version=10)
    server.publish("right", {"n": 2}, version=20)
    assert left.next().version == 10
    assert right.next().version == 20


def test_a_version_must_grow(way: Way) -> None:
    server = way.serve(echo)
    assert server.publish("weights", {}, version=5) == 5
    with pytest.raises(Conflict, match="not newer"):
        server.publish("weights", {}, version=5)
    assert server.publish("weights", {}) == 6


def test_a_callback_that_raises_does_not_end_the_subscription(way: Way) -> None:
    server, callbacks = way.serve(echo), Callbacks()

    def stumble(publication: Publication) -> None:
        callbacks(publication)
        raise RuntimeError("stumbled")

    client = way.connect(server)
    client.subscribe("weights", stumble)
    for number in (1, 2):
        server.publish("weights", {})
        assert callbacks.next().version == number


def test_no_callback_begins_after_a_subscription_was_closed(way: Way) -> None:
    server, callbacks, others = way.serve(echo), Callbacks(), Callbacks()
    client = way.connect(server)
    subscription = client.subscribe("weights", callbacks)
    client.subscribe("weights", others)
    server.publish("weights", {})
    callbacks.next()
    subscription.close()
    subscription.close()
    others.until(server.publish("weights", {}))
    assert callbacks.is_empty


def test_a_subscription_goes_on_after_a_restart_of_the_server(way: Way) -> None:
    server, callbacks = way.serve(echo), Callbacks()
    way.connect(server).subscribe("weights", callbacks)
    server.publish("weights", {"n": 1}, version=7)
    before = callbacks.next()
    server.close()
    again = way.serve(echo, url=server.url)
    again.publish("weights", {"n": 2}, version=3)
    after = callbacks.next()
    assert after.version == 3
    assert after.session != before.session


def test_a_subscriber_that_lost_its_connection_is_not_told_twice(way: Way) -> None:
    server, callbacks = way.serve(echo), Callbacks()
    client = way.connect(server)
    client.subscribe("weights", callbacks)
    server.publish("weights", {"n": 1})
    callbacks.next()
    assert client.call("echo", {"n": 1}) == {"n": 1}
    server.publish("weights", {"n": 2})
    assert callbacks.next().version == 2
    assert callbacks.is_empty


def test_a_version_that_could_not_be_published_is_not_used_up(way: Way) -> None:
    server = way.serve(echo, limits=Limits(message_bytes=100_000))
    server.publish("weights", {}, version=3)
    with pytest.raises(CodecError):
        server.publish("weights", {"x": object()}, version=4)
    with pytest.raises(TooLarge):
        server.publish("other", {"x": bytes(200_000)}, version=1)
    assert server.publish("weights", {}, version=4) == 4
    assert server.publish("other", {}) == 1


def test_more_topics_than_allowed_are_refused(way: Way) -> None:
    server = way.serve(echo, limits=Limits(topics=2))
    server.publish("one", {})
    server.publish("two", {})
    with pytest.raises(Overloaded, match="2 topics"):
        server.publish("three", {})
    assert server.publish("two", {}) == 2


def test_a_message_that_is_no_dict_is_refused(way: Way) -> None:
    client = way.connect(way.serve(echo))
    with pytest.raises(CodecError, match="a dict"):
        client.call("echo", [1])  # type: ignore[arg-type]


def test_a_subscriber_without_the_token_hears_nothing(way: Way) -> None:
    server, callbacks, others = way.serve(echo, token="sesame"), Callbacks(), Callbacks()
    way.connect(server, token="barley").subscribe("weights", callbacks)
    way.connect(server, token="sesame").subscribe("weights", others)
    server.publish("weights", {})
    assert others.next().version == 1
    assert callbacks.is_empty


def test_a_subscription_is_closed_from_its_own_callback(way: Way) -> None:
    server, callbacks, begun = way.serve(echo), Callbacks(), threading.Event()
    subscriptions: list[Subscription] = []

    def once(publication: Publication) -> None:
        assert begun.wait(WAIT_S)
        subscriptions[0].close()
        callbacks(publication)

    client = way.connect(server)
    subscriptions.append(client.subscribe("weights", once))
    begun.set()
    server.publish("weights", {})
    assert callbacks.next().version == 1
    server.publish("weights", {})
    assert client.call("echo", {"n": 1}) == {"n": 1}
    assert callbacks.is_empty


def test_a_server_that_was_closed_cannot_be_started_again(way: Way) -> None:
    server = way.serve(echo)
    server.close()
    server.close()
    with pytest.raises(StreamTimeout):
        way.connect(server, timeout_s=0.1).call("echo", {})


def test_calls_and_bytes_are_counted_on_both_sides(way: Way) -> None:
    server = way.serve(echo)
    client = way.connect(server)
    for _ in range(3):
        client.call("echo", {"x": bytes(1000)})
    for counters in (server.counters(), client.counters()):
        assert counters["calls"] == 3
        assert counters["failures"] == 0
        assert 3_000 < counters["bytes_in"] < 6_000
        assert 3_000 < counters["bytes_out"] < 6_000
        assert 0 < counters["call_seconds_p50"] <= counters["call_seconds_max"]


CARRIERS = {
    "tcp": "TCP",
    "tls": "TCP with TLS",
    "near": "same host",
    "unix": "same host",
    "shared": "same host",
    "grpc": "gRPC",
    "grpc+tls": "gRPC",
    "zmq": "ZeroMQ",
    "zmq+curve": "ZeroMQ",
}


def test_a_client_says_what_carries_its_connections(way: Way) -> None:
    client = way.connect(way.serve(echo))
    assert client.way == ""
    client.call("echo", {})
    assert client.way == CARRIERS[way.name]


def test_servers_start_and_stop_sixty_times(way: Way) -> None:
    url = way.serve(echo).url
    way.stack.close()
    for number in range(60):
        with way.stack:
            server = way.serve(echo, url=url)
            assert way.connect(server).call("echo", {"n": number}) == {"n": number}
