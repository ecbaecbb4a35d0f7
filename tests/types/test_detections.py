"""Detections from arrays."""

import numpy as np

from edgeloop.types import Category, Detections, ModelInformation

MODEL = ModelInformation(
    id="m",
    organization="o",
    project="p",
    version="1.2",
    categories=(Category("b", "bolt"), Category("t", "tip", type="point")),
)


def found() -> Detections:
    boxes = np.array([[[10, 20, 30, 60], [0, 0, 4, 8]]], np.float32)
    return Detections.from_xyxy(MODEL, boxes, np.array([[0.9, 0.2]]), np.array([[0, 1]]))


def test_a_box_has_corner_and_size() -> None:
    box = found().boxes[0]
    assert (box.x, box.y, box.width, box.height) == (10, 20, 20, 40)


def test_a_detection_knows_category_and_model() -> None:
    box = found().boxes[0]
    assert (box.category_id, box.category_name, box.model_name) == ("b", "bolt", "1.2")


def test_a_point_is_the_centre_of_its_box() -> None:
    point = found().points[0]
    assert (point.x, point.y) == (2, 4)


def test_all_detections_are_counted_and_iterated() -> None:
    detections = found()
    assert len(detections) == 2
    assert [round(c, 3) for c in detections.confidences] == [0.9, 0.2]


def test_only_the_confident_ones_are_left_above_a_threshold() -> None:
    assert len(found().above(0.5)) == 1
