"""Weights of torch modules as arrays."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from edgeloop.errors import InputError
from edgeloop.rl import load_weights, weights_of
from edgeloop.stream import connect, serve
from streams import Callbacks


def network(width: int = 4) -> nn.Module:
    """With parameters, and with buffers of whole numbers."""
    return nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Linear(width, 1))


def assert_equal_weights(one: nn.Module, other: nn.Module) -> None:
    state, expected = one.state_dict(), other.state_dict()
    assert list(state) == list(expected)
    assert all(torch.equal(state[name], expected[name]) for name in expected)


def test_a_network_gets_the_weights_of_another_one() -> None:
    learner, actor = network(), network()
    learner(torch.randn(8, 3))  # moves the statistics of the normalization
    load_weights(actor, weights_of(learner))
    assert_equal_weights(actor, learner)


def test_weights_stay_as_they_are_while_the_learner_goes_on() -> None:
    learner = network()
    weights = weights_of(learner)
    before = {name: values.copy() for name, values in weights.items()}
    with torch.no_grad():
        for parameter in learner.parameters():
            parameter.add_(1)
    assert all(np.array_equal(weights[name], before[name]) for name in before)


def test_published_weights_can_be_loaded() -> None:
    learner, actor = network(), network()
    arrived = Callbacks()
    with (
        serve("tcp://127.0.0.1:0", lambda route, message: message) as server,
        connect(server.url) as client,
    ):
        client.subscribe("network", arrived)
        server.publish("network", weights_of(learner))
        load_weights(actor, arrived.next().message)
    assert_equal_weights(actor, learner)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_an_actor_without_gpu_gets_the_weights_of_a_learner_with_one() -> None:
    learner, actor = network().cuda(), network()
    load_weights(actor, weights_of(learner))
    assert_equal_weights(actor, learner.cpu())
    load_weights(learner.cuda(), weights_of(actor))
    assert_equal_weights(learner.cpu(), actor)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"0.bias": np.zeros(5, np.float32)}, r"0\.bias has the shape \(5,\), expected \(4,\)"),
        ({"9.bias": np.zeros(1, np.float32)}, r"only one of the two has 9\.bias"),
    ],
)
def test_weights_of_another_network_change_nothing(change: dict[str, Any], message: str) -> None:
    actor, untouched = network(), network()
    load_weights(untouched, weights_of(actor))
    with pytest.raises(InputError, match=message):
        load_weights(actor, weights_of(network()) | change)
    assert_equal_weights(actor, untouched)


def test_weights_that_numpy_cannot_hold_are_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"0\.weight is torch\.bfloat16.*publish it as float32"):
        weights_of(network().to(torch.bfloat16))
