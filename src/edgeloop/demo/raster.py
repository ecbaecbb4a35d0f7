"""Planes of float32 pixels: smooth steps, blur, scale, slopes, noise, and tiles that repeat."""

from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

Plane: TypeAlias = npt.NDArray[np.floating[Any]]
"""Height x width, or height x width x 3 for colour; 1.0 is white."""

_DEVIATION_AFTER_BLUR = 3.5  # white noise loses 1 / 3.5 of it to a blur of one pixel


def plane(values: Any) -> Plane:
    """Any numbers as a float32 plane."""
    return np.asarray(values, dtype=np.float32)


def rise(low: float, high: float, values: Plane) -> Plane:
    """0 up to ``low``, 1 from ``high`` on, a smooth S between; falls if ``low`` > ``high``."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return plane(t * t * (3.0 - 2.0 * t))


def blurred(values: Plane, sigma_px: float) -> Plane:
    """A Gaussian blur that keeps the shape; edges repeat outwards."""
    return plane(cv2.GaussianBlur(values, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE))


def scaled(values: Plane, shape: tuple[int, int]) -> Plane:
    """``values`` stretched smoothly to (height, width)."""
    return plane(cv2.resize(values, shape[::-1], interpolation=cv2.INTER_CUBIC))


def slopes(height: Plane) -> tuple[Plane, Plane]:
    """How steeply ``height`` climbs to the right and downwards, per pixel."""
    right = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    down = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    return plane(right), plane(down)


def grain(rng: np.random.Generator, shape: tuple[int, ...]) -> Plane:
    """White noise, mean 0, deviation 1."""
    return rng.standard_normal(shape, dtype=np.float32)


def cloud(
    rng: np.random.Generator, shape: tuple[int, int], *, cell_px: tuple[float, float]
) -> Plane:
    """Smooth noise, mean 0, deviation about 1, with lumps of ``cell_px`` (height, width)."""
    coarse = tuple(int(2 * length / cell) + 2 for length, cell in zip(shape, cell_px, strict=True))
    lumps = blurred(grain(rng, coarse), 1.0) * _DEVIATION_AFTER_BLUR
    return scaled(plane(lumps), shape)


def tiled(tile: Plane, shape: tuple[int, int], *, offset: tuple[int, int]) -> Plane:
    """``tile`` repeated over ``shape``, begun ``offset`` (rows, columns) into it."""
    rows = (np.arange(shape[0]) + offset[0]) % tile.shape[0]
    columns = (np.arange(shape[1]) + offset[1]) % tile.shape[1]
    return plane(tile[rows[:, None], columns[None, :]])
