"""What parts lie on: a conveyor's belt and rails, its wear, oil and swarf."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edgeloop.demo.metals import Light
from edgeloop.demo.raster import Plane, blurred, cloud, grain, plane, rise, scaled, slopes, tiled


@dataclass(frozen=True, slots=True)
class Belt:
    """A belt: RGB colour, the tile of its relief (given a scale), depth of pattern, sheen."""

    name: str
    colour: tuple[float, float, float]
    tile: Callable[[float], Plane]
    depth: float
    sheen: float


@dataclass(frozen=True, slots=True)
class Rails:
    """How many drawn pixels of the upper and the lower rail are in view; 0 is none."""

    upper: int
    lower: int


def draw_belt(
    belt: Belt, shape: tuple[int, int], *, light: Light, scale: float, rng: np.random.Generator
) -> Plane:
    """A lit belt of ``shape`` (height, width), its pattern ``scale`` times the usual size."""
    tile = belt.tile(scale)
    start = rng.integers(0, 64, 2)
    relief = tiled(tile, shape, offset=(int(start[0]), int(start[1])))
    fabric = grain(rng, shape)
    right, down = slopes(plane(relief * belt.depth + 0.20 * fabric))
    lean = (right * light.x + down * light.y) / light.z
    wear = 0.045 * cloud(rng, shape, cell_px=(70, 110)) + 0.02 * cloud(rng, shape, cell_px=(9, 240))
    tone = (1.0 - 0.62 * lean + 0.028 * fabric) * (1.0 + wear)
    tone = tone + belt.sheen * np.maximum(-lean - 0.1, 0.0)
    tone = tone * (1.0 - 0.13 * rise(0.5, 0.0, relief))
    colour = plane(belt.colour) * (1.0 + 0.012 * grain(rng, (3,)))
    return plane(np.maximum(tone, 0.05)[..., None] * colour)


def draw_rails(drawing: Plane, rails: Rails, rng: np.random.Generator) -> None:
    """Lay the aluminium rails over the upper and lower edge of ``drawing``, with their shadow."""
    height, width = drawing.shape[:2]
    shade = np.ones(height, dtype=np.float32)
    rows = np.arange(height, dtype=np.float32)
    if rails.upper:
        shade *= 1.0 - 0.55 * np.exp(-np.maximum(rows - rails.upper, 0.0) / 9.0)
    if rails.lower:
        shade *= 1.0 - 0.30 * np.exp(-np.maximum(height - rails.lower - rows, 0.0) / 4.0)
    drawing *= shade[:, None, None]
    tint = plane((0.98, 1.0, 1.04)) * (1.0 + 0.007 * grain(rng, (3,)))
    if rails.upper:
        drawing[: rails.upper] = _rail(rails.upper, width, rng)[..., None] * tint
    if rails.lower:
        drawing[-rails.lower :] = _rail(rails.lower, width, rng)[::-1, :, None] * tint


def spill_oil(drawing: Plane, rng: np.random.Generator) -> None:
    """Darken ``drawing`` by a few stains with a wet rim."""
    shape = (drawing.shape[0], drawing.shape[1])
    quarter = (shape[0] // 4, shape[1] // 4)
    blots = cloud(rng, quarter, cell_px=(17, 17)) + 0.55 * cloud(rng, quarter, cell_px=(6, 6))
    level = rng.uniform(0.95, 1.7)
    stain = rise(level, level + 0.8, plane(blots))
    rim = rise(level - 0.25, level, plane(blots)) - rise(level + 0.1, level + 0.35, plane(blots))
    wet = 1.0 - rng.uniform(0.25, 0.5) * stain + 0.06 * np.maximum(rim, 0.0)
    drawing *= scaled(plane(wet), shape)[..., None]


def scratch(drawing: Plane, rng: np.random.Generator) -> None:
    """A few thin scuffs along the belt's way."""
    height, width = drawing.shape[0], drawing.shape[1]
    marks = np.zeros((height, width), dtype=np.uint8)
    for _ in range(int(rng.integers(2, 7))):
        x, y = rng.uniform(0, width), rng.uniform(30, height - 30)
        reach, lean = rng.uniform(25, 160), rng.normal(0, 0.10)
        _stroke(marks, [(x, y), (x + reach, y + reach * lean)], int(rng.integers(60, 200)), 1)
    drawing *= 1.0 + 0.14 * (plane(marks) / 255.0)[..., None]


