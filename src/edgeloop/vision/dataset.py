"""The images and boxes of a training in memory, decoded and scaled once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt

from edgeloop import imaging
from edgeloop.types import (
    Annotations,
    BoxAnnotation,
    Category,
    DatasetImage,
    ImageArray,
    PointAnnotation,
)
from edgeloop.vision.hyperparameters import STRIDE, CompactHyperparameters
from edgeloop.vision.letterbox import Fitted, fit

MIN_SIDE = 2.0
"""Boxes with a shorter side (pixels of the input) teach nothing."""

DEFAULT_POINT_SIZE = 20
_DECODERS = 4


@dataclass(frozen=True, slots=True)
class Sample:
    """One training image: pixels (height, width, 3), boxes (n, 4) left, top, right, bottom in its
    pixels, class indices (n,)."""

    pixels: ImageArray
    boxes: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]


def trainable(categories: Sequence[Category]) -> tuple[Category, ...]:
    """The categories that the compact detector can learn: boxes and points."""
    return tuple(category for category in categories if category.type in ("box", "point"))


def input_size(
    hyperparameters: CompactHyperparameters, images: Sequence[DatasetImage]
) -> tuple[int, int]:
    """(width, height) of the input; with ``resolution`` it takes the aspect of the images."""
    longer = hyperparameters.resolution
    if longer is None:
        return hyperparameters.width, hyperparameters.height
    aspect = median(image.record.width / image.record.height for image in images)
    sides = (longer, longer / aspect) if aspect >= 1 else (longer * aspect, longer)
    width, height = (max(4 * STRIDE, round(side / STRIDE) * STRIDE) for side in sides)
    return width, height


def load_fitted(images: Sequence[DatasetImage], size: tuple[int, int]) -> list[Fitted]:
    """Decode and scale images, in order; raises ImageError."""
    with ThreadPoolExecutor(_DECODERS) as pool:
        return list(
            pool.map(lambda image: fit(imaging.decode(image.path.read_bytes()), size), images)
        )


def load_samples(
    images: Sequence[DatasetImage], categories: Sequence[Category], size: tuple[int, int]
) -> list[Sample]:
    """Images with their boxes and points of ``categories``; raises ImageError."""
    fitted = load_fitted(images, size)
    return [
        _sample(scaled, image.record.annotations, categories)
        for scaled, image in zip(fitted, images, strict=True)
    ]


def _sample(fitted: Fitted, annotations: Annotations, categories: Sequence[Category]) -> Sample:
    index = {category.id: position for position, category in enumerate(categories)}
    shapes: tuple[BoxAnnotation | PointAnnotation, ...] = (*annotations.boxes, *annotations.points)
    shapes = tuple(shape for shape in shapes if shape.category_id in index)
    edges = [_edges(shape, categories[index[shape.category_id]]) for shape in shapes]
    boxes = np.array(edges, np.float32).reshape(-1, 4)
    boxes *= np.array(fitted.scale * 2, np.float32)
    labels = np.array([index[shape.category_id] for shape in shapes], np.int64)
    kept = (boxes[:, 2:] - boxes[:, :2] >= MIN_SIDE).all(axis=1)
    return Sample(fitted.pixels, boxes[kept], labels[kept])


def _edges(
    shape: BoxAnnotation | PointAnnotation, category: Category
) -> tuple[float, float, float, float]:
    if isinstance(shape, BoxAnnotation):
        return shape.x, shape.y, shape.x + shape.width, shape.y + shape.height
    half = (category.point_size or DEFAULT_POINT_SIZE) / 2
    return shape.x - half, shape.y - half, shape.x + half, shape.y + half
