"""Boxes -> the maps that the network learns (TTFNet, Liu et al. 2019, arXiv:1909.00700)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeloop.vision.dataset import Sample
from edgeloop.vision.hyperparameters import STRIDE

SPREAD = 0.54 / 6
"""Standard deviation of a peak per side of its box."""

MIN_SIGMA = 0.35
MIN_PEAK = 0.05
"""Cells where the peak is higher learn the box."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Targets:
    """Per cell of the stride-8 grid: ``heat`` (classes, h, w) is 1 at centres, ``boxes`` (4, h, w)
    are left, top, right, bottom in pixels, ``weights`` (h, w) say how much a box counts there."""

    heat: Floats
    boxes: Floats
    weights: Floats


def targets(sample: Sample, classes: int) -> Targets:
    """The maps of one image; where boxes share a cell it belongs to the smallest."""
    rows, columns = (side // STRIDE for side in sample.pixels.shape[:2])
    heat = np.zeros((classes, rows, columns), np.float32)
    boxes = np.zeros((4, rows, columns), np.float32)
    weights = np.zeros((rows, columns), np.float32)
    sides = sample.boxes[:, 2:] - sample.boxes[:, :2]
    areas = sides.prod(axis=1)
    peaks = _peaks(sample.boxes, sides, (rows, columns))
    importance = np.log(np.maximum(areas, np.e))
    for index in np.argsort(-areas, kind="stable"):
        peak = peaks[index]
        layer = heat[sample.labels[index]]
        np.maximum(layer, peak, out=layer)
        cells = peak > MIN_PEAK
        boxes[:, cells] = sample.boxes[index][:, None]
        weights[cells] = peak[cells] * (importance[index] / peak[cells].sum())
    return Targets(heat, boxes, weights)


def _peaks(boxes: Floats, sides: Floats, grid: tuple[int, int]) -> Floats:
    """(n, h, w) Gaussians, exactly 1 in the cell that holds a box's centre."""
    limits = np.array(grid[::-1]) - 1
    centres = np.clip((boxes[:, :2] + boxes[:, 2:]) // (2 * STRIDE), 0, limits)
    sigmas = np.maximum(sides / STRIDE * SPREAD, MIN_SIGMA)
    across, down = (
        np.exp(-(((np.arange(count) - centres[:, axis, None]) / sigmas[:, axis, None]) ** 2) / 2)
        for axis, count in enumerate(grid[::-1])
    )
    peaks: Floats = (down[:, :, None] * across[:, None, :]).astype(np.float32)
    return peaks
