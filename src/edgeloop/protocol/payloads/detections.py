"""Detections on the wire: whole pixels, confidence 0..1."""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

from edgeloop.protocol.payloads.parsing import Payload, Text, shown
from edgeloop.protocol.payloads.shapes import Polygon, polygon_to_json, polygon_to_text
from edgeloop.types import (
    BoxDetection,
    ClassificationDetection,
    Detections,
    PointDetection,
    SegmentationDetection,
)

_ONE = 1.001
"""Rounding may lead a little beyond 1; percents that small are no detections."""


def _unit_scale(value: float) -> float:
    # Some published trainers send percent. An absurd value is no reason to lose an image.
    if math.isnan(value):
        return 0.0
    scaled = value if value <= _ONE else value / 100
    return min(max(scaled, 0.0), 1.0)


def _none_to_zero(value: Any) -> Any:
    return 0.0 if value is None else value


Confidence = Annotated[float, BeforeValidator(_none_to_zero), AfterValidator(_unit_scale)]
"""From 0 to 1; none, or one that is no number, counts as 0."""


class _Detection(Payload):
    category_name: Annotated[Text, shown("cup")] = ""
    category_id: Annotated[Text, shown("3e0f6c2a-7d0b-4b7e-8f43-0b9a2f3d5c61")] = ""
    model_name: Annotated[Text, shown("3.0")] = ""
    confidence: Annotated[Confidence, shown(0.87)] = 0.0


class _Box(_Detection):
    x: Annotated[float, shown(12)]
    y: Annotated[float, shown(30)]
    width: Annotated[float, shown(64)]
    height: Annotated[float, shown(48)]


class _Point(_Detection):
    x: Annotated[float, shown(44)]
    y: Annotated[float, shown(54)]


class _Segmentation(_Detection):
    shape: Polygon


class DetectionsPayload(Payload):
    """The four lists, each of which may be missing; ``image_id`` where a trainer sends them."""

    box_detections: list[_Box] = []
    point_detections: list[_Point] = []
    segmentation_detections: list[_Segmentation] = []
    classification_detections: list[_Detection] = []
    image_id: str | None = None

    def to_detections(self) -> Detections:
        """The detections as values."""
        return Detections(
            boxes=tuple(BoxDetection(**box.model_dump()) for box in self.box_detections),
            points=tuple(PointDetection(**point.model_dump()) for point in self.point_detections),
            segmentations=tuple(_segmentation(item) for item in self.segmentation_detections),
            classifications=tuple(
                ClassificationDetection(**item.model_dump())
                for item in self.classification_detections
            ),
        )


def read_detections(value: Any) -> Detections:
    """JSON -> detections; raises InputError."""
    return DetectionsPayload.read(value).to_detections()


def detections_to_json(
    detections: Detections, *, shapes: Literal["points", "text"] = "points"
) -> dict[str, Any]:
    """The four lists; polygons as points (trainers) or as flat text (detectors)."""
    polygon = polygon_to_json if shapes == "points" else polygon_to_text
    return {
        "box_detections": [
            {
                "category_name": box.category_name,
                "x": round(box.x),
                "y": round(box.y),
                "width": round(box.width),
                "height": round(box.height),
                "model_name": box.model_name,
                "confidence": box.confidence,
                "category_id": box.category_id,
            }
            for box in detections.boxes
        ],
        "point_detections": [
            {
                "category_name": point.category_name,
                "x": round(point.x),
                "y": round(point.y),
                "model_name": point.model_name,
                "confidence": point.confidence,
                "category_id": point.category_id,
            }
            for point in detections.points
        ],
        "segmentation_detections": [
            {
                "category_name": item.category_name,
                "shape": polygon(item.points),
                "model_name": item.model_name,
                "confidence": item.confidence,
                "category_id": item.category_id,
            }
            for item in detections.segmentations
        ],
        "classification_detections": [
            {
                "category_name": item.category_name,
                "model_name": item.model_name,
                "confidence": item.confidence,
                "category_id": item.category_id,
            }
            for item in detections.classifications
        ],
    }


def _segmentation(item: _Segmentation) -> SegmentationDetection:
    return SegmentationDetection(
        category_id=item.category_id,
        category_name=item.category_name,
        points=item.shape.to_type(),
        confidence=item.confidence,
        model_name=item.model_name,
    )
