"""What is published: in memory that can be shared where that pays, and where there is some."""

import os
from pathlib import Path

import numpy as np
import pytest

from edgeloop.stream.transport import connect, serve
from stream.transport.descriptors import SEGMENTS, descriptors
from streams import WAIT_S, Callbacks, echo


def test_small_publications_cost_no_descriptor(tmp_path: Path) -> None:
    opened, callbacks = descriptors(SEGMENTS), Callbacks()
    with (
        serve(f"unix://{tmp_path}/s", echo) as server,
        connect(server.url, timeout_s=WAIT_S) as client,
    ):
        for number in range(100):
            server.publish(f"topic {number}", {"x": np.full(3, number)})
        assert descriptors(SEGMENTS) <= opened
        client.subscribe("topic 7", callbacks)
        assert (callbacks.next().message["x"] == 7).all()


def test_a_small_publication_is_copied_before_publishing_returns(tmp_path: Path) -> None:
    callbacks, weights = Callbacks(), np.full(3_000, 1)
    with (
        serve(f"unix://{tmp_path}/s", echo) as server,
        connect(server.url, timeout_s=WAIT_S) as client,
    ):
        server.publish("weights", {"w": weights})
        weights += 1
        client.subscribe("weights", callbacks)
        assert (callbacks.next().message["w"] == 1).all()


def test_many_large_publications_leave_descriptors_for_connections(tmp_path: Path) -> None:
    opened = descriptors(SEGMENTS)
    with serve(f"unix://{tmp_path}/s", echo) as server:
        for number in range(200):
            server.publish(f"topic {number}", {"x": np.full(5_000, number)})
        assert descriptors(SEGMENTS) <= opened + 256
        with connect(server.url, timeout_s=WAIT_S) as client:
            for number in (0, 199):
                callbacks = Callbacks()
                client.subscribe(f"topic {number}", callbacks)
                assert (callbacks.next().message["x"] == number).all()


@pytest.mark.parametrize("recovers", [False, True])
def test_without_memory_to_share_all_subscribers_get_the_whole_publication(
    recovers: bool,  # noqa: FBT001 - a parameter of the test
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> int:
        raise OSError("no descriptor")

    with (
        serve(f"unix://{tmp_path}/s", echo) as server,
        connect(server.url, timeout_s=WAIT_S) as client,
    ):
        with monkeypatch.context() as patch:
            patch.setattr(os, "memfd_create", full)
            assert server.publish("weights", {"w": np.arange(100_000)}) == 1
        if not recovers:
            monkeypatch.setattr(os, "memfd_create", full)
        for _ in range(3):
            callbacks = Callbacks()
            client.subscribe("weights", callbacks)
            assert (callbacks.next().message["w"] == np.arange(100_000)).all()
