"""What the detectors and the trainers of these tests see in an image."""

from typing import Any

from learning_loop_node.data_classes import (
    BoxDetection,
    ModelInformation,
    Point,
    SegmentationDetection,
    Shape,
)

CORNERS = ((4, 6), (24, 6), (4, 16))


def seen_by(model: ModelInformation) -> dict[str, Any]:
    """A box of 20 x 10 pixels at (4, 6) and a triangle in it, of the model's first categories."""
    shared = {"model_name": model.version, "confidence": 0.5}
    bolt, outline = model.categories[:2]
    box = BoxDetection(
        category_name=bolt.name, category_id=bolt.id, x=4, y=6, width=20, height=10, **shared
    )
    triangle = SegmentationDetection(
        category_name=outline.name,
        category_id=outline.id,
        shape=Shape(points=[Point(x=x, y=y) for x, y in CORNERS]),
        **shared,
    )
    return {"box_detections": [box], "segmentation_detections": [triangle]}
