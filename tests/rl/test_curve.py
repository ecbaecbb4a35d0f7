"""The learning curve as a picture."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeloop.errors import InputError
from edgeloop.rl import Evaluation, draw_curve

BLUE, GREEN, RED = (31, 95, 168), (46, 139, 87), (192, 57, 43)


def rows_and_columns(picture: Path, colour: tuple[int, int, int]) -> tuple[set[int], set[int]]:
    """Where a colour is in a picture."""
    with Image.open(picture) as image:
        assert image.format == "PNG"
        is_there = (np.asarray(image) == colour).all(axis=2)
    rows, columns = np.nonzero(is_there)
    return set(rows.tolist()), set(columns.tolist())


def test_a_mean_is_that_of_all_episodes() -> None:
    assert Evaluation(100, (-3.0, -1.0)).mean == -2.0


def test_a_curve_goes_up_from_left_to_right(tmp_path: Path) -> None:
    target = tmp_path / "curve.png"
    rising = [Evaluation(2000, (-400.0, -100.0)), Evaluation(1000, (-1600.0, -1200.0))]
    draw_curve(rising, target)
    rows, columns = rows_and_columns(target, BLUE)
    assert max(columns) - min(columns) > 500
    assert max(rows) - min(rows) > 300
    with Image.open(target) as image:
        left, right = (np.asarray(image)[:, x] == BLUE for x in (min(columns), max(columns)))
    assert np.argmax(left.all(axis=1)) > np.argmax(right.all(axis=1))


def test_a_goal_is_a_line_across_and_a_mark_one_upwards(tmp_path: Path) -> None:
    target = tmp_path / "curve.png"
    draw_curve(
        [Evaluation(1000, (-900.0,)), Evaluation(2000, (-200.0,))],
        target,
        title="Pendulum",
        goal=-250.0,
        marks={1500: "killed"},
    )
    assert len(rows_and_columns(target, GREEN)[1]) > 500
    assert len(rows_and_columns(target, RED)[0]) > 500


@pytest.mark.parametrize("value", [0.0, -1500.0, 1e-9, 123456.0])
def test_a_single_value_can_be_drawn(value: float, tmp_path: Path) -> None:
    draw_curve([Evaluation(0, (value,))], tmp_path / "curve.png")
    assert rows_and_columns(tmp_path / "curve.png", BLUE)[0]


def test_nothing_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is none yet"):
        draw_curve([], tmp_path / "curve.png")
