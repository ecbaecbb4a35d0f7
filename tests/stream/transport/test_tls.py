"""TLS: who is trusted, and what is said where nobody is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from edgeloop.errors import ConfigError, StreamError, StreamTimeout, Unauthenticated
from edgeloop.stream.transport import Curve, Limits, Server, Tls, connect, serve
from stream.transport.raw import Raw
from streams import WAIT_S, certificates, echo


@pytest.fixture
def tls(tmp_path: Path) -> tuple[Tls, Tls]:
    return certificates(tmp_path)


@pytest.fixture
def server(tls: tuple[Tls, Tls]) -> Iterator[Server]:
    with serve("tcp://127.0.0.1:0", echo, tls=tls[0]) as server:
        yield server


def test_a_server_that_nobody_vouches_for_is_not_trusted(server: Server) -> None:
    with (
        connect(server.url, tls=Tls(), timeout_s=WAIT_S) as client,
        pytest.raises(Unauthenticated, match="not trusted"),
    ):
        client.call("echo", {})


def test_a_server_with_another_name_is_not_trusted(server: Server, tls: tuple[Tls, Tls]) -> None:
    url = server.url.replace("127.0.0.1", "localhost")
    with (
        connect(url, tls=tls[1], timeout_s=WAIT_S) as client,
        pytest.raises(Unauthenticated, match="not trusted"),
    ):
        client.call("echo", {})


def test_a_client_without_tls_gets_no_answer(server: Server) -> None:
    with connect(server.url, timeout_s=0.1) as client, pytest.raises(StreamTimeout):
        client.call("echo", {})


def test_a_server_without_tls_is_told_to_the_caller(tls: tuple[Tls, Tls]) -> None:
    with (
        serve("tcp://127.0.0.1:0", echo) as plain,
        connect(plain.url, tls=tls[1], timeout_s=WAIT_S) as client,
        pytest.raises(StreamError, match="is it on"),
    ):
        client.call("echo", {})


def test_a_server_with_an_authority_wants_certificates_of_its_clients(tmp_path: Path) -> None:
    shown, trusted = certificates(tmp_path)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "clients.pem")
    robot = authority.issue_cert("robot@example.org")
    robot.private_key_and_cert_chain_pem.write_to_path(tmp_path / "robot.pem")
    strict = Tls(shown.certificate, shown.key, tmp_path / "clients.pem")
    with serve("tcp://127.0.0.1:0", echo, tls=strict) as server:
        known = Tls(certificate=tmp_path / "robot.pem", authority=trusted.authority)
        with connect(server.url, tls=known, timeout_s=WAIT_S) as client:
            assert client.call("echo", {"n": 1}) == {"n": 1}
        with (
            connect(server.url, tls=trusted, timeout_s=0.5) as client,
            pytest.raises(StreamError),
        ):
            client.call("echo", {})


def test_closing_ends_a_handshake_that_has_begun(tls: tuple[Tls, Tls]) -> None:
    limits = Limits(handshake_s=2 * WAIT_S)
    with (
        serve("tcp://127.0.0.1:0", echo, tls=tls[0], limits=limits) as server,
        connect(server.url, tls=tls[1], timeout_s=WAIT_S) as client,
    ):
        silent = Raw.dial(server.url)
        client.call("echo", {})  # it came later: the silent one was taken before
        server.close()
        assert silent.is_cut_off()
        silent.close()


def shared_segments() -> set[str]:
    """The shared memory of streams that this process has; other tests may have left some."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    return {line for line in maps if "memfd:edgeloop" in line}


def test_there_is_no_way_around_tls_on_the_same_host(server: Server, tls: tuple[Tls, Tls]) -> None:
    before = shared_segments()
    with connect(server.url, tls=tls[1], timeout_s=WAIT_S) as client:
        client.call("echo", {"x": bytes(1_000_000)})
        assert client.counters()["connections_made"] == 1
        assert shared_segments() <= before


@pytest.mark.parametrize(
    "tls",
    [Tls(), Tls(certificate=Path(__file__)), Tls(Path("/none"), Path("/none")), Curve()],
    ids=["nothing", "no key", "no file", "curve"],
)
def test_a_server_says_what_is_wrong_with_its_certificate(tls: Tls | Curve) -> None:
    with pytest.raises(ConfigError):
        serve("tcp://127.0.0.1:0", echo, tls=tls)


@pytest.mark.parametrize(
    "tls", [Tls(authority=Path(__file__)), Tls(authority=Path("/none")), Curve()]
)
def test_a_client_says_what_is_wrong_with_its_certificate(tls: Tls | Curve) -> None:
    with pytest.raises(ConfigError):
        connect("tcp://127.0.0.1:1", tls=tls)
