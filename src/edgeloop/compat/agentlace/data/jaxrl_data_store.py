"""agentlace.data.jaxrl_data_store: replay and trajectory buffers of a learner; numpy is enough."""

import importlib
import threading
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any

import numpy as np

from edgeloop import stream
from edgeloop.compat.agentlace.data.data_store import DataStoreBase
from edgeloop.compat.agentlace.data.sampler import LatestSampler, SequenceSampler
from edgeloop.compat.agentlace.data.trajectory_buffer import DataShape, TrajectoryBuffer
from edgeloop.compat.agentlace.payloads import plain
from edgeloop.errors import ConfigError, InputError

RldsLogger = Callable[..., Any]
"""Called with action, obs, reward, step_type; oxe_envlogger's RLDSLogger is one."""


class StepType(IntEnum):
    """What a logger is told of a step, by oxe_envlogger's names and numbers."""

    RESTART = 0
    TRANSITION = 1
    TERMINATION = 2
    TRUNCATION = 3


class TrajectoryBufferDataStore(TrajectoryBuffer, DataStoreBase):
    """A trajectory buffer that several threads may use, and a server may insert into."""

    def __init__(
        self,
        capacity: int,
        data_shapes: Sequence[DataShape],
        device: Any = None,  # a jax.Device: without effect
        seed: int = 0,
        min_trajectory_length: int = 2,
        rlds_logger: RldsLogger | None = None,
    ) -> None:
        super().__init__(capacity, data_shapes, seed, min_trajectory_length, device)
        self._lock = threading.RLock()
        self._logger = None if rlds_logger is None else _Logger(rlds_logger)

    def insert(self, data: Mapping[str, Any], end_of_trajectory: bool = False) -> None:
        """Keep one step; ``end_of_trajectory``, here or in it, ends its trajectory."""
        self.insert_from(None, [data], end_of_trajectory)

    def insert_from(
        self,
        origin: str | None,
        items: Sequence[Mapping[str, Any]],
        end_of_trajectory: bool = False,
    ) -> None:
        """As TrajectoryBuffer says."""
        with self._lock:
            super().insert_from(origin, items, end_of_trajectory)
            if self._logger:
                for item in items:
                    self._logger(item)

    def end_trajectory(self) -> None:
        """End a trajectory without a step."""
        with self._lock:
            super().end_trajectory()

    def sample(
        self, sampler_name: str, batch_size: int, force_indices: Any = None
    ) -> tuple[Any, Any]:
        """As TrajectoryBuffer says."""
        with self._lock:
            return super().sample(sampler_name, batch_size, force_indices)

    def get_latest_data(self, from_id: int) -> list[Any]:
        """Not implemented, as in agentlace: it is a server's store."""
        raise NotImplementedError("A trajectory buffer is a server's store: clients use a queue.")


class ReplayBufferDataStore(DataStoreBase):
    """The newest ``capacity`` transitions, sampled in batches; large frames are kept once.

    A transition has observations, next_observations, actions, rewards and masks, of the spaces'
    shapes and types. The spaces are Gymnasium's or gym's: Box, Discrete, Dict of them ...
    """

    def __init__(
        self,
        observation_space: Any,  # of either library, neither of which need be installed
        action_space: Any,
        capacity: int,
        rlds_logger: RldsLogger | None = None,
    ) -> None:
        super().__init__(capacity)
        self._store = stream.ReplayBuffer(observation_space, action_space, capacity)
        self._logger = None if rlds_logger is None else _Logger(rlds_logger)

    def insert(self, data: Mapping[str, Any]) -> None:
        """Keep one transition, copied; raises InputError where it does not fit."""
        self._store.insert(plain(data))
        if self._logger:
            self._logger(data)

    def sample(
        self, batch_size: int, keys: Sequence[str] | None = None, indx: Any = None
    ) -> dict[str, Any]:
        """A batch, or that of the rows ``indx``; of it the ``keys``, by default all.

        Row i is the i-th that was inserted, modulo capacity.
        """
        batch = self._store.sample(batch_size) if indx is None else self._rows(np.asarray(indx))
        return batch if keys is None else {key: batch[key] for key in keys}

    def latest_data_id(self) -> int:
        """How many transitions were inserted: the first one has the id 1."""
        return self._store.cursor

    def get_latest_data(self, from_id: int) -> list[Any]:
        """Copies of the transitions with ids above ``from_id`` that are still held."""
        return self._store.since(max(0, from_id))[0]

    def __len__(self) -> int:
        return len(self._store)

    def _rows(self, positions: Any) -> dict[str, Any]:
        end, count = self._store.cursor, len(self._store)
        if not ((positions >= 0) & (positions < count)).all():
            raise InputError(f"indx has rows from 0 to {count - 1}.")
        numbers = end - 1 - (end - 1 - positions) % self.capacity
        rows = [self._store.batch_since(int(number), limit=1)[0] for number in numbers]
        return _joined(rows)


