"""Annotations on the wire."""

from collections.abc import Mapping
from typing import Annotated, Any

from edgeloop.protocol.payloads.parsing import Payload, Text, shown
from edgeloop.protocol.payloads.shapes import Polygon, polygon_to_json
from edgeloop.types import (
    Annotations,
    BoxAnnotation,
    PointAnnotation,
    SegmentationAnnotation,
)


class _Annotation(Payload):
    category_id: Annotated[Text, shown("3e0f6c2a-7d0b-4b7e-8f43-0b9a2f3d5c61")] = ""
    category_name: Annotated[Text, shown("cup")] = ""


class _Box(_Annotation):
    x: Annotated[float, shown(12)]
    y: Annotated[float, shown(30)]
    width: Annotated[float, shown(64)]
    height: Annotated[float, shown(48)]


class _Point(_Annotation):
    x: Annotated[float, shown(44)]
    y: Annotated[float, shown(54)]


class _Segmentation(_Annotation):
    id: Text = ""
    shape: Polygon


class AnnotationsPayload(Payload):
    """``box_annotations``, ``point_annotations``, ``segmentation_annotations``,
    ``classification_annotation``; ids may be missing where names are given."""

    box_annotations: list[_Box] = []
    point_annotations: list[_Point] = []
    segmentation_annotations: list[_Segmentation] = []
    classification_annotation: _Annotation | None = None

    def to_annotations(self, ids_by_name: Mapping[str, str] | None = None) -> Annotations:
        """The annotations; a missing category id is looked up by name, unknown ones are dropped."""
        names = ids_by_name or {}

        def category(item: _Annotation) -> str:
            return item.category_id or names.get(item.category_name, "")

        whole = self.classification_annotation
        return Annotations(
            boxes=tuple(
                BoxAnnotation(category(box), box.x, box.y, box.width, box.height)
                for box in self.box_annotations
                if category(box)
            ),
            points=tuple(
                PointAnnotation(category(point), point.x, point.y)
                for point in self.point_annotations
                if category(point)
            ),
            segmentations=tuple(
                SegmentationAnnotation(category(item), item.shape.to_type(), item.id)
                for item in self.segmentation_annotations
                if category(item)
            ),
            classification=(category(whole) or None) if whole else None,
        )


class SegmentationReportPayload(Payload):
    """What ``update_segmentation_annotation`` carries: a polygon that an annotator made."""

    id: Text = ""
    image_id: str
    category_id: str
    shape: Polygon

    def to_type(self) -> SegmentationAnnotation:
        """The polygon as a value."""
        return SegmentationAnnotation(self.category_id, self.shape.to_type(), self.id)


def read_annotations(value: Any, ids_by_name: Mapping[str, str] | None = None) -> Annotations:
    """JSON -> annotations; raises InputError."""
    return AnnotationsPayload.read(value).to_annotations(ids_by_name)


def annotations_to_json(annotations: Annotations) -> dict[str, Any]:
    """The keys that trainers index: all are present, lists possibly empty."""
    return {
        "box_annotations": [
            {
                "category_id": box.category_id,
                "x": round(box.x),
                "y": round(box.y),
                "width": round(box.width),
                "height": round(box.height),
            }
            for box in annotations.boxes
        ],
        "point_annotations": [
            {"category_id": point.category_id, "x": round(point.x), "y": round(point.y)}
            for point in annotations.points
        ],
        "segmentation_annotations": [
            {
                "category_id": item.category_id,
                "shape": polygon_to_json(item.points),
                **({"id": item.id} if item.id else {}),
            }
            for item in annotations.segmentations
        ],
        "classification_annotation": (
            {"category_id": annotations.classification} if annotations.classification else None
        ),
    }
