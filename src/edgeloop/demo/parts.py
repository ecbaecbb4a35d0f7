"""The shapes of washer, nut, gear and bolt: signed distances turned into coverage and height."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgeloop.demo.raster import Plane, plane, rise

CATEGORIES = ("bolt", "gear", "nut", "washer")


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a part lies: its centre and its size in drawn pixels, its turn in radians.

    ``size`` is the outer radius; for a bolt half of its length.
    """

    x: float
    y: float
    angle: float
    size: float


@dataclass(frozen=True, slots=True)
class Relief:
    """A part's surface on a window of the drawing, all planes of one shape.

    ``coverage`` is 0..1, ``height`` in pixels above the edge, ``shade`` darkens hollows,
    ``across`` runs across the marks of machining (pixels), which go along (``along_x``,
    ``along_y``). ``left`` and ``top`` place the window; ``thickness`` is in pixels.
    """

    left: int
    top: int
    thickness: float
    coverage: Plane
    height: Plane
    shade: Plane
    across: Plane
    along_x: Plane
    along_y: Plane

    @property
    def solid(self) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Which pixels of the window are the part's."""
        return np.asarray(self.coverage > 0.5)


def relief_of(category: str, pose: Pose, rng: np.random.Generator) -> Relief:
    """The surface of one part of ``category`` at ``pose``; its details are drawn from ``rng``."""
    return _CARVERS[category](pose, rng)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Pixel centres of a window in a part's own axes: ``u`` along it, ``v`` across, ``r`` out."""

    left: int
    top: int
    u: Plane
    v: Plane

    @property
    def r(self) -> Plane:
        return plane(np.hypot(self.u, self.v))


def _grid(pose: Pose, reach_x: float, reach_y: float) -> _Grid:
    left, right = math.floor(pose.x - reach_x) - 2, math.ceil(pose.x + reach_x) + 2
    top, bottom = math.floor(pose.y - reach_y) - 2, math.ceil(pose.y + reach_y) + 2
    x = plane(np.arange(left, right) + 0.5 - pose.x)[None, :]
    y = plane(np.arange(top, bottom) + 0.5 - pose.y)[:, None]
    cos, sin = math.cos(pose.angle), math.sin(pose.angle)
    return _Grid(left, top, plane(x * cos + y * sin), plane(y * cos - x * sin))


def _round_grid(pose: Pose) -> _Grid:
    return _grid(pose, pose.size, pose.size)


def _covered(distance: Plane) -> Plane:
    return plane(np.clip(0.5 - distance, 0.0, 1.0))


def _bevel(inside: Plane, width: float) -> Plane:
    """The height of an edge rounded over ``width`` pixels."""
    t = np.clip(inside / width, 0.0, 1.0)
    return plane(width * (1.0 - (1.0 - t) ** 2) * 0.75)


def _turned(grid: _Grid, pose: Pose, surface: tuple[float, Plane, Plane, Plane]) -> Relief:
    """A relief whose marks of machining are circles about the centre."""
    thickness, coverage, height, shade = surface
    r = grid.r + 1e-3
    cos, sin = math.cos(pose.angle), math.sin(pose.angle)
    out_x, out_y = (grid.u * cos - grid.v * sin) / r, (grid.u * sin + grid.v * cos) / r
    return Relief(
        left=grid.left,
        top=grid.top,
        thickness=thickness,
        coverage=coverage,
        height=height,
        shade=shade,
        across=plane(r),
        along_x=plane(-out_y),
        along_y=plane(out_x),
    )


def _straight(grid: _Grid, angle: float, surface: tuple[float, Plane, Plane, Plane]) -> Relief:
    """A relief whose marks of machining are lines, turned by ``angle`` from the part's length."""
    thickness, coverage, height, shade = surface
    return Relief(
        left=grid.left,
        top=grid.top,
        thickness=thickness,
        coverage=coverage,
        height=height,
        shade=shade,
        across=grid.v,
        along_x=plane(np.full_like(grid.u, math.cos(angle))),
        along_y=plane(np.full_like(grid.u, math.sin(angle))),
    )


def _washer(pose: Pose, rng: np.random.Generator) -> Relief:
    grid = _round_grid(pose)
    r = grid.r
    bore = pose.size * rng.uniform(0.53, 0.62)
    inside = np.minimum(pose.size - r, r - bore)
    edge = rng.uniform(2.0, 3.6)
    dish = rng.uniform(-0.03, 0.05) * r
    height = plane(_bevel(plane(inside), edge) + dish)
    surface = (4.0, _covered(plane(-inside)), height, plane(np.ones_like(r)))
    return _turned(grid, pose, surface)


def _hexagon(grid: _Grid, apothem: float) -> Plane:
    """How far inside a hexagon with corners on the u axis a pixel lies."""
    slanted = np.maximum(
        np.abs(grid.u * 0.8660254 + grid.v * 0.5), np.abs(grid.u * 0.8660254 - grid.v * 0.5)
    )
    return plane(apothem - np.maximum(np.abs(grid.v), slanted))


def _nut(pose: Pose, rng: np.random.Generator) -> Relief:
    grid = _round_grid(pose)
    r = grid.r
    apothem = pose.size * 0.8660254
    bore = apothem * rng.uniform(0.50, 0.57)
    throat = bore * 0.80
    inside = np.minimum(_hexagon(grid, apothem), r - throat)
    chamfer = 0.8 * np.maximum(r - apothem * rng.uniform(0.90, 0.96), 0.0)
    sink = np.maximum(bore * 1.10 - r, 0.0)
    thread = 0.9 * np.sin(r * (2 * math.pi / 3.4) + np.arctan2(grid.v, grid.u))
    in_bore = rise(bore + 0.8, bore - 0.8, r)
    height = _bevel(_hexagon(grid, apothem), 2.2) - chamfer - 0.8 * sink + in_bore * thread
    shade = 1.0 - 0.62 * in_bore
    surface = (18.0, _covered(plane(-inside)), plane(height), plane(shade))
    return _straight(grid, pose.angle, surface)


