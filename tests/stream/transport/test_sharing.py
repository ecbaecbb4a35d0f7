"""Shared memory on one host: used again, given back, never left behind, safe from strangers."""

import fcntl
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import numpy as np
import pytest

from edgeloop.errors import StreamClosed, StreamTimeout
from edgeloop.stream.codec import encode
from edgeloop.stream.transport import Limits, Publication, connect, serve
from edgeloop.stream.transport.frames import Kind
from stream.transport.descriptors import SEGMENTS, SOCKETS, descriptors
from stream.transport.raw import Raw, frame, greeting
from streams import WAIT_S, Callbacks, arrays, assert_same, echo, in_thread

OFFERED = 2
SEALED = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING


def segments(pid: int | str = "self") -> set[str]:
    """The segments of edgeloop that a process has mapped."""
    gc.collect()
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {line.split()[4] for line in lines if "memfd:edgeloop" in line}


def open_soon(count: int) -> bool:
    """Whether no more than so many are open now, or when threads that are ending have ended."""
    deadline = monotonic() + WAIT_S
    while descriptors(SOCKETS, SEGMENTS) > count:
        if threading.Event().wait(0.02) or monotonic() > deadline:
            return False
    return True


class EchoServer:
    """`echo_server.py` as a process."""

    def __init__(self, url: str) -> None:
        script = Path(__file__).with_name("echo_server.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self.line()

    def line(self) -> str:
        """What it says next."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """Kill it outright."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(WAIT_S)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def before() -> set[str]:
    """What was mapped before the test."""
    return segments()


@pytest.fixture
def echo_server() -> Iterator[EchoServer]:
    server = EchoServer("tcp://127.0.0.1:0")
    yield server
    server.kill()


def test_large_bodies_of_calls_go_through_one_segment_in_each_direction(
    echo_server: EchoServer, before: set[str]
) -> None:
    with connect(echo_server.url, timeout_s=WAIT_S) as client:
        for number in range(20):
            message = {"x": np.full(300_000, number)}
            assert_same(client.call("echo", message), message)
            del message
        assert len(segments() - before) == 2
        assert len(segments(echo_server.process.pid)) <= 3
        assert client.counters()["bytes_out"] > 20 * 2_400_000


def test_small_bodies_do_not(echo_server: EchoServer, before: set[str]) -> None:
    with connect(echo_server.url, timeout_s=WAIT_S) as client:
        client.call("echo", {"x": np.zeros(1000)})
        assert segments() <= before


def test_answers_that_are_kept_get_memory_of_their_own_in_the_end(
    echo_server: EchoServer, before: set[str]
) -> None:
    with connect(echo_server.url, timeout_s=WAIT_S) as client:
        sent = [{"x": np.full(20_000, number)} for number in range(30)]
        kept = [client.call("echo", message) for message in sent]
        assert len(segments() - before) <= 16
        for one, other in zip(kept, sent, strict=True):
            assert_same(one, other)
        kept.clear()
        for message in sent:
            assert_same(client.call("echo", message), message)
        assert len(segments() - before) <= 16


def test_an_answer_outlives_its_client_and_its_server(
    echo_server: EchoServer, before: set[str]
) -> None:
    with connect(echo_server.url, timeout_s=WAIT_S) as client:
        message = arrays(3, items=100_000)
        answer = client.call("echo", message)
    echo_server.kill()
    assert_same(answer, message)
    del answer
    assert segments() <= before


def test_a_killed_server_leaves_no_shared_memory_and_no_descriptor_behind(
    before: set[str],
) -> None:
    opened, shared_memory = descriptors(SOCKETS, SEGMENTS), set(Path("/dev/shm").iterdir())
    server, callbacks = EchoServer("tcp://127.0.0.1:0"), Callbacks()
    with connect(server.url, timeout_s=WAIT_S) as client:
        client.subscribe("weights", callbacks)
        weights = callbacks.next().message["w"]
        answer = client.call("echo", {"x": np.ones(1_000_000)})
        assert len(segments() - before) == 3
        server.kill()
        with pytest.raises((StreamClosed, StreamTimeout)):
            client.call("echo", {}, timeout_s=0.05)
        assert weights[-1] == 999_999
        assert answer["x"].all()
    del weights, answer, callbacks
    assert segments() <= before
    assert open_soon(opened)
    left = set(Path("/dev/shm").iterdir()) - shared_memory
    assert not [path for path in left if "edgeloop" in path.name]


def test_a_call_to_a_server_that_is_killed_ends_at_once(echo_server: EchoServer) -> None:
    with connect(echo_server.url, timeout_s=WAIT_S) as client:
        failures: list[BaseException] = []

        def hang() -> None:
            try:
                client.call("hang", {}, timeout_s=1000)
            except StreamClosed as error:
                failures.append(error)

        caller = threading.Thread(target=hang)
        caller.start()
        assert echo_server.line() == "hanging"
        echo_server.kill()
        caller.join(WAIT_S)
        assert "may or may not" in str(failures[0])


def test_all_subscribers_of_a_host_look_into_the_same_memory(before: set[str]) -> None:
    with serve("tcp://127.0.0.1:0", echo) as server:
        clients = [connect(server.url, timeout_s=WAIT_S) for _ in range(3)]
        callbacks = [Callbacks() for _ in clients]
        for client, callback in zip(clients, callbacks, strict=True):
            client.subscribe("weights", callback)
        for number in range(1, 10):
            server.publish("weights", {"w": np.full(1_000_000, number)})
            for callback in callbacks:
                assert (callback.until(number).message["w"] == number).all()
        assert len(segments() - before) <= 4
        for client in clients:
            client.close()


def test_a_stuck_subscriber_costs_no_memory(before: set[str]) -> None:
    gate, stuck, quick = threading.Event(), Callbacks(), Callbacks()

    def hold(publication: Publication) -> None:
        stuck(publication)
        assert gate.wait(WAIT_S)

    with (
        serve("tcp://127.0.0.1:0", echo) as server,
        connect(server.url, timeout_s=WAIT_S) as client,
    ):
        client.subscribe("weights", hold)
        client.subscribe("weights", quick)
        for number in range(1, 30):
            server.publish("weights", {"w": np.full(500_000, number)})
            quick.until(number)
        assert len(segments() - before) <= 5
        gate.set()
        assert stuck.until(29).version == 29


def test_published_memory_cannot_be_written_to_by_a_subscriber(tmp_path: Path) -> None:
    with serve(f"unix://{tmp_path}/s", echo) as server:
        server.publish("weights", {"w": np.arange(100_000)})
        raw = Raw.enter(server.url)
        raw.say(frame(Kind.SUBSCRIBE, encode(["weights", "", -1]).header))
        kind, (size, writable) = raw.receive()
        assert (kind, writable) == (Kind.OFFER, False)
        assert size >= 800_000
        raw.say(frame(Kind.READY, encode(None).header))
        _, [descriptor], _, _ = socket.recv_fds(raw.connection, 1, 1)
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
        assert seals & fcntl.F_SEAL_SHRINK
        with pytest.raises(PermissionError):
            os.pwrite(descriptor, b"x", 0)
        os.close(descriptor)
        raw.close()


def memory(size: int, *, sealed: bool = True) -> int:
    descriptor = os.memfd_create("test", SEALED)
    os.ftruncate(descriptor, size)
    if sealed:
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    return descriptor


def a_file() -> int:
    return os.open(__file__, os.O_RDONLY)


@pytest.mark.parametrize(
    "make",
    [
        lambda: [memory(1 << 16, sealed=False)],
        lambda: [memory(100)],
        lambda: [a_file()],
        lambda: [memory(1 << 16), memory(1 << 16)],
        lambda: [memory(1 << 16) for _ in range(4)],
        list,
    ],
    ids=["not sealed", "too small", "a file", "two", "four", "none"],
)
def test_memory_that_cannot_be_trusted_is_refused(
    make: Callable[[], list[int]], tmp_path: Path
) -> None:
    with serve(f"unix://{tmp_path}/s", echo) as server:
        connected = connect(server.url, timeout_s=WAIT_S)
        connected.call("echo", {})
        opened = descriptors(SOCKETS, SEGMENTS)
        raw = Raw.enter(server.url)
        raw.say(frame(Kind.OFFER, encode([1 << 16, True]).header, place=OFFERED))
        assert raw.receive()[0] == Kind.READY
        handed = make()
        if handed:
            socket.send_fds(raw.connection, [b"\0"], handed)
        else:
            raw.say(b"\0")
        assert raw.is_cut_off()
        raw.close()
        for descriptor in handed:
            os.close(descriptor)
        assert connected.call("echo", {"n": 1}) == {"n": 1}
        connected.close()
        assert open_soon(opened)


@pytest.mark.parametrize(
    "said",
    [
        frame(Kind.OFFER, encode([1 << 16, True]).header, place=OFFERED, slot=8),
        frame(Kind.OFFER, encode([1 << 40, True]).header, place=OFFERED),
        frame(Kind.OFFER, encode([-1, True]).header, place=OFFERED),
        frame(Kind.OFFER, encode("big").header, place=OFFERED),
        frame(Kind.OFFER, b"\xc1", place=OFFERED),
        frame(Kind.CALL, encode(["x", {}]).header, place=1, size=5),
        frame(Kind.CALL, encode(["x", {}]).header, place=1, slot=60_000),
        frame(Kind.CALL, encode(["x", {}]).header, place=7),
    ],
    ids=["slot", "size", "negative", "text", "garbage", "not offered", "far slot", "place"],
)
def test_an_offer_that_cannot_be_right_is_refused(said: bytes, tmp_path: Path) -> None:
    with serve(f"unix://{tmp_path}/s", echo) as server:
        raw = Raw.enter(server.url)
        raw.say(said)
        assert raw.is_cut_off()
        raw.close()
        with connect(server.url, timeout_s=WAIT_S) as client:
            assert client.call("echo", {"n": 1}) == {"n": 1}


def test_without_memory_to_share_the_socket_carries_the_body(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: set[str]
) -> None:
    def full(*_: object) -> int:
        raise OSError("no memory")

    with (
        serve(f"unix://{tmp_path}/s", echo) as server,
        connect(server.url, timeout_s=WAIT_S, limits=Limits(share_from_bytes=1)) as client,
    ):
        monkeypatch.setattr(os, "memfd_create", full)
        message = arrays()
        assert_same(client.call("echo", message), message)
        assert segments() <= before


@pytest.mark.parametrize(
    "said",
    [frame(Kind.CALL, encode(["x", {}]).header), frame(Kind.READY), b""],
    ids=["a call", "ready", "nothing"],
)
def test_a_subscriber_that_does_not_take_an_offer_harms_nobody(said: bytes, tmp_path: Path) -> None:
    with serve(f"unix://{tmp_path}/s", echo) as server:
        server.publish("weights", {"w": np.arange(100_000)})
        raw, callbacks = Raw.enter(server.url), Callbacks()
        raw.say(frame(Kind.SUBSCRIBE, encode(["weights", "", -1]).header))
        assert raw.receive()[0] == Kind.OFFER
        raw.say(said)
        raw.close()
        with connect(server.url, timeout_s=WAIT_S) as client:
            client.subscribe("weights", callbacks)
            assert callbacks.next().version == 1
            assert client.call("echo", {"n": 1}) == {"n": 1}


def test_who_does_not_hand_over_what_was_offered_is_cut_off(tmp_path: Path) -> None:
    with serve(f"unix://{tmp_path}/s", echo, limits=Limits(stall_s=0.05)) as server:
        raw = Raw.enter(server.url)
        raw.say(frame(Kind.OFFER, encode([1 << 16, True]).header, place=OFFERED))
        assert raw.receive()[0] == Kind.READY
        assert raw.is_cut_off()
        raw.close()


def test_a_server_that_dies_while_it_hands_over_memory_broke_the_connection(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{tmp_path}/s")
        listening.listen()

        def die() -> None:
            server = Raw(listening.accept()[0])
            server.say(greeting())
            assert server.receive()[0] == Kind.HELLO
            server.say(frame(Kind.WELCOME, encode(1 << 30).header))
            assert server.receive()[0] == Kind.CALL
            server.say(frame(Kind.OFFER, encode([1 << 16, True]).header, place=OFFERED))
            assert server.receive()[0] == Kind.READY
            server.close()

        dying = in_thread(die)
        client = connect(f"unix://{tmp_path}/s", timeout_s=WAIT_S)
        with client, pytest.raises(StreamClosed, match="may or may not"):
            client.call("echo", {})
        dying.result()