def make_default_trajectory_buffer(
    observation_space: Any,  # of gym or Gymnasium
    action_space: Any,
    capacity: int,
    device: Any = None,  # a jax.Device: without effect
    rlds_logger: RldsLogger | None = None,
) -> TrajectoryBufferDataStore:
    """A trajectory buffer for transitions, with the sampler "training".

    Its batches have the ``observations`` of a step and, as ``next_observations``, those of the
    next step of the same trajectory. Raises ConfigError for spaces without a single shape.
    """
    for space in (observation_space, action_space):
        if getattr(space, "shape", None) is None or hasattr(space, "spaces"):
            raise ConfigError(
                f"A {type(space).__name__} has no single shape: use ReplayBufferDataStore."
            )
    seen = (observation_space.shape, observation_space.dtype)
    buffer = TrajectoryBufferDataStore(
        capacity,
        [
            DataShape("observations", *seen),
            DataShape("next_observations", *seen),
            DataShape("actions", action_space.shape, action_space.dtype),
            DataShape("rewards", (), "float64"),
            DataShape("masks", (), "float64"),
            DataShape("end_of_trajectory", (), "bool"),
        ],
        device=device,
        min_trajectory_length=2,
        rlds_logger=rlds_logger,
    )
    latest = {
        name: LatestSampler()
        for name in ("observations", "actions", "rewards", "masks", "end_of_trajectory")
    }
    following = SequenceSampler(squeeze=True, begin=1, end=2, source="observations")
    samplers = {**latest, "next_observations": following}
    buffer.register_sample_config("training", samplers, sample_range=(0, 2))
    return buffer


class _Logger:
    """Tells a logger of each transition what kind of step it was."""

    def __init__(self, logger: RldsLogger) -> None:
        self._log = logger
        self._types = _step_types()
        self._has_ended = True

    def __call__(self, data: Mapping[str, Any]) -> None:
        self._log(
            action=data["actions"],
            obs=data["next_observations"],
            reward=data["rewards"],
            step_type=self._next(data),
        )

    def _next(self, data: Mapping[str, Any]) -> Any:
        is_first = self._has_ended
        is_terminal = not np.all(data.get("masks", True))
        is_truncated = bool(np.any(data.get("end_of_trajectory", False)))
        self._has_ended = is_terminal or is_truncated
        if is_first:
            return self._types.RESTART
        if is_terminal:
            return self._types.TERMINATION
        return self._types.TRUNCATION if is_truncated else self._types.TRANSITION


def _step_types() -> Any:
    """oxe_envlogger's enumeration where that is installed, which its logger compares with."""
    try:
        return importlib.import_module("oxe_envlogger.rlds_logger").RLDSStepType
    except ImportError:
        return StepType


def _joined(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        key: _joined([row[key] for row in rows])
        if isinstance(value, Mapping)
        else np.concatenate([row[key] for row in rows])
        for key, value in rows[0].items()
    }
