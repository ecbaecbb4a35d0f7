"""Trajectory buffers by agentlace's names, filled with steps that say where they are."""

from typing import Any

import numpy as np

from edgeloop.compat.agentlace.data.sampler import LatestSampler
from edgeloop.compat.agentlace.data.trajectory_buffer import DataShape, TrajectoryBuffer

SHAPES = [
    DataShape("data", (2,)),
    DataShape("index", dtype="int32"),
    DataShape("trajectory_id", dtype="int32"),
]
LATEST = {name: LatestSampler() for name in ("data", "index", "trajectory_id")}


def row(index: int, trajectory: int) -> dict[str, Any]:
    return {"data": 1.5, "index": index, "trajectory_id": trajectory}


def add(buffer: Any, length: int, trajectory: int, *, end: bool = True) -> None:
    for index in range(length):
        buffer.insert(row(index, trajectory))
    if end:
        buffer.end_trajectory()


def made(*lengths: int, capacity: int = 100, least: int = 2, end: bool = True) -> TrajectoryBuffer:
    """A trajectory of each length; the last one goes on unless ``end``."""
    buffer = TrajectoryBuffer(capacity, SHAPES, min_trajectory_length=least)
    for trajectory, length in enumerate(lengths):
        add(buffer, length, trajectory, end=end or trajectory < len(lengths) - 1)
    return buffer


def every(buffer: TrajectoryBuffer) -> Any:
    """The numbers of all rows that can be sampled."""
    return np.arange(buffer._sample_begin_idx, buffer._sample_end_idx)