def _gear(pose: Pose, rng: np.random.Generator) -> Relief:
    grid = _round_grid(pose)
    r, angle = grid.r, plane(np.arctan2(grid.v, grid.u))
    outline = _teeth(r, angle, tip=pose.size, count=int(rng.integers(14, 20)))
    bore = pose.size * rng.uniform(0.17, 0.25)
    keyway = np.maximum(np.abs(grid.v) - bore * 0.26, np.abs(grid.u - bore * 0.8) - bore * 0.46)
    hollow = np.minimum(r - bore, keyway)
    hub, rim = bore + pose.size * rng.uniform(0.12, 0.17), pose.size * rng.uniform(0.60, 0.66)
    if rng.random() < 0.55:
        hollow = np.minimum(hollow, _bored(r, angle, (hub + rim) / 2, (rim - hub) * 0.33))
    inside = plane(np.minimum(outline, hollow))
    web = rise(hub - 0.5, hub + 2.5, r) * rise(rim + 0.5, rim - 2.5, r)
    collar = _bevel(plane(np.clip(hub - r, 0.0, 6.0)), 3.0)
    height = _bevel(inside, rng.uniform(2.4, 3.6)) - rng.uniform(2.2, 3.4) * web + 0.6 * collar
    surface = (9.0, _covered(-inside), plane(height), plane(1.0 - 0.16 * web))
    return _turned(grid, pose, surface)


def _teeth(r: Plane, angle: Plane, *, tip: float, count: int) -> Plane:
    """How far inside a toothed outline a pixel lies."""
    root = tip * (1.0 - 3.0 / (count + 2.0))
    pitch = 2 * math.pi / count
    phase = np.abs((angle / pitch) % 1.0 - 0.5) * pitch
    flank = (0.335 - 0.155 * (r - root) / (tip - root)) * pitch
    tooth = np.minimum(tip - r, (flank - phase) * r)
    return plane(np.maximum(root - r, tooth))


def _bored(r: Plane, angle: Plane, circle: float, radius: float) -> Plane:
    """How far outside a ring of five holes a pixel lies."""
    pitch = 2 * math.pi / 5
    phase = ((angle / pitch) % 1.0 - 0.5) * pitch
    return plane(np.hypot(r * np.cos(phase) - circle, r * np.sin(phase)) - radius)


def _bolt(pose: Pose, rng: np.random.Generator) -> Relief:
    half = pose.size
    shank = half * rng.uniform(0.155, 0.185)
    head = shank * rng.uniform(1.68, 1.82)
    neck = -half + shank * rng.uniform(1.45, 1.85)
    cos, sin = abs(math.cos(pose.angle)), abs(math.sin(pose.angle))
    grid = _grid(pose, half * cos + head * sin, half * sin + head * cos)
    pitch = max(5.6, 0.58 * shank)
    threaded = rise(0.0, 4.0, grid.u - neck - half * rng.choice([0.08, 0.35, 0.6]))
    ridge = _ridges(plane(grid.u / pitch + grid.v * 0.28 / shank)) * threaded
    shank_inside, shank_height = _shank(grid, (neck, half, shank), ridge)
    head_inside, head_height = _head(grid, (-half, neck, head))
    inside = np.maximum(shank_inside, head_inside)
    height = np.where(head_inside > 0, head_height + 0.45 * shank, shank_height)
    root = rise(neck + 0.45 * shank, neck, grid.u) * (head_inside <= 0)
    shade = (1.0 - 0.35 * root) * (1.0 - 0.22 * ridge)
    surface = (2.0 * shank, _covered(plane(-inside)), plane(height), plane(shade))
    return _straight(grid, pose.angle + math.pi / 2, surface)


def _ridges(turns: Plane) -> Plane:
    """Thread over turns: 0 on a crest, 1 in a root, with flat flanks."""
    return plane(np.clip(2.6 * np.abs(turns % 1.0 - 0.5) - 0.15, 0.0, 1.0))


def _shank(grid: _Grid, lengths: tuple[float, float, float], ridge: Plane) -> tuple[Plane, Plane]:
    start, end, radius = lengths
    chamfer = np.maximum(grid.u - (end - 0.55 * radius), 0.0)
    local = radius * (1.0 - 0.10 * ridge) - 0.8 * chamfer
    inside = np.minimum(np.minimum(grid.u - start, end - grid.u), local - np.abs(grid.v))
    barrel = np.sqrt(np.maximum(radius**2 - grid.v**2, 0.0))
    return plane(inside), plane(barrel - 0.20 * radius * ridge - 0.8 * chamfer)


def _head(grid: _Grid, lengths: tuple[float, float, float]) -> tuple[Plane, Plane]:
    start, end, width = lengths
    corner = width - 0.45 * np.maximum(start + 0.5 * width - grid.u, 0.0)
    inside = np.minimum(
        np.minimum(grid.u - start, end - grid.u), np.minimum(corner, width) - np.abs(grid.v)
    )
    facets = 0.95 * np.maximum(np.abs(grid.v) - width / 2, 0.0)
    return plane(inside), plane(0.9 * width - facets + _bevel(plane(inside), 2.6))


_CARVERS: dict[str, Callable[[Pose, np.random.Generator], Relief]] = {
    "bolt": _bolt,
    "gear": _gear,
    "nut": _nut,
    "washer": _washer,
}
