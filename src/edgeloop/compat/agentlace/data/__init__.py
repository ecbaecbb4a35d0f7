"""agentlace.data: stores of transitions. ``ReplayBuffer`` is the one that edgeml's README uses."""

from typing import Any

from edgeloop.compat.agentlace.data import (
    data_store,
    jaxrl_data_store,
    rlds_writer,
    sampler,
    tf_agents_episode_buffer,
    tfds,
    trajectory_buffer,
)
from edgeloop.compat.agentlace.data.jaxrl_data_store import ReplayBufferDataStore, RldsLogger

__all__ = [
    "ReplayBuffer",
    "data_store",
    "jaxrl_data_store",
    "rlds_writer",
    "sampler",
    "tf_agents_episode_buffer",
    "tfds",
    "trajectory_buffer",
]


class ReplayBuffer(ReplayBufferDataStore):
    """A replay buffer; without spaces the first transition decides shapes and types."""

    def __init__(
        self,
        observation_space: Any = None,  # of gym or Gymnasium
        action_space: Any = None,
        capacity: int = 1_000_000,
        rlds_logger: RldsLogger | None = None,
    ) -> None:
        super().__init__(observation_space, action_space, capacity, rlds_logger)
