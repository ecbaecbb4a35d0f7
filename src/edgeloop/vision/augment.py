"""Varies training images: flips, scale, aspect, place, colour."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edgeloop.types import ImageArray
from edgeloop.vision.dataset import MIN_SIDE, Sample
from edgeloop.vision.letterbox import PADDING

ASPECT_JITTER = 0.1
SHIFT = 0.05
MIN_VISIBLE = 0.35

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far images are varied; ``color`` in 0..1 scales contrast, brightness and channel
    gains."""

    flip_lr: bool
    flip_ud: bool
    scale_min: float
    scale_max: float
    color: float


def augmented(sample: Sample, augmentation: Augmentation, rng: np.random.Generator) -> Sample:
    """A variation of ``sample``; boxes that leave the image are dropped or clipped."""
    height, width = sample.pixels.shape[:2]
    factors, offsets = _placement((width, height), augmentation, rng)
    # Boxes are in edge coordinates, warpAffine counts pixel centres: half a pixel apart.
    shifts = offsets + (factors - 1) / 2
    matrix = np.array([[factors[0], 0, shifts[0]], [0, factors[1], shifts[1]]])
    border = (PADDING, PADDING, PADDING)
    warped = cv2.warpAffine(sample.pixels, matrix, (width, height), borderValue=border)
    pixels = cv2.LUT(warped, _color_table(augmentation.color, rng))
    boxes, kept = _placed(sample.boxes, factors, offsets, size=(width, height))
    return Sample(np.asarray(pixels, np.uint8), boxes[kept], sample.labels[kept])


def _placement(
    size: tuple[int, int], augmentation: Augmentation, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Factors and offsets (x, y): new = factor * old + offset, in edge coordinates."""
    sides = np.array(size, np.float64)
    scale = np.exp(rng.uniform(np.log(augmentation.scale_min), np.log(augmentation.scale_max)))
    aspect = np.exp(rng.uniform(-ASPECT_JITTER, ASPECT_JITTER) / 2)
    scales = scale * np.array([aspect, 1 / aspect])
    flips = (rng.random(2) < 0.5) & np.array([augmentation.flip_lr, augmentation.flip_ud])
    factors = np.where(flips, -scales, scales)
    reach = (np.abs(1 - scales) / 2 + SHIFT) * sides
    centres = sides / 2 + rng.uniform(-reach, reach)
    return factors, centres - factors * sides / 2


def _color_table(strength: float, rng: np.random.Generator) -> ImageArray:
    """(1, 256, 3) new value per old value and channel."""
    contrast = 1 + rng.uniform(-strength, strength)
    brightness = 80 * rng.uniform(-strength, strength)
    gains = 1 + rng.uniform(-strength / 2, strength / 2, 3)
    levels = (np.arange(256.0) - 128) * contrast + 128 + brightness
    return np.clip(levels[None, :, None] * gains + 0.5, 0, 255).astype(np.uint8)


def _placed(
    boxes: npt.NDArray[np.float32], factors: Floats, offsets: Floats, *, size: tuple[int, int]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    corners = boxes.reshape(-1, 2, 2) * factors + offsets
    corners.sort(axis=1)
    clipped = np.clip(corners, 0, size)
    sides, whole = clipped[:, 1] - clipped[:, 0], corners[:, 1] - corners[:, 0]
    visible = sides.prod(axis=1) > MIN_VISIBLE * whole.prod(axis=1)
    kept = visible & (sides >= MIN_SIDE).all(axis=1)
    return clipped.reshape(-1, 4).astype(np.float32), kept
