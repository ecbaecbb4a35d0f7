"""Which frames are worth a look: rules whose names become tags, and a memory per camera."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeloop.types import (
    AnyDetection,
    BoxDetection,
    ClassificationDetection,
    Detections,
    Frame,
    PointDetection,
)

Clock = Callable[[], float]
_Rows = npt.NDArray[np.float64]

SAME_OVERLAP = 0.8
SAME_CONFIDENCE = 0.05
POINT_SIDE_PX = 90.0
"""A point counts as a box of this side, so that 10 pixels away is another place."""

_CATEGORY, _BOX, _CONFIDENCE, _SEEN = 0, slice(1, 5), 5, 6


@dataclass(frozen=True, slots=True)
class Band:
    """The confidences (0..1) between which a model is unsure, both included."""

    low: float = 0.3
    high: float = 0.6


def uncertain(detections: Detections, band: Band) -> list[AnyDetection]:
    """What the model is unsure of."""
    return [item for item in detections if band.low <= item.confidence <= band.high]


RULES: tuple[Callable[[Detections, Band], list[AnyDetection]], ...] = (uncertain,)


class Selector:
    """Says why a frame is kept; remembers, per camera, what was seen for ``memory_s`` seconds.

    A detection is known if its camera saw the same category at the same place (overlap above 0.8)
    with about the same confidence (0.05). A frame in which a rule finds only what is known is not
    kept again; what stays in sight stays known. Classifications have no place: the category and
    the confidence decide. The oldest of more than ``max_remembered`` detections, and the longest
    unseen of more than ``max_cameras`` cameras, are forgotten. The camera without a name is one.
    """

    def __init__(
        self,
        band: Band,
        *,
        memory_s: float = 600.0,
        clock: Clock = time.monotonic,
        max_remembered: int = 1000,
        max_cameras: int = 256,
    ) -> None:
        self._band = band
        self._memory_s = memory_s
        self._clock = clock
        self._max_remembered = max_remembered
        self._max_cameras = max_cameras
        self._cameras: OrderedDict[str, _Rows] = OrderedDict()
        self._category_numbers: dict[str, int] = {}

    def reasons(self, frame: Frame, detections: Detections) -> tuple[str, ...]:
        """Why to keep the frame; empty where it is not worth it or the caller forbids it.

        ``all`` stands for the caller's wish, the others are names of rules.
        """
        if frame.wish == "disabled":
            return ()
        found = tuple(
            rule.__name__
            for rule in RULES
            if self._is_news(frame.camera_id, rule(detections, self._band))
        )
        return ("all", *found) if frame.wish == "all" else found

    def forget(self, camera_id: str) -> None:
        """What this camera saw could not be kept: it counts as unseen, so that it is kept later."""
        self._cameras.pop(camera_id, None)

    def _is_news(self, camera_id: str, items: Sequence[AnyDetection]) -> bool:
        if not items:
            return False
        now = self._clock()
        rows = self._rows(items, now)
        known = self._recall(camera_id, now)
        same = _same(rows, known)
        known[same.any(axis=0), _SEEN] = now
        fresh = rows[~same.any(axis=1)]
        self._remember(camera_id, np.concatenate([known, fresh]))
        return len(fresh) > 0

    def _recall(self, camera_id: str, now: float) -> _Rows:
        known = self._cameras.get(camera_id, np.empty((0, _SEEN + 1)))
        return known[known[:, _SEEN] > now - self._memory_s]

    def _remember(self, camera_id: str, rows: _Rows) -> None:
        if len(rows) > self._max_remembered:
            rows = rows[np.argsort(rows[:, _SEEN], kind="stable")][-self._max_remembered :]
        self._cameras[camera_id] = rows
        self._cameras.move_to_end(camera_id)
        if len(self._cameras) > self._max_cameras:
            self._cameras.popitem(last=False)

    def _rows(self, items: Sequence[AnyDetection], now: float) -> _Rows:
        numbers = self._category_numbers
        return np.array(
            [
                (
                    numbers.setdefault(item.category_id or item.category_name, len(numbers)),
                    *_corners(item),
                    item.confidence,
                    now,
                )
                for item in items
            ],
            dtype=np.float64,
        )


def _corners(item: AnyDetection) -> tuple[float, float, float, float]:
    """Left, top, right, bottom in pixels."""
    if isinstance(item, BoxDetection):
        return item.x, item.y, item.x + item.width, item.y + item.height
    if isinstance(item, PointDetection):
        half = POINT_SIDE_PX / 2
        return item.x - half, item.y - half, item.x + half, item.y + half
    if isinstance(item, ClassificationDetection):
        return 0.0, 0.0, 1.0, 1.0
    across, down = zip(*item.points, strict=True)
    return min(across), min(down), max(across), max(down)


def _same(new: _Rows, known: _Rows) -> npt.NDArray[np.bool_]:
    """(n, m): which of the known detections each new one repeats."""
    category = new[:, None, _CATEGORY] == known[None, :, _CATEGORY]
    confidence = np.abs(new[:, None, _CONFIDENCE] - known[None, :, _CONFIDENCE]) <= SAME_CONFIDENCE
    overlap = _overlaps(new[:, _BOX], known[:, _BOX]) > SAME_OVERLAP
    same: npt.NDArray[np.bool_] = category & confidence & overlap
    return same


def _overlaps(new: _Rows, known: _Rows) -> _Rows:
    """(n, 4) and (m, 4) corners -> (n, m) intersection over union.

    Corners count as pixels of the box, so that a box without width overlaps with itself.
    """
    low = np.maximum(new[:, None, :2], known[None, :, :2])
    high = np.minimum(new[:, None, 2:], known[None, :, 2:])
    shared = np.clip(high - low + 1, 0, None).prod(axis=2)
    union = _areas(new)[:, None] + _areas(known)[None, :] - shared
    ratios: _Rows = shared / union
    return ratios


def _areas(boxes: _Rows) -> _Rows:
    areas: _Rows = np.clip(boxes[:, 2:] - boxes[:, :2] + 1, 1, None).prod(axis=1)
    return areas
