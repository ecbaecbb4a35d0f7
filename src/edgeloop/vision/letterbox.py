"""Fits images of any size into the input of a network, keeping their aspect."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edgeloop.types import Detections, ImageArray, ModelInformation

PADDING = 114
"""The grey that fills what an image leaves free, at the right or the bottom."""

MIN_CONFIDENCE = 0.05
"""Detections below are noise and not answered."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Fitted:
    """An image as the network gets it, with the factors from its own pixels to the input's."""

    pixels: ImageArray
    scale: tuple[float, float]
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class RawDetections:
    """What a network says of one image: boxes (n, 4) left, top, right, bottom in pixels of the
    input, scores (n,), class indices (n,)."""

    boxes: Floats
    scores: Floats
    labels: npt.NDArray[np.int64]


def fit(image: ImageArray, size: tuple[int, int], *, padding: int = PADDING) -> Fitted:
    """Scale ``image`` to fit ``size`` (width, height); it lies at the top left of grey."""
    height, width = image.shape[:2]
    factor = min(size[0] / width, size[1] / height)
    inner = (max(1, round(width * factor)), max(1, round(height * factor)))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    scaled = image if inner == (width, height) else cv2.resize(image, inner, interpolation=way)
    if inner == size:
        pixels = np.asarray(scaled, np.uint8)
    else:
        pixels = np.full((size[1], size[0], 3), padding, np.uint8)
        pixels[: inner[1], : inner[0]] = scaled
    return Fitted(pixels, (inner[0] / width, inner[1] / height), width, height)


def detections_in(fitted: Fitted, raw: RawDetections, model: ModelInformation) -> Detections:
    """Raw detections -> detections in pixels of the full image, clipped to it."""
    kept = raw.scores >= MIN_CONFIDENCE
    scores, labels = raw.scores[kept], raw.labels[kept]
    boxes = raw.boxes[kept].astype(np.float64) / np.array(fitted.scale * 2)
    points = np.array([category.type == "point" for category in model.categories])[labels]
    centres = (boxes[points, :2] + boxes[points, 2:]) / 2
    boxes[points] = np.concatenate([centres, centres], axis=1)
    boxes = np.clip(boxes, 0, [fitted.width, fitted.height] * 2)
    seen = points | ((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))
    return Detections.from_xyxy(model, boxes[seen], scores[seen], labels[seen])
