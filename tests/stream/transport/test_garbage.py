"""What ended the published library's servers and clients, said to ours, whatever carries it."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import grpc
import lz4.frame
import pytest
import zmq

from edgeloop.errors import CodecError
from edgeloop.stream.codec import decode, encode
from edgeloop.stream.transport import Limits, connect
from edgeloop.stream.transport.address import parse_address
from edgeloop.stream.transport.frames import PREFIX, Kind
from edgeloop.stream.transport.zmq.wording import badge
from stream.transport.raw import Raw, frame, greeting, pretender
from streams import WAIT_S, Callbacks, Way, echo, way_of

WELCOME = frame(Kind.WELCOME, encode(1 << 20).header)
Ask = Callable[[str, bytes], str]
"""(URL, what is said in place of a call) -> the type of error that is answered"""


def pickled(victim: Path) -> bytes:
    """A pickle whose reader makes a file, as bytes: nothing here can make or read one."""
    return b"cbuiltins\nopen\n(S'%b'\nS'w'\ntR." % str(victim).encode()


GARBAGE = {
    "nothing": b"",
    "one byte": b"\0",
    "http": b"GET / HTTP/1.1\r\nHost: robot\r\n\r\n",
    "zeros": bytes(5000),
    "noise": bytes(range(256)) * 20,
    "a greeting of ZeroMQ, and noise": b"\xff" + bytes(8) + b"\x7f\x03" + bytes(range(53)),
    "a preface of HTTP/2, and noise": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(range(256)),
    "a hello of TLS, and noise": bytes.fromhex("16 03 01 02 00 01 00 01 fc 03 03") + bytes(256),
}  # fmt: skip
MESSAGES: dict[str, Callable[[bytes], bytes]] = {
    "an empty message": lambda pickle: b"",
    "a pickle": lambda pickle: pickle,
    "a compressed pickle": lz4.frame.compress,
    "half a compressed pickle": lambda pickle: lz4.frame.compress(pickle)[:-20],
    "a pickled list": lambda pickle: lz4.frame.compress(b"\x80\x04]\x94(K\x01K\x02e."),
    "a pickled dict without a payload": lambda pickle: lz4.frame.compress(
        b"\x80\x04}\x94\x8c\x04type\x94\x8c\x04hash\x94s."
    ),
}


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    return tmp_path / "executed"


@pytest.fixture(params=["tcp", "tls", "unix", "grpc", "grpc+tls", "zmq", "zmq+curve"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Way]:
    way = way_of(request.param, tmp_path)
    with way.stack:
        yield way


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_on_a_socket_keeps_nobody_from_an_answer(way: Way, garbage: bytes) -> None:
    server = way.serve(echo)
    client = way.connect(server)
    with plug(server.url) as stranger:
        stranger.sendall(garbage)
        assert client.call("echo", {"n": 1}) == {"n": 1}
    assert client.call("echo", {"n": 2}) == {"n": 2}
    assert way.connect(server).call("echo", {"n": 3}) == {"n": 3}


def plug(url: str) -> socket.socket:
    """A connection without a protocol."""
    address = parse_address(url)
    if address.scheme == "unix":
        stranger = socket.socket(socket.AF_UNIX)
        stranger.connect(address.path)
        return stranger
    return socket.create_connection((address.host, address.port), WAIT_S)


def ask_native(url: str, said: bytes) -> str:
    stranger = Raw.enter(url)
    stranger.say(frame(Kind.CALL, said))
    kind, (_, error, _) = stranger.receive()
    stranger.close()
    assert kind == Kind.FAILURE
    return str(error)


def ask_grpc(url: str, said: bytes) -> str:
    with grpc.insecure_channel(url.removeprefix("grpc://")) as channel:
        call: Any = channel.unary_unary("/edgeloop.Stream/Call")
        return failure(call(said, timeout=WAIT_S))


def ask_zmq(url: str, said: bytes) -> str:
    stranger: Any = zmq.Context.instance().socket(zmq.DEALER)
    with stranger:
        stranger.setsockopt(zmq.RCVTIMEO, int(WAIT_S * 1000))
        stranger.setsockopt(zmq.LINGER, 0)
        stranger.connect(url.replace("zmq", "tcp"))
        stranger.send_multipart([badge(None, b"", Limits()), said])
        return failure(stranger.recv())


def failure(envelope: bytes) -> str:
    assert envelope[4] == Kind.FAILURE
    return str(decode(envelope[PREFIX.size :], b"")[1])


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES.keys())
@pytest.mark.parametrize(
    ("name", "ask"), [("tcp", ask_native), ("grpc", ask_grpc), ("zmq", ask_zmq)]
)
def test_what_ended_the_peers_server_is_refused_and_not_executed(
    name: str, ask: Ask, message: Callable[[bytes], bytes], tmp_path: Path, victim: Path
) -> None:
    way = way_of(name, tmp_path)
    with way.stack:
        server = way.serve(echo)
        for _ in range(3):
            assert ask(server.url, message(pickled(victim))) == "CodecError"
        assert way.connect(server).call("echo", {"n": 1}) == {"n": 1}
    assert not victim.exists()


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES.keys())
def test_what_a_hostile_server_answers_is_refused_and_not_executed(
    message: Callable[[bytes], bytes], victim: Path
) -> None:
    said = greeting() + WELCOME + frame(Kind.REPLY, message(pickled(victim)))
    with (
        pretender(said) as url,
        connect(url, timeout_s=WAIT_S) as client,
        pytest.raises(CodecError),
    ):
        client.call("echo", {})
    assert not victim.exists()


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES.keys())
def test_garbage_that_is_published_does_not_end_a_subscription(
    message: Callable[[bytes], bytes], victim: Path
) -> None:
    said = greeting() + WELCOME + frame(Kind.PUBLICATION, message(pickled(victim)))
    pause = threading.Event()
    with pretender(said) as url, connect(url, timeout_s=WAIT_S) as client:
        client.subscribe("weights", Callbacks())
        end = monotonic() + WAIT_S
        while client.counters().get("subscription_errors", 0) < 2:
            assert monotonic() < end
            pause.wait(0.01)
    assert not victim.exists()
