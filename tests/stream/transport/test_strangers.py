"""Connections that do not keep to the protocol: they end, and nobody else notices."""

import contextlib
import logging
import math
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from campaigns import until
from edgeloop.errors import CodecError, Overloaded, StreamClosed, StreamError, StreamTimeout
from edgeloop.stream.codec import encode
from edgeloop.stream.transport import Limits, Publication, Server, connect, serve
from edgeloop.stream.transport.frames import Kind
from stream.transport.raw import Raw, frame, greeting, pretender
from streams import WAIT_S, Callbacks, Gate, echo, in_thread

GARBAGE = {
    "http": b"GET / HTTP/1.1\r\nHost: robot\r\n\r\n",
    "zeros": bytes(1000),
    "noise": bytes(range(256)) * 40,
    "another version": frame(Kind.HELLO, magic=b"EDL9"),
    "an unknown kind": frame(200),
    "a call before the hello": frame(Kind.CALL, encode(["x", {}]).header),
    "a hello that is no message": frame(Kind.HELLO, b"\xc1"),
    "a hello of the wrong shape": frame(Kind.HELLO, encode([1, 2, 3]).header),
    "a hello of a gigabyte": frame(Kind.HELLO, size=1 << 30),
    "a hello of an exabyte": frame(Kind.HELLO, size=1 << 60, header_size=(1 << 32) - 1),
    "shared memory by tcp": frame(Kind.HELLO, place=2, slot=3),
}
AFTER_HELLO = {
    "a call that is no message": frame(Kind.CALL, b"\x92\x01"),
    "a call without a route": frame(Kind.CALL, encode([1, {}]).header),
    "a call without a dict": frame(Kind.CALL, encode(["x", [1]]).header),
    "a call of one": frame(Kind.CALL, encode(["x"]).header),
    "a call of a number": frame(Kind.CALL, encode(1).header),
}
UNKNOWN = frame(Kind.FAILURE, encode(["transport", "Unheard", "of"]).header)
WELCOME = frame(Kind.WELCOME, encode(99).header)
DEADLY = {
    "a welcome": frame(Kind.WELCOME),
    "a subscription to a number": frame(Kind.SUBSCRIBE, encode([1, "", 0]).header),
    "a subscription to nothing": frame(Kind.SUBSCRIBE, b""),
    "a message above the bound": frame(Kind.CALL, size=1 << 50),
    "a header above the bound": frame(Kind.CALL, header_size=(1 << 32) - 1),
    "released memory that nobody has": frame(Kind.CALL, b"\xc1", released=(1 << 64) - 1),
    "a body in memory that nobody shared": frame(Kind.CALL, b"\xc0", place=1, size=5),
    "another magic": frame(Kind.CALL, magic=b"ABCD"),
}


@pytest.fixture
def server() -> Iterator[Server]:
    with serve("tcp://127.0.0.1:0", echo, limits=Limits(handshake_s=WAIT_S)) as server:
        yield server


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_cut_off_and_others_are_answered(server: Server, garbage: bytes) -> None:
    with connect(server.url, timeout_s=WAIT_S) as client:
        client.call("echo", {})
        strangers = [Raw.dial(server.url) for _ in range(5)]
        for stranger in strangers:
            stranger.say(garbage)
        assert client.call("echo", {"n": 1}) == {"n": 1}
        for stranger in strangers:
            assert stranger.is_cut_off()
            stranger.close()
        assert client.call("echo", {"n": 2}) == {"n": 2}
    assert server.counters()["refused"] == 5


@pytest.mark.parametrize("data", AFTER_HELLO.values(), ids=AFTER_HELLO.keys())
def test_calls_that_are_none_are_answered_with_a_refusal(server: Server, data: bytes) -> None:
    stranger = Raw.enter(server.url)
    for _ in range(2):
        stranger.say(data)
        kind, (origin, error, _) = stranger.receive()
        assert (kind, origin, error) == (Kind.FAILURE, "transport", "CodecError")
    stranger.close()


@pytest.mark.parametrize("data", DEADLY.values(), ids=DEADLY.keys())
def test_what_cannot_be_followed_ends_the_connection_alone(server: Server, data: bytes) -> None:
    stranger = Raw.enter(server.url)
    stranger.say(data)
    assert stranger.is_cut_off()
    stranger.close()
    with connect(server.url, timeout_s=WAIT_S) as client:
        assert client.call("echo", {"n": 1}) == {"n": 1}


