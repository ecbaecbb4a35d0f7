"""Who only connects, or sends half of a request, holds up nobody."""

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest
from fastapi import FastAPI, Request

from edgeloop import host
from edgeloop.heads import Bounds

WHOLE = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
Story = Callable[[int], None]


def echo() -> FastAPI:
    """Answers with the size of the body."""
    app = FastAPI()

    @app.api_route("/", methods=["GET", "POST"])
    async def answer(request: Request) -> str:
        return f"{len(await request.body())} bytes"

    return app


def served(story: Story, bounds: Bounds, app: FastAPI | None = None) -> None:
    """Tell the story the port of a server with these bounds."""

    async def whole() -> None:
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def tell() -> None:
            await asyncio.to_thread(story, await port)

        await host.serve(
            app or echo(),
            host="127.0.0.1",
            port=0,
            tasks=[tell],
            on_started=port.set_result,
            bounds=bounds,
        )

    asyncio.run(whole())


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def until_end(client: socket.socket) -> bytes:
    """All that comes until the server hangs up."""
    received = bytearray()
    while some := client.recv(65536):
        received += some
    return bytes(received)


def send_again(client: socket.socket, line: bytes) -> None:
    """Send some megabytes of it."""
    for _ in range(10_000):
        client.sendall(line)


def answer_of(client: socket.socket) -> bytes:
    """An answer of the app, whose body is a JSON string."""
    received = bytearray()
    while not received.endswith(b' bytes"'):
        some = client.recv(65536)
        assert some, received
        received += some
    return bytes(received)


def test_who_sends_nothing_is_hung_up_on() -> None:
    def story(port: int) -> None:
        with connected(port) as client:
            assert until_end(client) == b""

    served(story, Bounds(head_s=0.05))


@pytest.mark.parametrize("begin", [b"GET /api/sta", b"GET / HTTP/1.1\r\nho", WHOLE[:-2]])
def test_half_a_head_is_answered_that_it_took_too_long(begin: bytes) -> None:
    def story(port: int) -> None:
        with connected(port) as client:
            client.sendall(begin)
            assert until_end(client).startswith(b"HTTP/1.1 408 ")

    served(story, Bounds(head_s=0.2))


@pytest.mark.parametrize("begin", [b"GET /", b"\r\n"])
def test_a_later_request_of_a_connection_may_take_no_longer(begin: bytes) -> None:
    def story(port: int) -> None:
        with connected(port) as client:
            client.sendall(WHOLE)
            answer_of(client)
            client.sendall(begin)
            assert until_end(client).startswith(b"HTTP/1.1 408 ")

    served(story, Bounds(head_s=0.2))


def test_lines_that_come_one_by_one_gain_no_time() -> None:
    def story(port: int) -> None:
        with connected(port) as client:
            client.sendall(WHOLE[:-2])
            client.settimeout(0.05)
            for number in range(1000):
                try:
                    answer = client.recv(65536)
                    break
                except TimeoutError:
                    client.sendall(b"x-%d: y\r\n" % number)
            assert answer.startswith(b"HTTP/1.1 408 ")

    served(story, Bounds(head_s=0.3))


def test_an_answer_that_takes_longer_is_waited_for() -> None:
    app = echo()

    @app.get("/slow")
    async def slow() -> str:
        await asyncio.sleep(0.5)
        return "0 bytes"

    def story(port: int) -> None:
        with connected(port) as client:
            client.sendall(WHOLE.replace(b"/ ", b"/slow ", 1) + b"GET / HT")
            assert answer_of(client).startswith(b"HTTP/1.1 200 ")

    served(story, Bounds(head_s=0.05), app)


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
@pytest.mark.parametrize("line", [b"x: ", b"x: y\r\nz: "])
def test_a_head_that_is_too_large_is_refused(line: bytes, end: bytes) -> None:
    def story(port: int) -> None:
        with connected(port) as client:
            client.sendall(WHOLE[:-2] + line + b"y" * 1000 + end)
            assert until_end(client).startswith(b"HTTP/1.1 431 ")

    served(story, Bounds(head_bytes=1000))


def test_a_large_body_beside_a_small_head_is_no_large_head() -> None:
    def story(port: int) -> None:
        with connected(port) as client:
            client.sendall(
                b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\n\r\n" + b"y" * 5000
            )
            assert b"5000 bytes" in answer_of(client)

    served(story, Bounds(head_bytes=1000))


def test_trailers_are_bounded_as_heads_are() -> None:
    def story(port: int) -> None:
        with connected(port) as client:
            client.sendall(
                b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\ny\r\n0\r\n"
            )
            with pytest.raises(ConnectionError):
                send_again(client, b"x: " + b"y" * 1000 + b"\r\n")

    served(story, Bounds(head_bytes=1000, head_s=600))


def test_who_is_one_too_many_is_told_so_and_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    def story(port: int) -> None:
        with connected(port) as one, connected(port) as two:
            for _ in range(3):
                with connected(port) as more:
                    assert until_end(more).startswith(b"HTTP/1.1 503 ")
            for client in (one, two):
                client.sendall(WHOLE)
                assert answer_of(client).startswith(b"HTTP/1.1 200 ")

    served(story, Bounds(connections=2))
    warnings = [r.getMessage() for r in caplog.records if r.name == "edgeloop.heads"]
    assert warnings == ["Refused a connection: 2 are open, as many as there may be"]


def test_a_storm_of_connections_uses_up_no_files() -> None:
    program = """
import resource
from fastapi import FastAPI
from edgeloop import host

resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
host.run(FastAPI(), host="127.0.0.1", port=0, on_started=lambda port: print(port, flush=True))
"""
    command = [sys.executable, "-c", program]
    with (
        contextlib.ExitStack() as stack,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as server,
    ):
        assert server.stdout is not None
        port = int(server.stdout.readline())
        storm = [stack.enter_context(connected(port)) for _ in range(400)]
        assert until_end(storm[-1]).startswith(b"HTTP/1.1 503 ")
        server.terminate()
        assert (
            server.communicate()[1]
            == "Refused a connection: 150 are open, as many as there may be\n"
        )


def test_a_server_opens_as_many_files_as_the_system_allows() -> None:
    program = """
import resource, signal
from fastapi import FastAPI
from edgeloop import host
from edgeloop.heads import bounds_here

hard = min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
host.run(FastAPI(), host="127.0.0.1", port=0, on_started=lambda _: signal.raise_signal(15))
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
assert bounds_here().connections == hard * 3 // 4
"""
    subprocess.run([sys.executable, "-c", program], check=True)
