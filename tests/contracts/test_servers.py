"""What every transport's server does from its start to its end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeloop.errors import StreamClosed, StreamTimeout
from edgeloop.stream.transport import serve
from streams import Way, echo, way_of


@pytest.fixture(params=["tcp", "tls", "near", "unix", "shared", "grpc", "zmq"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Way]:
    way = way_of(request.param, tmp_path)
    with way.stack:
        yield way


def test_starting_twice_changes_nothing(way: Way) -> None:
    server = way.serve(echo)
    server.start()
    assert way.connect(server).call("echo", {"n": 1}) == {"n": 1}


def test_starting_after_the_end_changes_nothing(way: Way) -> None:
    server = way.serve(echo)
    server.close()
    server.start()
    with pytest.raises(StreamTimeout):
        way.connect(server, timeout_s=0.1).call("echo", {})


def test_a_server_that_was_never_started_can_be_closed(way: Way) -> None:
    server = serve(way.url, echo, tls=way.server_security)
    server.close()
    server.start()
    server.close()


def test_publishing_after_the_end_says_so(way: Way) -> None:
    server = way.serve(echo)
    server.publish("weights", {})
    server.close()
    for topic in ("weights", "other"):
        with pytest.raises(StreamClosed, match="closed"):
            server.publish(topic, {})
    assert server.counters()["publications"] == 1
