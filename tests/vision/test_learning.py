"""Losses, the moving average, and trainings that cannot go on."""

import builtins
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from edgeloop import vision
from edgeloop.errors import ConfigError, TrainingFailed
from edgeloop.vision.batches import Batch
from edgeloop.vision.extras import needs_extra
from edgeloop.vision.hyperparameters import CompactHyperparameters
from edgeloop.vision.learner import Learner
from edgeloop.vision.loss import box_loss, heat_loss
from edgeloop.vision.network import CompactNetwork, boxes_of

RATE = 1e-3


def edges(*values: float) -> torch.Tensor:
    return torch.tensor(values).reshape(1, 4, 1, 1)


def learner(**settings: Any) -> Learner:
    torch.manual_seed(0)
    parameters = CompactHyperparameters(**{"learning_rate": RATE, "iterations": 100} | settings)
    return Learner(CompactNetwork(1, 0.5), parameters)


def batch() -> Batch:
    heat = np.zeros((2, 1, 4, 4), np.float32)
    heat[:, :, 1, 1] = 1
    boxes = np.full((2, 4, 4, 4), 8, np.float32)
    boxes[:, 2:] = 20
    images = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3), np.uint8)
    return Batch(images, heat, boxes, heat[:, 0])


def test_equal_boxes_cost_nothing_and_distant_ones_up_to_two() -> None:
    one = torch.ones(1, 1, 1)
    assert box_loss(edges(0, 0, 4, 4), edges(0, 0, 4, 4), one) == pytest.approx(0, abs=1e-6)
    assert box_loss(edges(0, 0, 4, 4), edges(2, 0, 6, 4), one) == pytest.approx(2 / 3)
    assert box_loss(edges(0, 0, 1, 1), edges(9, 0, 10, 1), one) == pytest.approx(1.8)


def test_cells_without_weight_cost_nothing() -> None:
    assert box_loss(edges(0, 0, 4, 4), edges(9, 9, 10, 10), torch.zeros(1, 1, 1)) == 0


def test_being_sure_and_right_costs_least() -> None:
    heat = torch.tensor([1.0, 0.0]).reshape(1, 1, 1, 2)
    right, unsure, wrong = (
        heat_loss(torch.tensor(logits).reshape(1, 1, 1, 2), heat)
        for logits in ([6.0, -6.0], [0.0, 0.0], [-6.0, 6.0])
    )
    assert right < 1e-3 < unsure < wrong


def test_near_a_centre_a_false_alarm_costs_less() -> None:
    logits = torch.tensor([2.0, 2.0]).reshape(1, 1, 1, 2)
    near, far = (
        heat_loss(logits, torch.tensor([1.0, heat]).reshape(1, 1, 1, 2)) for heat in (0.8, 0.0)
    )
    assert near < far


def test_distances_count_from_the_middle_of_a_cell() -> None:
    boxes = boxes_of(torch.tensor([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1, 1).expand(1, 4, 2, 3))
    assert boxes[0, :, 1, 2].tolist() == [19, 10, 23, 16]


def test_steps_lower_the_loss() -> None:
    each = learner(learning_rate=5e-3)
    assert each.learn([batch()] * 20) > each.learn([batch()] * 20)


def test_the_rate_warms_up_and_falls() -> None:
    each = learner()
    rates = []
    for iteration in range(101):
        each.iteration = iteration
        rates.append(each.learning_rate)
    assert max(rates) == pytest.approx(RATE)
    assert rates.index(max(rates)) == 5
    assert rates[0] < RATE / 4
    assert rates[100] == pytest.approx(RATE * 0.005)


def test_the_average_follows_slowly() -> None:
    each = learner(ema_decay=0.9)
    each.learn([batch()] * 10)
    state = each.state()
    name = "stem.0.weight"
    assert (state["network"][name] != state["average"][name]).any()
    statistics = state["average"]["stem.1.running_mean"]
    assert statistics.abs().sum() > 0


def test_without_decay_the_average_is_the_network() -> None:
    each = learner(ema_decay=0)
    each.learn([batch()])
    state = each.state()
    for name, value in state["network"].items():
        if value.is_floating_point():
            assert torch.allclose(value, state["average"][name])


def test_a_restored_learner_goes_on_exactly() -> None:
    whole, parts = learner(), learner()
    whole.learn([batch()] * 4)
    parts.learn([batch()] * 2)
    other = learner()
    other.restore(parts.state())
    other.learn([batch()] * 2)
    assert other.iteration == 4
    expected = whole.state()["average"]
    for name, value in other.state()["average"].items():
        assert torch.equal(value, expected[name])


def test_a_loss_that_is_no_number_ends_the_training() -> None:
    broken = replace(batch(), weights=np.full((2, 4, 4), np.nan, np.float32))
    with pytest.raises(TrainingFailed, match="lower the learning_rate"):
        learner().learn([broken])


def test_importing_vision_loads_no_library() -> None:
    code = (
        "import sys, edgeloop.vision as v; v.CompactTrainer; v.OnnxDetector;"
        "assert not {'torch', 'onnxruntime', 'onnx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_vision_names_what_it_offers() -> None:
    assert dir(vision) == ["CompactTrainer", "OnnxDetector"]
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        vision.Nothing  # noqa: B018


def test_a_missing_library_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with (
        pytest.raises(ConfigError, match=r"onnxruntime is not installed: pip install 'edgeloop\["),
        needs_extra("onnx"),
    ):
        builtins.__import__("onnxruntime")
