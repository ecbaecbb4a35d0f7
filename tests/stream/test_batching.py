"""Calls that came together are answered together."""

import threading
from typing import Any

import numpy as np
import pytest

from campaigns import until
from edgeloop.errors import ConfigError, RemoteError
from edgeloop.stream import InferenceClient, InferenceServer, Message
from edgeloop.stream.inference.batching import Batcher
from edgeloop.stream.inference.stacking import layout_of, part_of, stack
from pairs import client_options, server_options
from streams import WAIT_S, Outcome, Way, assert_same, in_thread


class Model:
    """A callback that notes its batches; it answers when the gate is open."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.batches: list[Message] = []
        self.entered = threading.Event()
        self.gate = threading.Event()
        if is_open:
            self.gate.set()

    def __call__(self, batch: Message) -> Message:
        self.batches.append(batch)
        self.entered.set()
        assert self.gate.wait(WAIT_S)
        if (batch["x"] < 0).any():
            raise ValueError("negative")
        return {"x": batch["x"] * 2, "version": 3}

    @property
    def sizes(self) -> list[int]:
        return [len(batch["x"]) for batch in self.batches]


def held(model: Model, *, most: int) -> tuple[Batcher, Outcome]:
    """A batcher that is busy with a call of its own."""
    batcher = Batcher(model, most=most, wait_s=0)
    first = in_thread(lambda: batcher({"x": 100}))
    assert model.entered.wait(WAIT_S)
    return batcher, first


def wait_with(batcher: Batcher, *messages: Message) -> list[Outcome]:
    """Calls that wait, in this order."""
    outcomes = []
    for message in messages:
        already = batcher.waiting
        outcomes.append(in_thread(lambda message=message: batcher(message)))  # type: ignore[misc]
        assert until(lambda already=already: batcher.waiting > already)  # type: ignore[misc]
    return outcomes


def test_a_lone_call_is_a_batch_of_one() -> None:
    model = Model()
    batcher = Batcher(model, most=8, wait_s=0)
    assert_same(batcher({"x": np.arange(3)}), {"x": np.array([0, 2, 4]), "version": 3})
    assert model.sizes == [1]


def test_what_waited_while_the_last_batch_ran_is_the_next_one() -> None:
    model = Model(is_open=False)
    batcher, first = held(model, most=8)
    others = wait_with(batcher, *({"x": n} for n in range(5)))
    model.gate.set()
    assert first.result()["x"] == 200
    assert [other.result()["x"] for other in others] == [0, 2, 4, 6, 8]
    assert model.sizes == [1, 5]
    assert (batcher.batches, batcher.calls, batcher.waiting) == (2, 6, 0)


def test_a_batch_is_no_larger_than_allowed_and_the_rest_comes_next() -> None:
    model = Model(is_open=False)
    batcher, _ = held(model, most=3)
    others = wait_with(batcher, *({"x": n} for n in range(7)))
    model.gate.set()
    assert [other.result()["x"] for other in others] == [2 * n for n in range(7)]
    assert model.sizes == [1, 3, 3, 1]


def test_messages_of_other_layouts_form_batches_of_their_own_in_the_order_they_came() -> None:
    model = Model(is_open=False)
    batcher, _ = held(model, most=8)
    others = wait_with(
        batcher,
        {"x": np.zeros(2)},
        {"x": np.zeros(3)},
        {"x": np.ones(2)},
        {"x": np.ones(2, np.float32)},
    )
    model.gate.set()
    shapes = [other.result()["x"].shape for other in others]
    assert shapes == [(2,), (3,), (2,), (2,)]
    assert [batch["x"].shape for batch in model.batches] == [(1,), (2, 2), (1, 3), (1, 2)]


def test_a_bad_call_fails_alone() -> None:
    model = Model(is_open=False)
    batcher, _ = held(model, most=8)
    good, bad, fine = wait_with(batcher, {"x": 1}, {"x": -1}, {"x": 2})
    model.gate.set()
    assert good.result()["x"] == 2
    with pytest.raises(ValueError, match="negative"):
        bad.result()
    assert fine.result()["x"] == 4
    assert model.sizes == [1, 3, 1, 1, 1]


def test_a_batch_begins_as_soon_as_it_is_full() -> None:
    model = Model()
    batcher = Batcher(model, most=4, wait_s=WAIT_S)
    outcomes = [in_thread(lambda n=n: batcher({"x": n})) for n in range(4)]  # type: ignore[misc]
    assert [outcome.result()["x"] for outcome in outcomes] == [0, 2, 4, 6]
    assert model.sizes == [4]


def test_a_batch_that_is_not_full_begins_when_its_time_is_over() -> None:
    model = Model()
    assert Batcher(model, most=4, wait_s=0.01)({"x": 1})["x"] == 2
    assert model.sizes == [1]


@pytest.mark.parametrize("answer", [[1], None, {"x": np.zeros(2)}, {"x": [1, 2, 3]}])
def test_an_answer_that_does_not_fit_is_told(answer: Any) -> None:
    batcher = Batcher(lambda batch: answer, most=4, wait_s=0)
    for _ in range(2):
        with pytest.raises((TypeError, ValueError), match=r"returns a dict|entries for 1 calls"):
            batcher({"x": 1})


def test_arrays_and_numbers_are_stacked_and_all_else_is_listed() -> None:
    messages = [
        {
            "image": np.full((2, 2), n, np.uint8),
            "robot": {"joints": np.arange(3.0) + n, "is_moving": n > 0},
            "count": n,
            "gain": n / 2,
            "small": np.float32(n),
            "prompt": f"cup {n}",
            "raw": bytes(n),
            "steps": [n],
            "huge": 1 << 80,
            "none": None,
        }
        for n in range(3)
    ]
    assert len({layout_of(message) for message in messages}) == 1
    stacked = stack(messages)
    assert stacked["image"].shape == (3, 2, 2)
    assert stacked["image"].dtype == np.uint8
    assert stacked["robot"]["joints"].tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    assert_same(stacked["robot"]["is_moving"], np.array([False, True, True]))
    assert_same(stacked["count"], np.array([0, 1, 2]))
    assert_same(stacked["gain"], np.array([0, 0.5, 1]))
    assert_same(stacked["small"], np.array([0, 1, 2], np.float32))
    listed = {name: stacked[name] for name in ("prompt", "raw", "steps", "huge", "none")}
    assert listed == {
        "prompt": ["cup 0", "cup 1", "cup 2"],
        "raw": [b"", b"\0", b"\0\0"],
        "steps": [[0], [1], [2]],
        "huge": [1 << 80] * 3,
        "none": [None] * 3,
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"x": 1}, {"x": 1.0}),
        ({"x": 1}, {"x": True}),
        ({"x": 1}, {"y": 1}),
        ({"x": 1}, {"x": 1 << 70}),
        ({"x": np.zeros(1)}, {"x": np.zeros(2)}),
        ({"x": np.zeros(1)}, {"x": np.zeros(1, np.float32)}),
        ({"x": {"y": 1}}, {"x": {"z": 1}}),
    ],
)
def test_layouts_are_told_apart(one: Message, other: Message) -> None:
    assert layout_of(one) != layout_of(other)


def test_a_lone_array_is_not_copied() -> None:
    array = np.zeros((2, 2))
    assert np.shares_memory(stack([{"x": array}])["x"], array)


def test_an_answer_is_taken_apart() -> None:
    answer = {
        "boxes": np.arange(6).reshape(3, 2),
        "scores": np.array([0.1, 0.2, 0.3]),
        "names": ["a", "b", "c"],
        "model": {"version": "1.2", "map": 0.5, "scale": np.array(2.0)},
    }
    assert_same(
        part_of(answer, 1, 3),
        {
            "boxes": np.array([2, 3]),
            "scores": np.float64(0.2),
            "names": "b",
            "model": {"version": "1.2", "map": 0.5, "scale": np.array(2.0)},
        },
    )


def test_calls_of_several_clients_become_one_batch(each_way: Way) -> None:
    model = Model()
    server = InferenceServer(**server_options(each_way))
    server.register_interface("model", model, batch_size=4, batch_wait_s=WAIT_S)
    each_way.stack.enter_context(server)
    clients = [InferenceClient(server.url, **client_options(each_way)) for _ in range(4)]
    for client in clients:
        each_way.stack.enter_context(client)
    outcomes = [
        in_thread(lambda n=n, client=client: client.call("model", {"x": np.full((5, 5), n)}))  # type: ignore[misc]
        for n, client in enumerate(clients)
    ]
    for n, outcome in enumerate(outcomes):
        assert_same(outcome.result(), {"x": np.full((5, 5), 2 * n), "version": 3})
    assert model.sizes == [4]
    counters = server.counters()
    assert (counters["batches"], counters["batched_calls"], counters["waiting_calls"]) == (1, 4, 0)


def test_an_error_of_a_batched_callback_is_told_and_the_server_lives(each_way: Way) -> None:
    server = InferenceServer(**server_options(each_way))
    server.register_interface("model", Model(), batch_size=4)
    each_way.stack.enter_context(server)
    client = each_way.stack.enter_context(InferenceClient(server.url, **client_options(each_way)))
    for _ in range(2):
        with pytest.raises(RemoteError, match="negative"):
            client.call("model", {"x": -1})
    assert client.call("model", {"x": 1})["x"] == 2


@pytest.mark.parametrize(("batch_size", "batch_wait_s"), [(0, 0.0), (4, -1.0)])
def test_batches_that_cannot_be_are_refused(
    near: Way, batch_size: int, batch_wait_s: float
) -> None:
    with (
        InferenceServer(**server_options(near)) as server,
        pytest.raises(ConfigError, match="1 or"),
    ):
        server.register_interface(
            "model", Model(), batch_size=batch_size, batch_wait_s=batch_wait_s
        )
