"""Episodes on disk: frames per second written and read, per layout and kind of image."""

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgeloop.rl import EpisodeLog, Episodes
from stream.rows import Row, rates, times

_STEPS = 100
_SIDE = 128
_KINDS: dict[Any, tuple[Any, ...]] = {
    "rlds": ("raw", "png", "jpeg"),
    "lerobot": ("png", "jpeg"),
}


def measure(rounds: int, only: str = "") -> Iterator[Row]:
    """Rows for each layout and kind of image; the limit is a file of the same pixels, synced."""
    steps = _steps()
    folder = Path(tempfile.mkdtemp(prefix="edgeloop-episodes-"))
    try:
        for layout, kinds in _KINDS.items():
            for images in kinds:
                if only in (name := f"episodes, {layout} {images}"):
                    yield from _rows(name, folder, steps, rounds, layout=layout, images=images)
    finally:
        shutil.rmtree(folder)


def _rows(
    name: str, folder: Path, steps: list[dict[str, Any]], rounds: int, **options: Any
) -> Iterator[Row]:
    here = folder / f"{options['layout']}-{options['images']}"
    pixels = b"".join(step["observation"]["image"].tobytes() for step in steps)
    written, limits, read, cpu_s = [], [], [], []
    with EpisodeLog(here, **options) as log:
        log.write(steps)  # imports what is imported late
        for number in range(rounds):
            begun_cpu_s = time.process_time()
            written.append(_timed(lambda: log.write(steps)))
            cpu_s.append(time.process_time() - begun_cpu_s)
            limits.append(_timed(lambda: _write_synced(folder / "limit", pixels)))
            read.append(_timed(lambda number=number: Episodes(here)[number]))
    size = sum(path.stat().st_size for path in here.rglob("*") if path.is_file())
    middle = statistics.median
    limit = _STEPS / middle(limits)
    yield rates(f"{name}: write", "frames/s", _STEPS / middle(written), None, limit=limit)
    yield times(f"{name}: write, CPU", "ms/frame", 1000 * middle(cpu_s) / _STEPS, None)
    yield rates(f"{name}: read", "frames/s", _STEPS / middle(read), None)
    yield times(f"{name}: on disk", "kB/frame", size / 1000 / _STEPS / (rounds + 1), None)


def _timed(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _steps() -> list[dict[str, Any]]:
    """A ramp that moves, a disc on it, and the noise of a camera."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:_SIDE, :_SIDE]
    steps = []
    for number in range(_STEPS):
        ramp = np.stack([rows + number, columns + number, rows + columns], axis=2) % 256
        is_disc = (rows - 64) ** 2 + (columns - 10 - number) ** 2 < 400
        ramp[is_disc] = (200, 40, 40)
        noisy = ramp + random.normal(0, 3, ramp.shape)
        image = np.clip(noisy, 0, 255).astype(np.uint8)
        state = random.normal(size=14).astype(np.float32)
        seen = {"image": image, "state": state}
        steps.append({"observation": seen, "action": state[:7], "reward": np.float32(0)})
    return steps
