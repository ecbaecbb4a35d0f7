"""What is to be seen in a drawing: as people would annotate it, as a good model would detect it."""

from collections.abc import Sequence

from edgeloop.loop.services.drawings import Drawing, Thing
from edgeloop.types import (
    Annotations,
    BoxAnnotation,
    BoxDetection,
    CategoryType,
    Detections,
    PointAnnotation,
    PointDetection,
    SegmentationAnnotation,
    SegmentationDetection,
)

MODEL = "1.0"
CONFIDENCE = 0.8


def annotated(drawing: Drawing, *, each: int) -> Annotations | None:
    """The first ``each`` things of each type; None for none at all."""
    if not each:
        return None
    return Annotations(
        boxes=tuple(
            BoxAnnotation(thing.category.id, *thing.box) for thing in _first(drawing, "box", each)
        ),
        points=tuple(
            PointAnnotation(thing.category.id, *thing.corners[0])
            for thing in _first(drawing, "point", each)
        ),
        segmentations=tuple(
            SegmentationAnnotation(thing.category.id, thing.corners)
            for thing in _first(drawing, "segmentation", each)
        ),
    )


def detected(drawing: Drawing, *, each: int) -> Detections:
    """The first ``each`` things of each type, all seen by one model."""
    return Detections(
        boxes=tuple(
            BoxDetection(
                thing.category.id, thing.category.name, *thing.box, CONFIDENCE, model_name=MODEL
            )
            for thing in _first(drawing, "box", each)
        ),
        points=tuple(
            PointDetection(
                thing.category.id, thing.category.name, *thing.corners[0], CONFIDENCE, MODEL
            )
            for thing in _first(drawing, "point", each)
        ),
        segmentations=tuple(
            SegmentationDetection(
                thing.category.id, thing.category.name, thing.corners, CONFIDENCE, MODEL
            )
            for thing in _first(drawing, "segmentation", each)
        ),
    )


def _first(drawing: Drawing, kind: CategoryType, count: int) -> Sequence[Thing]:
    return [thing for thing in drawing.things if thing.category.type == kind][:count]
