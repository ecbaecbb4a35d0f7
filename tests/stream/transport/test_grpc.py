"""What gRPC has beyond what all transports do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from edgeloop.errors import ConfigError, Overloaded, StreamTimeout
from edgeloop.stream.codec import decode, encode
from edgeloop.stream.transport import Curve, Limits, Tls, connect, serve
from edgeloop.stream.transport.envelopes import seal
from edgeloop.stream.transport.frames import PREFIX, Kind
from streams import WAIT_S, Callbacks, Gate, Way, certificates, echo, in_thread, way_of


@pytest.fixture
def way(tmp_path: Path) -> Iterator[Way]:
    way = way_of("grpc", tmp_path)
    with way.stack:
        yield way


def failure(envelope: bytes) -> Any:
    """What a failure says; any other frame fails the test."""
    assert envelope[4] == Kind.FAILURE
    return decode(envelope[PREFIX.size :], b"")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET / HTTP/1.1",
        bytes(1000),
        seal(Kind.WELCOME, encode(None)),
        seal(Kind.CALL, encode(1)),
    ],
)
def test_strange_calls_are_refused_and_others_are_answered(way: Way, said: bytes) -> None:
    server = way.serve(echo)
    with grpc.insecure_channel(server.url.removeprefix("grpc://")) as channel:
        call: Any = channel.unary_unary("/edgeloop.Stream/Call")
        assert failure(call(said, timeout=WAIT_S))[1] == "CodecError"
    assert way.connect(server).call("echo", {"n": 1}) == {"n": 1}


@pytest.mark.parametrize(
    "said", [b"", seal(Kind.CALL, encode(["x", {}])), seal(Kind.SUBSCRIBE, encode(1))]
)
def test_strange_subscriptions_are_refused(way: Way, said: bytes) -> None:
    server = way.serve(echo)
    with grpc.insecure_channel(server.url.removeprefix("grpc://")) as channel:
        subscribe: Any = channel.stream_stream("/edgeloop.Stream/Subscribe")
        assert failure(next(subscribe(iter([said]), timeout=WAIT_S)))[1] == "CodecError"


def test_a_method_that_does_not_exist_is_refused(way: Way) -> None:
    server = way.serve(echo)
    with grpc.insecure_channel(server.url.removeprefix("grpc://")) as channel:
        call: Any = channel.unary_unary("/edgeloop.Stream/Pickle")
        with pytest.raises(grpc.RpcError, match="UNIMPLEMENTED"):
            call(b"", timeout=WAIT_S)


def test_more_calls_at_once_than_allowed_are_told_so(way: Way) -> None:
    gate = Gate()
    server = way.serve(gate, limits=Limits(connections=1))
    client = way.connect(server)
    slow = in_thread(lambda: client.call("slow", {}))
    assert gate.entered.wait(WAIT_S)
    with pytest.raises(Overloaded):
        client.call("quick", {})
    gate.open.set()
    assert slow.result() == {}


def test_a_server_that_nobody_vouches_for_gets_no_call(tmp_path: Path) -> None:
    shown, _ = certificates(tmp_path)
    with (
        serve("grpc://127.0.0.1:0", echo, tls=shown) as server,
        connect(server.url, tls=Tls(), timeout_s=0.3) as client,
        pytest.raises(StreamTimeout),
    ):
        client.call("echo", {})


def test_a_subscription_ends_with_its_client(way: Way) -> None:
    server, callbacks = way.serve(echo), Callbacks()
    with connect(server.url, timeout_s=WAIT_S) as client:
        client.subscribe("weights", callbacks)
        server.publish("weights", {"n": 1})
        callbacks.next()
    server.publish("weights", {"n": 2})
    assert callbacks.is_empty


def test_a_port_that_is_taken_is_told(way: Way) -> None:
    server = way.serve(echo)
    with pytest.raises(ConfigError, match="Cannot listen"):
        way.serve(echo, url=server.url)


@pytest.mark.parametrize(
    "tls", [Tls(), Tls(certificate=Path(__file__)), Tls(Path("/none"), Path("/none")), Curve()]
)
def test_a_server_says_what_is_wrong_with_its_certificate(tls: Tls | Curve) -> None:
    with pytest.raises(ConfigError):
        serve("grpc://127.0.0.1:0", echo, tls=tls)


@pytest.mark.parametrize("tls", [Tls(authority=Path("/none")), Curve()])
def test_a_client_says_what_is_wrong_with_its_certificate(tls: Tls | Curve) -> None:
    with pytest.raises(ConfigError):
        connect("grpc://127.0.0.1:1", tls=tls)
