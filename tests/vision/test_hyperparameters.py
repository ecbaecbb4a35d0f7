"""Hyperparameters that cannot work are refused with a sentence."""

from typing import Any

import pytest

from edgeloop.errors import InputError
from edgeloop.vision import CompactTrainer
from edgeloop.vision.hyperparameters import CompactHyperparameters


def test_the_trainer_declares_them() -> None:
    assert CompactTrainer.Hyperparameters is CompactHyperparameters
    assert CompactHyperparameters() == CompactHyperparameters(iterations=2000, resolution=None)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"iterations": 0}, "iterations must be a whole number from 1"),
        ({"batch_size": 2.5}, "batch_size must be a whole number"),
        ({"batch_size": True}, "batch_size must be a whole number"),
        ({"learning_rate": "fast"}, "learning_rate must be a number"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number"),
        ({"width": 100}, "width must be a multiple of 8"),
        ({"resolution": 8}, "resolution must be a whole number from 32"),
        ({"flip_lr": 1}, "flip_lr must be true or false"),
        ({"scale_min": 1.5, "scale_max": 1.2}, "scale_min .* must not exceed scale_max"),
        ({"iterations": None}, "iterations must be a whole number"),
    ],
)
def test_what_cannot_work_is_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        CompactHyperparameters(**settings)


def test_whole_numbers_serve_where_any_number_does() -> None:
    assert CompactHyperparameters(scale_min=1, scale_max=2).scale_max == 2
