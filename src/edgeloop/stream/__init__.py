"""Robots, policies and replay at low latency, without a web stack."""

from edgeloop.stream.stores import (
    DataStore,
    FutureWindow,
    LatestWindow,
    Limiter,
    Prioritized,
    QueuedDataStore,
    ReplayBuffer,
    SequenceWindow,
    TrajectoryBuffer,
    Uniform,
    Window,
)

__all__ = [
    "DataStore",
    "FutureWindow",
    "LatestWindow",
    "Limiter",
    "Prioritized",
    "QueuedDataStore",
    "ReplayBuffer",
    "SequenceWindow",
    "TrajectoryBuffer",
    "Uniform",
    "Window",
]
