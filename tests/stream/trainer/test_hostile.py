"""Whatever comes to the trainer's routes: the server says what is wrong, and lives."""

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeloop.errors import CodecError, InputError, RemoteError
from edgeloop.stream import Client, QueuedDataStore, ReplayBuffer, TrainerServer, connect
from edgeloop.stream.trainer.deliveries import receipt_from
from streams import WAIT_S
from trainers import NAME, client_of, filled, numbers, serve_store
from transitions import as_columns, transition, transitions


@pytest.fixture
def server() -> Iterator[TrainerServer]:
    with serve_store("tcp://127.0.0.1:0", ReplayBuffer(capacity=100)) as running:
        with client_of(running.url, filled(0, 3)) as client:
            client.update()
        yield running


@pytest.fixture
def stranger(server: TrainerServer) -> Iterator[Client]:
    with connect(server.url, timeout_s=WAIT_S) as client:
        yield client


def delivery(stranger: Client, **wrong: Any) -> dict[str, Any]:
    """A delivery that would be taken, if it were not for what is wrong."""
    asked = {
        "store": NAME,
        "origin": "stranger",
        "session": "",
        "first": 0,
        "data": None,
        "wait_s": 0.0,
        "weights": ["", 0],
    }
    session = stranger.call("transitions", asked)["session"]
    return {**asked, "session": session, "data": as_columns(transitions(3, 2)), **wrong}


def refusal(stranger: Client, **wrong: Any) -> str:
    """The kind of error that a delivery ends in, nothing if it is taken."""
    try:
        stranger.call("transitions", delivery(stranger, **wrong))
    except RemoteError as error:
        return error.type
    return ""


def is_still_served(server: TrainerServer) -> bool:
    """Whether an honest client gets its transitions through."""
    before = numbers(server)
    with client_of(server.url, filled(500, 4)) as client:
        client.update()
    return before == [0, 1, 2] and numbers(server) == [*before, *range(500, 504)]


@pytest.mark.parametrize("name", ["store", "origin", "session", "first", "wait_s", "weights"])
@pytest.mark.parametrize("value", [None, [], {}, b"x", np.zeros(3), 1.5j])
def test_a_field_of_another_kind_is_named(
    server: TrainerServer, stranger: Client, name: str, value: Any
) -> None:
    with pytest.raises(RemoteError, match=r"InputError: .*(weights|has)") as caught:
        stranger.call("transitions", delivery(stranger, **{name: value}))
    assert name in str(caught.value)
    assert is_still_served(server)


@pytest.mark.parametrize("message", [{}, {"store": NAME}, {"payload": None}, {"data": [1]}])
def test_a_message_without_what_it_needs_is_refused(
    server: TrainerServer, stranger: Client, message: dict[str, Any]
) -> None:
    for route in ("transitions", "request"):
        with pytest.raises(RemoteError, match="InputError"):
            stranger.call(route, message)
    assert is_still_served(server)


WRONG: dict[str, dict[str, Any]] = {
    "a first number below 0": {"first": -1},
    "a first number beyond all": {"first": 1 << 62},
    "a first number of a thousand digits": {"first": 1 << 4000},
    "a version below 0": {"weights": ["x", -1]},
    "a version beyond all": {"weights": ["x", 1 << 4000]},
    "a version that is none": {"weights": ["x", "y"]},
    "a long origin": {"origin": "x" * 1000},
    "a long name": {"store": "x" * 1000},
    "a text": {"data": "text"},
    "a number": {"data": 7},
    "no columns": {"data": {}},
    "columns without rows": {"data": {"rewards": np.float32(1)}},
    "columns of several lengths": {"data": {"a": np.zeros(3), "b": np.zeros(4)}},
    "a list for a column": {"data": {"rewards": [1, 2]}},
    "a mixed list for a column": {"data": {"a": np.zeros(2), "b": [1, [2]]}},
    "more rows than there are bytes": {"data": {"a": np.zeros((1 << 40, 0), np.uint8)}},
    "too many rows": {"data": {"a": np.zeros(1 << 17, np.uint8)}},
    "keys that are no texts": {"data": {1: np.zeros(2)}},
    "other keys": {"data": {"a": np.zeros(2)}},
    "another shape": {
        "data": as_columns(transitions(0, 2)) | {"rewards": np.zeros((2, 2), np.float32)}
    },
    "another type": {"data": as_columns(transitions(0, 2)) | {"rewards": np.array(["x", "y"])}},
    "bytes for numbers": {"data": as_columns(transitions(0, 2)) | {"masks": np.zeros(2, "S3")}},
    "a list of anything": {"data": [None, 1, "x"]},
    "a list of ragged values": {"data": [transition(0) | {"rewards": [1, [2]]}]},
    "a list of huge numbers": {"data": [transition(0) | {"rewards": 1 << 4000}]},
    "a dict for a number": {"data": [transition(0) | {"rewards": {"x": 1}}]},
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_kept_is_refused(
    server: TrainerServer, stranger: Client, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    with pytest.raises(RemoteError, match="InputError"):
        stranger.call("transitions", delivery(stranger, **WRONG[what]))
    assert is_still_served(server)
    assert not caplog.records  # nothing that nobody thought of


@pytest.mark.parametrize("wait_s", [float("nan"), float("inf"), -1, 1 << 4000, True])
def test_any_patience_is_bounded(server: TrainerServer, stranger: Client, wait_s: Any) -> None:
    answer = stranger.call("transitions", delivery(stranger, wait_s=wait_s))
    assert (answer["following"], answer["held"]) == (2, "")


def test_a_delivery_for_another_life_of_the_store_is_not_taken(
    server: TrainerServer, stranger: Client
) -> None:
    answer = stranger.call("transitions", delivery(stranger, session="another"))
    assert answer["following"] == 0
    assert is_still_served(server)


def test_an_answer_that_is_no_receipt_is_a_codec_error() -> None:
    receipt = {"session": "x", "following": 1, "held": "", "weights": ["x", 0]}
    assert receipt_from(receipt).following == 1
    for name, wrong in {"session": 1, "following": "x", "held": None, "weights": [1]}.items():
        with pytest.raises(InputError if name == "weights" else CodecError):
            receipt_from({**receipt, name: wrong})


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5)
    | st.sampled_from([np.zeros(2), np.zeros((2, 0)), np.float32(1), np.array(["a", "b"])]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["rewards", "masks", "a", "b"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    field=st.sampled_from(["store", "origin", "session", "first", "data", "wait_s", "weights"]),
    value=VALUES,
)
def test_whatever_comes_ends_in_an_answer_or_an_error(
    server: TrainerServer, stranger: Client, field: str, value: Any
) -> None:
    assert refusal(stranger, **{field: value}) in {"", "InputError", "NotFound"}


def test_a_queue_takes_what_it_can_and_refuses_the_rest() -> None:
    with (
        serve_store("tcp://127.0.0.1:0", QueuedDataStore(100)) as server,
        connect(server.url, timeout_s=WAIT_S) as stranger,
    ):
        for number, wrong in enumerate(WRONG.values()):
            assert refusal(stranger, **{"origin": f"{number}", **wrong}) in {"", "InputError"}
        with client_of(server.url, filled(7, 1)) as client:
            assert client.update() == 1
        store = server.data_store(NAME)
        assert store.since(store.cursor - 1)[0][0]["rewards"] == 7
