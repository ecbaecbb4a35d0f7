"""Stores of transitions: a queue on the robot, replay and trajectory buffers at the learner."""

from edgeloop.stream.stores.base import DataStore
from edgeloop.stream.stores.limiter import Limiter
from edgeloop.stream.stores.queue import QueuedDataStore
from edgeloop.stream.stores.replay import ReplayBuffer
from edgeloop.stream.stores.samplers import Prioritized, Uniform
from edgeloop.stream.stores.trajectory import TrajectoryBuffer
from edgeloop.stream.stores.windows import FutureWindow, LatestWindow, SequenceWindow, Window

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
