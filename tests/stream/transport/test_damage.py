"""Conversations of the native wire that were damaged: refused, in bounded memory, by both sides."""

import contextlib
import socket
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeloop.errors import CodecError, EdgeloopError
from edgeloop.stream.codec import encode
from edgeloop.stream.transport import Limits, Message, Server, connect, serve
from edgeloop.stream.transport.buffers import Buffers
from edgeloop.stream.transport.desk import Desk
from edgeloop.stream.transport.envelopes import answered, seal, unseal
from edgeloop.stream.transport.frames import Kind
from edgeloop.stream.transport.native.handshake import enter, greet
from edgeloop.stream.transport.native.unix import UnixWire
from edgeloop.stream.transport.native.wire import Wire
from edgeloop.stream.transport.tally import Tally
from stream.damage import damaged
from stream.transport.raw import Raw, frame, greeting
from streams import WAIT_S, Way, echo, native_way

BOUND = 1 << 18
FUZZ_S = 60.0
"""How long conversations are tried where there is time."""
BOUNDED = settings(
    max_examples=100,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
OTHERS = settings(BOUNDED, max_examples=200, derandomize=False)

LARGE = encode({"image": bytes(70_000)}, title="echo")
CALLS = [
    frame(Kind.CALL, encode(["echo", {}]).header),
    frame(Kind.CALL, encode(["echo", {"n": 1}]).header),
    frame(Kind.CALL, LARGE.header, b"".join(LARGE.pieces())),
    frame(Kind.CALL, encode(["echo", {}]).header, released=1),
    frame(Kind.CALL, LARGE.header, place=1, slot=1, size=LARGE.size),
    frame(Kind.OFFER, encode([4096, True]).header, place=2, slot=1),
    frame(Kind.READY, encode(None).header),
]
HELLO = frame(Kind.HELLO, encode([b"", 1 << 20]).header)
SERVED = [
    greeting(),
    frame(Kind.WELCOME, encode(1 << 20).header),
    frame(Kind.FAILURE, encode(["transport", "TooLarge", "too large"]).header),
    frame(Kind.REPLY, encode({"n": 1}).header),
]
conversations = st.lists(st.sampled_from(CALLS), min_size=1, max_size=4).map(b"".join)


class Said(bytes):
    """Bytes that are shown in short, so that they can be said again."""

    def __repr__(self) -> str:
        return f"Said(zlib.decompress({zlib.compress(self)!r}))"


damages = conversations.flatmap(damaged).map(Said)


class MeasuredBuffers(Buffers):
    """Remembers the largest piece of memory that was asked for."""

    largest = 0

    def lend(self, size: int) -> memoryview:
        self.largest = max(self.largest, size)
        return super().lend(size)


def reads(said: bytes, *, kind: type[Wire], client: bool = False) -> None:
    """A side that hears ``said`` and then nothing more: it ends with one of our errors."""
    mine, other = socket.socketpair()
    buffers = MeasuredBuffers()
    with mine, other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 21)
        other.sendall(said)
        other.shutdown(socket.SHUT_WR)
        options = {"share_from": 1 << 15} if kind is UnixWire else {}
        wire = kind(mine, buffers, Tally(), **options)
        wire.within(WAIT_S)
        with pytest.raises(EdgeloopError):
            hear_all(wire, client=client)
    assert buffers.largest <= BOUND


def hear_all(wire: Wire, *, client: bool) -> None:
    if client:
        enter(wire, greet(wire), None, Limits(message_bytes=BOUND))
    else:
        wire.widen(BOUND, BOUND)
    while True:
        _, header, body = wire.receive()
        assert len(header) + len(body) <= BOUND


@pytest.mark.parametrize("kind", [Wire, UnixWire])
def test_damaged_frames_are_read_or_refused(kind: type[Wire]) -> None:
    @given(damages)
    @BOUNDED
    def read_some(said: bytes) -> None:
        reads(said, kind=kind)

    read_some()


@given(damaged(b"".join(SERVED)))
@BOUNDED
def test_a_client_refuses_a_damaged_welcome(said: bytes) -> None:
    reads(said, kind=Wire, client=True)


@given(
    st.sampled_from([{"n": 1}, {"image": bytes(70_000)}, {"x": np.arange(5), "y": [0.5]}]),
    st.data(),
)
@BOUNDED
def test_damaged_envelopes_are_answered_or_refused(message: Message, data: st.DataObject) -> None:
    sealed = seal(Kind.CALL, encode(message, title="echo"))
    said = data.draw(damaged(sealed).map(Said))
    buffers = MeasuredBuffers()
    with contextlib.suppress(CodecError):
        answer = answered(Desk(echo, Tally()), unseal(said, buffers), BOUND)
        assert answer[4] in (Kind.REPLY, Kind.FAILURE)
    assert buffers.largest <= len(said)


@pytest.mark.parametrize("name", ["tcp", "unix"])
def test_damaged_conversations_leave_a_server_as_it_was(name: str, tmp_path: Path) -> None:
    @given(st.booleans(), damages)
    @settings(BOUNDED, max_examples=40)
    def tell_some(welcome: bool, said: bytes) -> None:  # noqa: FBT001 - hypothesis gives it so
        tell(server.url, said, first=b"" if welcome else HELLO)

    with serving(native_way(name, tmp_path)) as server:
        tell_some()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["tcp", "unix"])
def test_other_conversations_leave_a_server_as_it_was_for_a_minute(
    name: str, tmp_path: Path
) -> None:
    @given(damages)
    @OTHERS
    def try_some(said: bytes) -> None:
        reads(said, kind=UnixWire)
        tell(server.url, said, first=HELLO)

    end = monotonic() + FUZZ_S
    with serving(native_way(name, tmp_path)) as server:
        while monotonic() < end:
            try_some()


@contextlib.contextmanager
def serving(way: Way) -> Iterator[Server]:
    """A server whose other client is answered after all that is done to it."""
    limits = replace(way.limits, message_bytes=BOUND)
    with (
        serve(way.url, echo, limits=limits) as server,
        connect(server.url, timeout_s=WAIT_S, limits=limits) as client,
    ):
        client.call("echo", {})
        yield server
        assert client.call("echo", {"n": 1}) == {"n": 1}
        assert client.counters()["connections_made"] == 1


def tell(url: str, said: bytes, *, first: bytes) -> None:
    """Say it, and nothing more: the server ends the connection."""
    stranger = Raw.dial(url)
    with contextlib.suppress(OSError):  # it may have had enough in the middle
        stranger.say(first + said)
        stranger.connection.shutdown(socket.SHUT_WR)
    assert stranger.is_cut_off()
    stranger.close()
