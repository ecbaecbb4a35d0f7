"""What the servers of all pairs share."""

import numpy as np
import pytest

from edgeloop import __version__
from edgeloop.errors import ConfigError, NotFound, RemoteError, StreamTimeout, TooLarge
from edgeloop.stream import Limits
from edgeloop.stream.service import Service, open_client, server_url
from pairs import client_options, server_options
from streams import Way, assert_same


class Twice(Service):
    def __init__(self, way: Way, **options: object) -> None:
        super().__init__("twice", 0, server_options(way, **options), {"port_number": 0, "of": 2})
        self.routes["twice"] = lambda message: {"n": message["n"] * 2}


def test_a_server_says_what_it_is(each_way: Way) -> None:
    with Twice(each_way) as server:
        about = each_way.connect(server.url).call("about", {})
    config = {"port_number": 0, "of": 2}
    assert about == {"kind": "twice", "version": __version__, "config": config}


def test_a_server_says_what_it_counted(near: Way) -> None:
    with Twice(near) as server:
        client = near.connect(server.url)
        client.call("twice", {"n": 1})
        counters = client.call("counters", {})
        assert counters["calls"] == 1
        assert set(counters) == set(server.counters())


def test_an_unknown_route_is_not_found(near: Way) -> None:
    with Twice(near) as server, pytest.raises(RemoteError, match="no 'thrice'") as caught:
        near.connect(server.url).call("thrice", {})
    assert caught.value.type == NotFound.__name__


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("robot", "tcp://robot:5555"),
        ("10.0.0.7", "tcp://10.0.0.7:5555"),
        ("::1", "tcp://[::1]:5555"),
        ("[::1]", "tcp://[::1]:5555"),
        ("[::1]:7", "tcp://[::1]:7"),
        ("robot:7", "tcp://robot:7"),
        ("grpc://robot:7", "grpc://robot:7"),
        ("unix:///run/robot.sock", "unix:///run/robot.sock"),
    ],
)
def test_a_server_is_found_by_host_or_by_url(server: str, url: str) -> None:
    assert server_url(server, 5555) == url


def test_a_host_without_a_port_is_refused() -> None:
    with pytest.raises(ConfigError, match="port of robot is missing"):
        server_url("robot", 0)


def test_a_ping_is_answered_with_as_many_bytes_as_wished(near: Way) -> None:
    with Twice(near) as server:
        client = near.connect(server.url)
        assert client.call("ping", {"data": bytes(9)}) == {}
        reply = client.call("ping", {"reply_bytes": 70_000})
        assert_same(reply, {"data": np.zeros(70_000, np.uint8)})


@pytest.mark.parametrize("wish", [-1, "many", None])
def test_a_ping_that_wishes_nonsense_is_refused(near: Way, wish: object) -> None:
    with Twice(near) as server, pytest.raises(RemoteError, match="InputError: reply_bytes"):
        near.connect(server.url).call("ping", {"reply_bytes": wish})


def test_a_ping_that_wishes_more_than_a_message_may_have_is_refused(near: Way) -> None:
    with Twice(near, limits=Limits(message_bytes=100_000)) as server:
        client = near.connect(server.url)
        with pytest.raises(RemoteError, match=TooLarge.__name__):
            client.call("ping", {"reply_bytes": 1 << 60})
        with pytest.raises(RemoteError, match=TooLarge.__name__):
            client.call("ping", {"reply_bytes": 100_000})


def test_without_a_server_a_client_is_not_made(near: Way) -> None:
    with Twice(near) as server:
        url = server.url
    with pytest.raises(StreamTimeout, match="Is the twice server at"):
        open_client(url, None, "twice", None, client_options(near, timeout_s=0.1))
