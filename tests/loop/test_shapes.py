"""Shapes are cut to their image."""

import math

import pytest

from edgeloop.loop.services.shapes import Canvas
from edgeloop.types import (
    Annotations,
    BoxAnnotation,
    BoxDetection,
    ClassificationDetection,
    Detections,
    PointAnnotation,
    PointDetection,
    SegmentationAnnotation,
    SegmentationDetection,
)

CANVAS = Canvas(100, 50)
Rectangle = tuple[float, float, float, float]


@pytest.mark.parametrize(
    ("box", "cut"),
    [
        ((10, 10, 20, 20), (10, 10, 20, 20)),
        ((-5, -5, 20, 20), (0, 0, 15, 15)),
        ((90, 40, 20, 20), (90, 40, 10, 10)),
        ((-10, -10, 500, 500), (0, 0, 100, 50)),
        ((1.4, 1.6, 2.2, 2.2), (1, 2, 3, 2)),
    ],
)
def test_boxes_are_cut_to_the_image_in_whole_pixels(box: Rectangle, cut: Rectangle) -> None:
    detections = Detections(boxes=(BoxDetection("1", "cat", *box, confidence=0.5),))
    assert CANVAS.cut_detections(detections).boxes == (
        BoxDetection("1", "cat", *cut, confidence=0.5),
    )
    annotations = Annotations(boxes=(BoxAnnotation("1", *box),))
    assert CANVAS.cut_annotations(annotations).boxes == (BoxAnnotation("1", *cut),)


@pytest.mark.parametrize(
    "box",
    [
        (10, 10, 0, 20),
        (10, 10, 20, -1),
        (10, 10, 0.3, 20),
        (100, 10, 5, 5),
        (-20, 10, 20, 5),
        (math.nan, 0, 5, 5),
        (0, 0, math.inf, 5),
    ],
)
def test_boxes_without_a_size_in_the_image_are_dropped(box: Rectangle) -> None:
    assert CANVAS.cut_annotations(Annotations(boxes=(BoxAnnotation("1", *box),))).boxes == ()


def test_points_and_polygons_are_moved_into_the_image() -> None:
    corners = ((-1.0, -1.0), (120.0, 0.0), (50.0, 60.0))
    within = ((0, 0), (100, 0), (50, 50))
    detections = CANVAS.cut_detections(
        Detections(
            points=(PointDetection("1", "cat", 200, -3, 0.5),),
            segmentations=(SegmentationDetection("1", "cat", corners, 0.5),),
            classifications=(ClassificationDetection("1", "cat", 0.5),),
        )
    )
    assert detections.points == (PointDetection("1", "cat", 100, 0, 0.5),)
    assert detections.segmentations == (SegmentationDetection("1", "cat", within, 0.5),)
    assert len(detections.classifications) == 1
    annotations = CANVAS.cut_annotations(
        Annotations(
            points=(PointAnnotation("1", 200, -3),),
            segmentations=(SegmentationAnnotation("1", corners),),
            classification="1",
        )
    )
    assert annotations.points == (PointAnnotation("1", 100, 0),)
    assert annotations.segmentations == (SegmentationAnnotation("1", within),)
    assert annotations.classification == "1"


def test_points_nowhere_and_polygons_without_an_area_are_dropped() -> None:
    annotations = Annotations(
        points=(PointAnnotation("1", math.nan, 3),),
        segmentations=(
            SegmentationAnnotation("1", ((0, 0), (1, 1))),
            SegmentationAnnotation("1", ((0, 0), (1, 1), (math.inf, 0))),
        ),
    )
    assert len(CANVAS.cut_annotations(annotations)) == 0
