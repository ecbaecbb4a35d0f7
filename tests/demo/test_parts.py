import numpy as np
import pytest

from edgeloop.demo.parts import CATEGORIES, Pose, Relief, relief_of


def relief(category: str, angle: float = 0.0, size: float = 50.0) -> Relief:
    return relief_of(category, Pose(100.0, 80.0, angle, size), np.random.default_rng(1))


def spans(part: Relief) -> tuple[int, int]:
    """How wide and how high the part is, in pixels."""
    solid = part.solid
    columns, rows = np.flatnonzero(solid.any(axis=0)), np.flatnonzero(solid.any(axis=1))
    return int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_part_is_as_large_as_its_pose_says(category: str) -> None:
    assert abs(spans(relief(category))[0] - 100) <= 3


@pytest.mark.parametrize("category", ["gear", "nut", "washer"])
def test_gear_nut_and_washer_have_a_hole_in_the_middle(category: str) -> None:
    part = relief(category)
    assert not part.solid[80 - part.top, 100 - part.left]


def test_a_bolt_turned_by_a_right_angle_stands_upright() -> None:
    flat, upright = spans(relief("bolt")), spans(relief("bolt", angle=np.pi / 2))
    assert abs(flat[0] - upright[1]) <= 2
    assert abs(flat[1] - upright[0]) <= 2
    assert flat[0] > 2 * flat[1]


def test_a_nut_has_six_corners_that_come_round_every_sixty_degrees() -> None:
    straight, turned = relief("nut"), relief("nut", angle=np.pi / 3)
    assert np.mean(straight.solid != turned.solid) < 0.01
    assert np.mean(straight.solid != relief("nut", angle=np.pi / 6).solid) > 0.03


@pytest.mark.parametrize("category", CATEGORIES)
def test_marks_of_machining_have_a_direction_everywhere(category: str) -> None:
    part = relief(category, angle=0.7)
    length = np.hypot(part.along_x, part.along_y)[part.solid]
    assert np.allclose(length, 1.0, atol=1e-3)