def test_who_says_nothing_is_cut_off() -> None:
    with serve("tcp://127.0.0.1:0", echo, limits=Limits(handshake_s=0.05)) as server:
        stranger = Raw.dial(server.url)
        assert stranger.is_cut_off()
        stranger.close()


def test_who_says_hello_a_byte_at_a_time_is_cut_off() -> None:
    with serve("tcp://127.0.0.1:0", echo, limits=Limits(handshake_s=0.2)) as server:
        stranger = Raw.dial(server.url)
        stranger.receive()
        ended = threading.Event()

        def drip() -> None:
            try:
                while not ended.wait(0.01):
                    stranger.say(b"E")
            except OSError:
                pass

        dripping = in_thread(drip)
        assert stranger.is_cut_off()
        ended.set()
        dripping.result()
        stranger.close()


def test_half_a_message_is_cut_off_and_keeps_nobody_waiting() -> None:
    with serve("tcp://127.0.0.1:0", echo, limits=Limits(stall_s=0.05)) as server:
        stranger = Raw.enter(server.url)
        stranger.say(frame(Kind.CALL, encode(["x", {}]).header, size=1_000_000) + bytes(1000))
        with connect(server.url, timeout_s=WAIT_S) as client:
            assert client.call("echo", {"n": 1}) == {"n": 1}
        assert stranger.is_cut_off()
        stranger.close()


def test_who_waits_longer_than_a_stall_between_messages_stays() -> None:
    with serve("tcp://127.0.0.1:0", echo, limits=Limits(stall_s=0.02)) as server:
        quiet = Raw.enter(server.url)
        assert not threading.Event().wait(0.1)
        quiet.say(frame(Kind.CALL, encode(["x", {}]).header))
        assert quiet.receive() == (Kind.REPLY, {})
        quiet.close()


def test_a_callback_may_take_longer_than_a_stall() -> None:
    callbacks, pause = Callbacks(), threading.Event()

    def dawdle(publication: Publication) -> None:
        pause.wait(0.1)
        callbacks(publication)

    with (
        serve("tcp://127.0.0.1:0", echo, limits=Limits(stall_s=0.02)) as server,
        connect(server.url, timeout_s=WAIT_S) as client,
    ):
        client.subscribe("weights", dawdle)
        for number in (1, 2, 3):
            server.publish("weights", {})
            assert callbacks.next().version == number
        assert client.counters()["connections_made"] == 1


def test_a_server_waits_for_strangers_as_long_as_it_is_told_to() -> None:
    patient = Limits(handshake_s=math.inf, stall_s=math.inf)
    with (
        serve("tcp://127.0.0.1:0", echo, limits=patient) as server,
        connect(server.url, timeout_s=WAIT_S) as client,
    ):
        assert client.call("echo", {"n": 1}) == {"n": 1}


def test_more_connections_than_allowed_are_told_so() -> None:
    gate = Gate()
    with serve("tcp://127.0.0.1:0", gate, limits=Limits(connections=2)) as server:
        first, second = Raw.enter(server.url), Raw.enter(server.url)
        with connect(server.url, timeout_s=WAIT_S) as client:
            with pytest.raises(Overloaded, match="2 connections"):
                client.call("echo", {})
            first.close()
            second.close()
            assert retried(lambda: client.call("echo", {"n": 1})) == {"n": 1}


def test_a_client_waits_for_one_of_its_connections_to_be_free() -> None:
    gate = Gate()
    with (
        serve("tcp://127.0.0.1:0", gate) as server,
        connect(server.url, timeout_s=WAIT_S, limits=Limits(connections=1)) as client,
    ):
        slow = in_thread(lambda: client.call("slow", {}))
        assert gate.entered.wait(WAIT_S)
        with pytest.raises(StreamTimeout, match="waiting already"):
            client.call("echo", {}, timeout_s=0.05)
        quick = in_thread(lambda: client.call("echo", {"n": 1}))
        gate.open.set()
        assert slow.result() == {}
        assert quick.result() == {"n": 1}