def scatter_swarf(drawing: Plane, rng: np.random.Generator) -> None:
    """Curled chips of metal, each with a small shadow."""
    chips = np.zeros(drawing.shape[:2], dtype=np.uint8)
    for _ in range(int(rng.integers(3, 13))):
        _stroke(chips, _curl(chips.shape, rng), int(rng.integers(150, 255)), 2)
    shadow = blurred(plane(np.roll(chips, (2, 2), (0, 1))), 1.2) / 255.0
    drawing *= 1.0 - 0.45 * shadow[..., None]
    cover = (plane(chips) / 255.0)[..., None]
    drawing += (rng.uniform(0.42, 0.72) - drawing) * cover


def _ribs(scale: float) -> Plane:
    """Ribs across the belt: one row, one period."""
    period = max(8, round(32 * scale))
    x = np.abs(np.arange(period, dtype=np.float32) / period - 0.5)
    return plane(np.sqrt(np.maximum(1.0 - (x / 0.36) ** 2, 0.0)) * period / 32)[None, :]


def _diamonds(scale: float) -> Plane:
    """Raised diamonds with flat tops."""
    period = max(12, round(30 * scale))
    ramp = (np.arange(period, dtype=np.float32) + 0.5) / period - 0.5
    reach = np.abs(ramp)[None, :] + np.abs(ramp)[:, None]
    tops = rise(0.46, 0.36, plane(reach)) + rise(0.54, 0.64, plane(reach))
    return plane(tops * period / 30)


def _weave(scale: float) -> Plane:
    """A fine woven face: warp over weft over warp."""
    period = max(4, 2 * round(5 * scale))
    phase = np.arange(period, dtype=np.float32) * (2 * math.pi / period)
    return plane(np.sin(phase)[None, :] * np.sin(phase)[:, None] * 0.8)


GREEN = Belt("green ribbed", (0.365, 0.410, 0.355), tile=_ribs, depth=1.6, sheen=0.10)
BLACK = Belt("black diamond", (0.150, 0.150, 0.158), tile=_diamonds, depth=2.6, sheen=0.75)
BLUE = Belt("blue woven", (0.170, 0.345, 0.500), tile=_weave, depth=0.55, sheen=0.12)


def _rail(thickness: int, width: int, rng: np.random.Generator) -> Plane:
    """An aluminium profile seen from above, its inner edge last (thickness, width)."""
    at = (np.arange(thickness, dtype=np.float32) + 0.5) / thickness
    tone = 0.40 + 0.16 * np.sin(at * math.pi)
    tone += 0.42 * np.exp(-(((at - 0.62) / 0.09) ** 2)) + 0.16 * np.exp(-(((at - 0.2) / 0.1) ** 2))
    tone *= 1.0 - 0.55 * np.exp(-(((at - 0.38) / 0.06) ** 2))
    tone *= 1.0 - 0.78 * rise(0.84, 0.93, plane(at))
    brushed = 1.0 + 0.05 * cloud(rng, (thickness, width), cell_px=(1.2, 120))
    wander = 1.0 + 0.07 * cloud(rng, (1, width), cell_px=(1, 150))
    return plane(tone[:, None] * brushed * wander)


def _curl(shape: tuple[int, ...], rng: np.random.Generator) -> list[tuple[float, float]]:
    """Points along a chip that bends ever more."""
    x, y = rng.uniform(0, shape[1]), rng.uniform(0, shape[0])
    heading, bend = rng.uniform(0, 2 * math.pi), rng.normal(0, 0.30)
    points = []
    for _ in range(int(rng.integers(4, 11))):
        points.append((x, y))
        x, y = x + 3.4 * math.cos(heading), y + 3.4 * math.sin(heading)
        heading, bend = heading + bend, bend * 1.12
    return points


def _stroke(
    marks: npt.NDArray[np.uint8], points: list[tuple[float, float]], brightness: int, thickness: int
) -> None:
    fixed = np.asarray(points, dtype=np.float64) * 16
    path = fixed.astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(marks, [path], False, brightness, thickness, cv2.LINE_AA, 4)
