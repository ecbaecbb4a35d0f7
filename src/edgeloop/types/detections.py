"""What a model saw in one image. Pixels of the full image, origin at the top left."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeloop.types.categories import Category
from edgeloop.types.models import ModelInformation


@dataclass(frozen=True, slots=True)
class BoxDetection:
    """A box: top-left corner, width and height in pixels; confidence 0..1."""

    category_id: str
    category_name: str
    x: float
    y: float
    width: float
    height: float
    confidence: float
    model_name: str = ""


@dataclass(frozen=True, slots=True)
class PointDetection:
    """A point in pixels; confidence 0..1."""

    category_id: str
    category_name: str
    x: float
    y: float
    confidence: float
    model_name: str = ""


@dataclass(frozen=True, slots=True)
class SegmentationDetection:
    """A closed polygon of (x, y) pixels; confidence 0..1."""

    category_id: str
    category_name: str
    points: tuple[tuple[float, float], ...]
    confidence: float
    model_name: str = ""


@dataclass(frozen=True, slots=True)
class ClassificationDetection:
    """A class for the whole image; confidence 0..1."""

    category_id: str
    category_name: str
    confidence: float
    model_name: str = ""


AnyDetection = BoxDetection | PointDetection | SegmentationDetection | ClassificationDetection


@dataclass(frozen=True, slots=True)
class Detections:
    """All that a model saw in one image."""

    boxes: tuple[BoxDetection, ...] = ()
    points: tuple[PointDetection, ...] = ()
    segmentations: tuple[SegmentationDetection, ...] = ()
    classifications: tuple[ClassificationDetection, ...] = ()

    def __iter__(self) -> Iterator[AnyDetection]:
        yield from self.boxes
        yield from self.points
        yield from self.segmentations
        yield from self.classifications

    def __len__(self) -> int:
        return sum(
            map(len, (self.boxes, self.points, self.segmentations, self.classifications)),
        )

    @property
    def confidences(self) -> tuple[float, ...]:
        """The confidence of each detection, in iteration order."""
        return tuple(detection.confidence for detection in self)

    def above(self, confidence: float) -> "Detections":
        """Only the detections with at least this confidence (0..1)."""
        return Detections(
            boxes=tuple(d for d in self.boxes if d.confidence >= confidence),
            points=tuple(d for d in self.points if d.confidence >= confidence),
            segmentations=tuple(d for d in self.segmentations if d.confidence >= confidence),
            classifications=tuple(d for d in self.classifications if d.confidence >= confidence),
        )

    @classmethod
    def from_xyxy(
        cls,
        model: ModelInformation,
        boxes: npt.NDArray[np.floating[Any]],
        scores: npt.NDArray[np.floating[Any]],
        classes: npt.NDArray[Any],
    ) -> "Detections":
        """Arrays of a box detector -> boxes and points, by the type of each category.

        ``boxes`` is (n, 4) float: left, top, right, bottom in pixels of the full image; ``scores``
        (n,) in 0..1; ``classes`` (n,) indices into ``model.categories``. A point is the centre of
        its box. A leading batch dimension of 1 is dropped.
        """
        rows = np.asarray(boxes, dtype=np.float64).reshape(-1, 4).tolist()
        confidences = np.asarray(scores, dtype=np.float64).reshape(-1).tolist()
        indices = np.asarray(classes).reshape(-1).tolist()
        found_boxes: list[BoxDetection] = []
        found_points: list[PointDetection] = []
        for row, confidence, index in zip(rows, confidences, indices, strict=True):
            category = model.category_at(int(index))
            if category.type == "point":
                found_points.append(_centre(category, row, confidence, model.version))
            else:
                found_boxes.append(_box(category, row, confidence, model.version))
        return cls(boxes=tuple(found_boxes), points=tuple(found_points))


def _box(category: Category, row: list[float], confidence: float, version: str) -> BoxDetection:
    left, top, right, bottom = row
    return BoxDetection(
        category_id=category.id,
        category_name=category.name,
        x=left,
        y=top,
        width=right - left,
        height=bottom - top,
        confidence=confidence,
        model_name=version,
    )


def _centre(
    category: Category, row: list[float], confidence: float, version: str
) -> PointDetection:
    left, top, right, bottom = row
    return PointDetection(
        category_id=category.id,
        category_name=category.name,
        x=(left + right) / 2,
        y=(top + bottom) / 2,
        confidence=confidence,
        model_name=version,
    )
