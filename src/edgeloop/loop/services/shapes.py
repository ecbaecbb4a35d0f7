"""Shapes within their image: whole pixels, nothing outside, nothing without a size."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from edgeloop.types import (
    Annotations,
    BoxAnnotation,
    BoxDetection,
    Detections,
    PointAnnotation,
    PointDetection,
    SegmentationAnnotation,
    SegmentationDetection,
)

Box = TypeVar("Box", BoxDetection, BoxAnnotation)
Point = TypeVar("Point", PointDetection, PointAnnotation)
Polygon = TypeVar("Polygon", SegmentationDetection, SegmentationAnnotation)


@dataclass(frozen=True, slots=True)
class Canvas:
    """An image's size in pixels: cuts shapes to it."""

    width: int
    height: int

    def cut_detections(self, detections: Detections) -> Detections:
        """The detections within the image."""
        return replace(
            detections,
            boxes=self._boxes(detections.boxes),
            points=self._points(detections.points),
            segmentations=self._polygons(detections.segmentations),
        )

    def cut_annotations(self, annotations: Annotations) -> Annotations:
        """The annotations within the image."""
        return replace(
            annotations,
            boxes=self._boxes(annotations.boxes),
            points=self._points(annotations.points),
            segmentations=self._polygons(annotations.segmentations),
        )

    def _boxes(self, boxes: Iterable[Box]) -> tuple[Box, ...]:
        cut = (self._box(box) for box in boxes if _finite(box.x, box.y, box.width, box.height))
        return tuple(box for box in cut if box.width > 0 and box.height > 0)

    def _box(self, box: Box) -> Box:
        left, top = self._place(box.x, box.y)
        right, bottom = self._place(box.x + box.width, box.y + box.height)
        return replace(box, x=left, y=top, width=right - left, height=bottom - top)

    def _points(self, points: Iterable[Point]) -> tuple[Point, ...]:
        return tuple(self._point(point) for point in points if _finite(point.x, point.y))

    def _point(self, point: Point) -> Point:
        x, y = self._place(point.x, point.y)
        return replace(point, x=x, y=y)

    def _polygons(self, polygons: Iterable[Polygon]) -> tuple[Polygon, ...]:
        return tuple(
            replace(polygon, points=tuple(self._place(x, y) for x, y in polygon.points))
            for polygon in polygons
            if len(polygon.points) > 2 and all(_finite(x, y) for x, y in polygon.points)
        )

    def _place(self, x: float, y: float) -> tuple[int, int]:
        return round(min(max(x, 0), self.width)), round(min(max(y, 0), self.height))


def _finite(*numbers: float) -> bool:
    return all(math.isfinite(number) for number in numbers)
