"""Gymnasium environments over the network: a server, and clients that are environments."""

from edgeloop.rl.gym_env.client import GymEnvClient
from edgeloop.rl.gym_env.server import GymEnvServer
from edgeloop.rl.gym_env.vector import GymVectorEnvClient

__all__ = ["GymEnvClient", "GymEnvServer", "GymVectorEnvClient"]
