"""Trajectory buffers of agentlace's names, filled with journeys: stops at so many km."""

from typing import Any

from edgeloop.compat.agentlace.data.trajectory_buffer import DataShape, TrajectoryBuffer

COLUMNS = [DataShape("km", dtype="int64"), DataShape("view", (2, 3), "uint8")]


def stop(km: int) -> dict[str, Any]:
    """What a traveller notes."""
    return {"km": km, "view": [[km % 256] * 3] * 2}


def travel(buffer: TrajectoryBuffer, *stretches: range) -> None:
    """Make these journeys, each to its end."""
    for stretch in stretches:
        for km in stretch:
            buffer.insert(stop(km))
        buffer.end_trajectory()


def travelled(*stretches: range, capacity: int = 60, **options: Any) -> TrajectoryBuffer:
    """A buffer of these journeys."""
    buffer = TrajectoryBuffer(capacity, COLUMNS, **options)
    travel(buffer, *stretches)
    return buffer


def receive(buffer: TrajectoryBuffer, origin: str, *kms: int, end: bool = False) -> None:
    """Stops that one of several travellers sent."""
    buffer.insert_from(origin, [stop(km) for km in kms], end)


def numbers(buffer: TrajectoryBuffer) -> list[int]:
    """All steps that can be sampled."""
    return list(range(buffer._sample_begin_idx, buffer._sample_end_idx))
