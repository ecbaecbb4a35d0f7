"""What people say is in one image. Pixels of the full image, origin at the top left."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BoxAnnotation:
    """A box: top-left corner, width and height in pixels."""

    category_id: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class PointAnnotation:
    """A point in pixels."""

    category_id: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class SegmentationAnnotation:
    """A closed polygon of (x, y) pixels; ``id`` is the one that its maker gave it, if any."""

    category_id: str
    points: tuple[tuple[float, float], ...]
    id: str = ""


@dataclass(frozen=True, slots=True)
class Annotations:
    """All that was annotated in one image; ``classification`` is the id of the whole image's
    category."""

    boxes: tuple[BoxAnnotation, ...] = ()
    points: tuple[PointAnnotation, ...] = ()
    segmentations: tuple[SegmentationAnnotation, ...] = ()
    classification: str | None = None

    def __len__(self) -> int:
        shapes = len(self.boxes) + len(self.points) + len(self.segmentations)
        return shapes + (self.classification is not None)
