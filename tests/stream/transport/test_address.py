"""URLs of servers."""

import socket
from pathlib import Path

import pytest

from edgeloop.errors import ConfigError, StreamClosed
from edgeloop.stream.transport import connect, serve
from edgeloop.stream.transport.address import Address, parse_address
from streams import WAIT_S, Gate, echo, in_thread


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("127.0.0.1:5555", Address("tcp", "127.0.0.1", 5555)),
        ("robot:0", Address("tcp", "robot", 0)),
        ("tcp://robot.local:5555/", Address("tcp", "robot.local", 5555)),
        ("grpc://robot:1", Address("grpc", "robot", 1)),
        ("zmq://[::1]:2", Address("zmq", "::1", 2)),
        (":5555", Address("tcp", "127.0.0.1", 5555)),
        ("unix:///run/robot.sock", Address("unix", path="/run/robot.sock")),
    ],
)
def test_an_address_is_read_and_written(url: str, address: Address) -> None:
    assert parse_address(url) == address
    assert parse_address(address.url) == address


@pytest.mark.parametrize(
    "url",
    ["", "robot", "tcp://", "tcp://robot", "robot:port", "robot:99999", "http://robot:80", "unix://",
     "tcp://robot:1/path", "tcp://[::1:5"],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        parse_address(url)


@pytest.mark.parametrize(
    ("url", "warnings"),
    [("127.0.0.1:0", 0), ("localhost:0", 0), ("[::1]:0", 0), ("0.0.0.0:0", 1), ("[::]:0", 1)],
)
def test_a_server_that_is_open_to_everybody_warns(
    url: str, warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    serve(url, echo).close()
    assert caplog.text.count("open to everybody") == warnings
    caplog.clear()
    serve(url, echo, token="sesame").close()
    assert not caplog.text


def test_a_host_by_name_counts_as_reachable() -> None:
    assert parse_address("robot.local:1").is_public
    assert not parse_address("unix:///run/robot").is_public


def test_a_port_that_is_taken_is_told() -> None:
    with serve("127.0.0.1:0", echo) as server, pytest.raises(ConfigError, match="in use"):
        serve(server.url, echo)


def test_servers_listen_on_ipv6() -> None:
    with (
        serve("tcp://[::1]:0", echo) as server,
        connect(server.url, timeout_s=WAIT_S) as client,
    ):
        assert client.call("echo", {"n": 1}) == {"n": 1}


def test_a_socket_that_a_killed_server_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "robot.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with (
        serve(f"unix://{path}", echo) as server,
        connect(server.url, timeout_s=WAIT_S) as client,
    ):
        assert client.call("echo", {"n": 1}) == {"n": 1}
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()


def test_a_socket_that_somebody_listens_at_is_not_taken(tmp_path: Path) -> None:
    with serve(f"unix://{tmp_path}/s", echo) as server:
        with pytest.raises(ConfigError, match="Another server"):
            serve(server.url, echo)
        with connect(server.url, timeout_s=WAIT_S) as client:
            assert client.call("echo", {}) == {}


def test_closing_again_leaves_the_socket_of_the_next_server(tmp_path: Path) -> None:
    server = serve(f"unix://{tmp_path}/s", echo)
    server.close()
    with serve(server.url, echo) as after, connect(after.url, timeout_s=WAIT_S) as client:
        server.close()
        assert client.call("echo", {"n": 1}) == {"n": 1}


def test_a_server_that_takes_its_time_to_end_leaves_the_socket_of_the_next_one(
    tmp_path: Path,
) -> None:
    gate = Gate()
    with serve(f"unix://{tmp_path}/s", gate) as server:
        client = connect(server.url, timeout_s=WAIT_S)
        slow = in_thread(lambda: client.call("slow", {}))
        assert gate.entered.wait(WAIT_S)
        closing = in_thread(server.close)
        with pytest.raises(StreamClosed):
            slow.result()
        with serve(server.url, echo):
            gate.open.set()
            closing.result()
            assert client.call("echo", {"n": 1}) == {"n": 1}
        client.close()


def test_a_server_whose_socket_was_replaced_leaves_it(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with serve(f"unix://{path}", echo) as server:
        path.unlink()
        with serve(server.url, echo), connect(server.url, timeout_s=WAIT_S) as client:
            server.close()
            assert client.call("echo", {"n": 1}) == {"n": 1}


def test_a_file_that_is_no_socket_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("keep me")
    with pytest.raises(ConfigError, match="in use"):
        serve(f"unix://{tmp_path}/notes", echo)
    assert (tmp_path / "notes").read_text() == "keep me"