def test_without_another_thread_a_connection_ends_and_the_others_stay(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def starve(thread: threading.Thread) -> None:
        if thread.name == "visit":
            raise RuntimeError("can't start new thread")
        start(thread)

    with connect(server.url, timeout_s=WAIT_S) as client:
        client.call("echo", {})
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", starve)
            refused = Raw.dial(server.url)
            assert refused.is_cut_off()
            refused.close()
        assert client.call("echo", {"n": 1}) == {"n": 1}
        Raw.enter(server.url).close()


def test_a_client_that_vanishes_leaves_no_connection_behind() -> None:
    gate = Gate()
    with serve("tcp://127.0.0.1:0", gate, limits=Limits(connections=1)) as server:
        vanishing = Raw.enter(server.url)
        vanishing.say(frame(Kind.CALL, encode(["slow", {}]).header))
        assert gate.entered.wait(WAIT_S)
        vanishing.close()
        gate.open.set()
        with connect(server.url, timeout_s=WAIT_S) as client:
            assert retried(lambda: client.call("echo", {"n": 1})) == {"n": 1}


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(100), CodecError),
        (frame(Kind.GREETING, b"\xc1"), CodecError),
        (frame(Kind.GREETING, encode([1]).header), CodecError),
        (frame(Kind.REPLY, encode({}).header), CodecError),
        (frame(Kind.FAILURE, encode([1]).header), CodecError),
        (greeting(version=99), StreamError),
        (greeting() + frame(Kind.WELCOME, encode("many").header), CodecError),
        (greeting(shortcut="x") + UNKNOWN, StreamError),
        (greeting() + WELCOME + frame(Kind.READY, encode([]).header), CodecError),
        (greeting() + WELCOME + frame(Kind.REPLY, encode([]).header), CodecError),
    ],
)  # fmt: skip
def test_a_server_that_is_none_is_told_to_the_caller(said: bytes, error: type[Exception]) -> None:
    with pretender(said) as url, connect(url, timeout_s=WAIT_S) as client, pytest.raises(error):
        client.call("echo", {})


def test_calls_that_come_together_are_answered_one_after_the_other(server: Server) -> None:
    stranger = Raw.enter(server.url)
    calls = [frame(Kind.CALL, encode(["x", {"n": n, "x": b"x" * 60}]).header) for n in range(3)]
    big = encode({"n": 3, "x": bytes(300_000)}, title="x")
    calls.append(frame(Kind.CALL, big.header, b"".join(big.pieces())))
    calls += [
        frame(Kind.CALL, encode(["x", {"n": n, "x": b"x" * 60}]).header) for n in range(4, 900)
    ]
    sending = in_thread(lambda: stranger.say(b"".join(calls)))
    for number in range(900):
        kind, message = stranger.receive()
        assert (kind, message["n"]) == (Kind.REPLY, number)
    sending.result()
    stranger.close()


def test_a_subscriber_that_says_anything_but_ready_is_cut_off(server: Server) -> None:
    server.publish("weights", {})
    stranger = Raw.enter(server.url)
    stranger.say(frame(Kind.SUBSCRIBE, encode(["weights", "", -1]).header))
    assert stranger.receive()[0] == Kind.PUBLICATION
    stranger.say(frame(Kind.CALL, encode(["x", {}]).header))
    assert stranger.is_cut_off()
    stranger.close()


def test_a_publication_that_is_none_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    said = greeting() + frame(Kind.WELCOME, encode(1 << 20).header)
    bad = said + frame(Kind.PUBLICATION, encode(["one", "two"]).header)
    warned = threading.Event()
    with pretender(bad) as url, connect(url, timeout_s=WAIT_S) as client:
        handler = Noticing(warned)
        logging.getLogger("edgeloop.stream.transport.subscribing").addHandler(handler)
        try:
            client.subscribe("weights", lambda publication: None)
            assert warned.wait(WAIT_S)
        finally:
            logging.getLogger("edgeloop.stream.transport.subscribing").removeHandler(handler)
        assert client.counters()["subscription_errors"] >= 1
    assert "not readable" in caplog.text


class Noticing(logging.Handler):
    """Sets an event when something is logged."""

    def __init__(self, event: threading.Event) -> None:
        super().__init__()
        self._event = event

    def emit(self, record: logging.LogRecord) -> None:
        self._event.set()


def retried(call: Callable[[], object]) -> object:
    """The call's value as soon as the server has room."""
    pause = threading.Event()
    for _ in range(int(WAIT_S * 100)):
        try:
            return call()
        except Overloaded:
            pause.wait(0.01)
    raise AssertionError("the server never had room")


def test_closing_a_client_ends_a_call_to_a_host_that_does_not_take_connections() -> None:
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):  # more than it queues: what comes after them waits in vain
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        url = f"tcp://127.0.0.1:{full.getsockname()[1]}"
        client = stack.enter_context(connect(url, timeout_s=2 * WAIT_S))
        call = in_thread(lambda: client.call("echo", {}))
        assert until(lambda: client.counters().get("connections_made") == 1)
        client.close()
        with pytest.raises(StreamClosed):
            call.result()
