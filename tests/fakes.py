"""Small real things that tests share: JPEGs, a clock moved by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np

from edgeloop.imaging import encode_jpeg
from edgeloop.types import ImageArray


def picture(width: int = 64, height: int = 48, *, seed: int = 0) -> ImageArray:
    """A coloured noise image (height, width, 3) uint8 RGB that no other seed gives."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return coarse.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]


def jpeg(width: int = 64, height: int = 48, *, seed: int = 0) -> bytes:
    """JPEG bytes of ``picture``."""
    return encode_jpeg(picture(width, height, seed=seed))


class HandClock:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)
