"""The drawing: parts are laid on it one over another, each with its shadows."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edgeloop.demo.metals import Light
from edgeloop.demo.parts import Relief
from edgeloop.demo.raster import Plane, blurred, plane

_NOBODY = -1
_SHADOW_REACH_PX = 26


@dataclass(frozen=True, slots=True)
class Placed:
    """What was laid: a tight box in drawn pixels, not clipped, and the number of its pixels."""

    left: int
    top: int
    right: int
    bottom: int
    pixels: int


class Canvas:
    """Colours (height, width, 3) and, for each pixel, the part on top of it."""

    def __init__(self, background: Plane) -> None:
        self.colours = background
        self.placed: list[Placed] = []
        self._owner = np.full(background.shape[:2], _NOBODY, dtype=np.int16)

    def lay(self, relief: Relief, colours: Plane, *, light: Light) -> Placed:
        """Put a part with ``colours`` (height, width, 3) on top of all that lies there."""
        self._cast_shadow(relief, light)
        here, there = self._windows(relief.left, relief.top, relief.coverage.shape)
        cover = relief.coverage[there][..., None]
        under = self.colours[here]
        under += (colours[there] - under) * cover
        solid = relief.solid
        self._owner[here][solid[there]] = len(self.placed)
        placed = _tight(relief, solid)
        self.placed.append(placed)
        return placed

    def visible_share(self, index: int) -> float:
        """How much of part ``index`` is inside the drawing and not covered by others, 0..1."""
        seen = int(np.count_nonzero(self._owner == index))
        return seen / max(self.placed[index].pixels, 1)

    def _cast_shadow(self, relief: Relief, light: Light) -> None:
        """A wide soft shadow away from the lamp and a dark thin one where metal meets belt."""
        reach = _SHADOW_REACH_PX
        wide = cv2.copyMakeBorder(
            relief.coverage, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0.0
        )
        length = 0.9 * relief.thickness / light.z
        away = (-light.x * length, -light.y * length)
        soft = _moved(blurred(plane(wide), 2.0 + 0.22 * relief.thickness), away)
        far = _moved(blurred(plane(wide), 6.0), (0.3 * away[0], 0.3 * away[1]))
        contact = _moved(blurred(plane(wide), 1.6), (0.2 * away[0], 0.2 * away[1]))
        lit = (1.0 - 0.46 * soft) * (1.0 - 0.22 * far) * (1.0 - 0.45 * contact)
        here, there = self._windows(relief.left - reach, relief.top - reach, lit.shape)
        self.colours[here] *= lit[there][..., None]

    def _windows(
        self, left: int, top: int, shape: tuple[int, ...]
    ) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """The part of a window at (left, top) inside the canvas: there, and in the window."""
        height, width = self.colours.shape[:2]
        rows = (max(top, 0), max(min(top + shape[0], height), 0))
        columns = (max(left, 0), max(min(left + shape[1], width), 0))
        here = (slice(*rows), slice(*columns))
        there = (
            slice(rows[0] - top, max(rows[1] - top, 0)),
            slice(columns[0] - left, max(columns[1] - left, 0)),
        )
        return here, there


def _moved(values: Plane, by: tuple[float, float]) -> Plane:
    shift = np.array([[1, 0, by[0]], [0, 1, by[1]]], dtype=np.float32)
    return plane(cv2.warpAffine(values, shift, values.shape[::-1], flags=cv2.INTER_LINEAR))


def _tight(relief: Relief, solid: npt.NDArray[np.bool_]) -> Placed:
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    return Placed(
        left=relief.left + int(columns[0]),
        top=relief.top + int(rows[0]),
        right=relief.left + int(columns[-1]) + 1,
        bottom=relief.top + int(rows[-1]) + 1,
        pixels=int(np.count_nonzero(solid)),
    )
