"""What ZeroMQ has beyond what all transports do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from edgeloop.errors import CodecError, ConfigError, Overloaded, StreamTimeout, TooLarge
from edgeloop.stream.codec import encode
from edgeloop.stream.transport import Curve, Limits, Tls, connect, serve
from edgeloop.stream.transport.envelopes import seal
from edgeloop.stream.transport.frames import Kind
from edgeloop.stream.transport.zmq.wording import badge
from streams import WAIT_S, Callbacks, Gate, Way, echo, in_thread, way_of

BADGE = badge(None, b"", Limits())
STRANGE = {
    "nothing": [b""],
    "one part": [b"GET / HTTP/1.1"],
    "many parts": [b"x"] * 9,
    "a badge without a message": [BADGE, b""],
    "no envelope": [BADGE, b"x" * 100],
    "half an envelope": [BADGE, seal(Kind.CALL, encode(["x", {"y": b"z" * 1000}]))[:-1]],
    "a welcome": [BADGE, seal(Kind.WELCOME, encode(None))],
    "a subscription to a number": [BADGE, seal(Kind.SUBSCRIBE, encode([1, "", 0]))],
    "ready for what": [BADGE, seal(Kind.READY, encode(None))],
    "a call of nothing": [BADGE, seal(Kind.CALL, encode(None))],
}


@pytest.fixture
def way(tmp_path: Path) -> Iterator[Way]:
    way = way_of("zmq", tmp_path)
    with way.stack:
        yield way


@pytest.fixture
def stranger() -> Iterator[Any]:
    made: Any = zmq.Context.instance().socket(zmq.DEALER)
    made.setsockopt(zmq.RCVTIMEO, int(WAIT_S * 1000))
    yield made
    made.close(linger=0)


@pytest.mark.parametrize("parts", STRANGE.values(), ids=STRANGE.keys())
def test_strange_messages_are_refused_and_others_are_answered(
    way: Way, stranger: Any, parts: list[bytes]
) -> None:
    server = way.serve(echo)
    client = way.connect(server)
    stranger.connect(server.url.replace("zmq", "tcp"))
    for _ in range(2):
        stranger.send_multipart(parts)
        assert stranger.recv()[4] == Kind.FAILURE
    assert client.call("echo", {"n": 1}) == {"n": 1}


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"no envelope",
        seal(Kind.REPLY, encode({})),
        seal(Kind.GREETING, encode([9, b"", 1])),
    ],
)
def test_a_server_that_is_none_is_told_to_the_caller(said: bytes) -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as pretender:
        port = pretender.bind_to_random_port("tcp://127.0.0.1")
        with connect(f"zmq://127.0.0.1:{port}", timeout_s=WAIT_S) as client:
            call = in_thread(lambda: client.call("echo", {}))
            who, *_ = pretender.recv_multipart()
            pretender.send_multipart([who, said])
            with pytest.raises(CodecError):
                call.result()


def test_a_token_is_proved_again_to_a_restarted_server(way: Way) -> None:
    server = way.serve(echo, token="sesame")
    client, callbacks = way.connect(server, token="sesame"), Callbacks()
    client.subscribe("weights", callbacks)
    server.publish("weights", {"n": 1})
    assert callbacks.next().message == {"n": 1}
    assert client.call("echo", {"n": 1}) == {"n": 1}
    server.close()
    again = way.serve(echo, token="sesame", url=server.url)
    assert client.call("echo", {"n": 2}) == {"n": 2}
    again.publish("weights", {"n": 3})
    assert callbacks.next().message == {"n": 3}


def test_more_calls_at_once_than_allowed_are_told_so(way: Way) -> None:
    gate = Gate()
    server = way.serve(gate, limits=Limits(connections=1))
    client = way.connect(server)
    slow = in_thread(lambda: client.call("slow", {}))
    assert gate.entered.wait(WAIT_S)
    with pytest.raises(Overloaded, match="1 calls"):
        client.call("quick", {})
    gate.open.set()
    assert slow.result() == {}


def test_more_subscribers_than_allowed_are_refused(way: Way) -> None:
    server, first, second = way.serve(echo, limits=Limits(connections=1)), Callbacks(), Callbacks()
    server.publish("weights", {})
    client = way.connect(server)
    client.subscribe("weights", first)
    first.next()
    subscription = way.connect(server).subscribe("weights", second)
    subscription.close()
    assert second.is_empty


@pytest.mark.parametrize("topic", ["silent", "weights"])
def test_subscribers_that_are_gone_leave_room_for_others(way: Way, topic: str) -> None:
    server, callbacks = way.serve(echo, limits=Limits(connections=2)), Callbacks()
    server.publish("weights", {})
    for _ in range(2):
        with zmq.Context() as context, context.socket(zmq.DEALER) as gone:
            gone.connect(server.url.replace("zmq", "tcp"))
            gone.send_multipart([BADGE, seal(Kind.SUBSCRIBE, encode([topic, "", -1]))])
            gone.send_multipart([BADGE, seal(Kind.HELLO, encode(None))])
            while gone.recv()[4] != Kind.GREETING:
                continue
    way.connect(server).subscribe("weights", callbacks)
    assert callbacks.next().version == 1


def test_subscribers_that_are_there_stay_when_another_one_is_refused(
    way: Way, stranger: Any
) -> None:
    server, callbacks = way.serve(echo, limits=Limits(connections=1)), Callbacks()
    client = way.connect(server)
    client.subscribe("weights", callbacks)
    for version in (1, 2):
        server.publish("weights", {})
        assert callbacks.next().version == version
        stranger.connect(server.url.replace("zmq", "tcp"))
        stranger.send_multipart([BADGE, seal(Kind.SUBSCRIBE, encode(["weights", "", -1]))])
        assert stranger.recv()[4] == Kind.FAILURE
    assert "subscription_errors" not in client.counters()


def test_a_publication_above_a_subscribers_bound_is_not_sent_to_it(way: Way) -> None:
    server, small, large = way.serve(echo), Callbacks(), Callbacks()
    way.connect(server, limits=Limits(message_bytes=1000)).subscribe("weights", small)
    way.connect(server).subscribe("weights", large)
    server.publish("weights", {"x": bytes(100)})
    assert small.next().version == 1
    large.until(server.publish("weights", {"x": bytes(10_000)}))
    large.until(server.publish("weights", {"x": bytes(10)}))
    assert small.next().version == 3


def test_a_message_above_the_clients_own_bound_is_not_sent(way: Way) -> None:
    with pytest.raises(TooLarge):
        way.connect(way.serve(echo), limits=Limits(message_bytes=100)).call("x", {"y": bytes(200)})


def test_who_has_not_the_servers_key_gets_no_answer(tmp_path: Path) -> None:
    way = way_of("zmq+curve", tmp_path)
    with way.stack:
        server = way.serve(echo)
        other = zmq.curve_keypair()[0].decode()
        for keys in (None, Curve(server=other)):
            with (
                connect(server.url, tls=keys, timeout_s=0.2) as client,
                pytest.raises(StreamTimeout),
            ):
                client.call("echo", {})
        assert way.connect(server).call("echo", {"n": 1}) == {"n": 1}


def test_a_client_may_bring_keys_of_its_own(tmp_path: Path) -> None:
    way = way_of("zmq+curve", tmp_path)
    with way.stack:
        server = way.serve(echo)
        assert isinstance(way.client_security, Curve)
        public, secret = (key.decode() for key in zmq.curve_keypair())
        keys = Curve(public=public, secret=secret, server=way.client_security.server)
        with connect(server.url, tls=keys, timeout_s=WAIT_S) as client:
            assert client.call("echo", {"n": 1}) == {"n": 1}


@pytest.mark.parametrize("keys", [Curve(), Curve(public="x"), Tls()])
def test_a_server_without_its_keys_is_refused(keys: Curve | Tls) -> None:
    with pytest.raises(ConfigError):
        serve("zmq://127.0.0.1:0", echo, tls=keys)


@pytest.mark.parametrize("keys", [Curve(), Tls()])
def test_a_client_without_the_servers_key_is_refused(keys: Curve | Tls) -> None:
    with pytest.raises(ConfigError):
        connect("zmq://127.0.0.1:1", tls=keys)


def test_a_port_that_is_taken_is_told(way: Way) -> None:
    server = way.serve(echo)
    with pytest.raises(ConfigError, match="Cannot listen"):
        way.serve(echo, url=server.url)


def test_a_server_that_is_closed_while_calls_come_gives_its_port_back(way: Way) -> None:
    server = way.serve(echo)
    call = seal(Kind.CALL, encode(["echo", {"x": bytes(100_000)}]))
    for _ in range(10):
        with zmq.Context() as context, context.socket(zmq.DEALER) as caller:
            caller.setsockopt(zmq.LINGER, 0)
            caller.connect(server.url.replace("zmq", "tcp"))
            for _ in range(1000):
                caller.send_multipart([BADGE, call], copy=False)
            caller.recv()
            server.close()
        server = way.serve(echo, url=server.url)
    assert way.connect(server).call("echo", {"n": 1}) == {"n": 1}


def test_a_server_that_was_never_started_can_be_closed() -> None:
    server = serve("zmq://127.0.0.1:0", echo)
    server.close()
    server.close()
