"""agentlace (once edgeml) by its names: ``import edgeloop.compat.agentlace as edgeml``.

Module paths, names, arguments, defaults and return values are agentlace's; underneath is
`edgeloop.stream`, which is what new code uses. docs/agentlace.md tells what differs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgeloop.compat.agentlace import action, data, inference, internal, trainer, zmq_wrapper
from edgeloop.compat.agentlace.action import ActionClient, ActionConfig, ActionServer
from edgeloop.compat.agentlace.inference import InferenceClient, InferenceServer
from edgeloop.compat.agentlace.trainer import (
    TrainerClient,
    TrainerConfig,
    TrainerServer,
    TrainerSMInterface,
)

if TYPE_CHECKING:
    from edgeloop.compat.agentlace import gym_env

__all__ = [
    "ActionClient",
    "ActionConfig",
    "ActionServer",
    "InferenceClient",
    "InferenceServer",
    "TrainerClient",
    "TrainerConfig",
    "TrainerSMInterface",
    "TrainerServer",
    "action",
    "data",
    "gym_env",
    "inference",
    "internal",
    "trainer",
    "zmq_wrapper",
]


def __getattr__(name: str) -> Any:
    if name == "gym_env":  # it needs Gymnasium
        return import_module(f"{__name__}.gym_env")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
