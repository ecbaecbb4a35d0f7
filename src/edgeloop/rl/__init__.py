"""Reinforcement learning: environments over the network, episodes on disk."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgeloop.errors import ConfigError

if TYPE_CHECKING:
    from edgeloop.rl.curve import Evaluation, draw_curve
    from edgeloop.rl.episodes import Episode, EpisodeLog, Episodes
    from edgeloop.rl.gym_env import GymEnvClient, GymEnvServer, GymVectorEnvClient
    from edgeloop.rl.logged_env import LoggedEnv
    from edgeloop.rl.sb3 import EnvElsewhere, StoreReplay, learner_on
    from edgeloop.rl.weights import load_weights, weights_of

__all__ = [
    "EnvElsewhere",
    "Episode",
    "EpisodeLog",
    "Episodes",
    "Evaluation",
    "GymEnvClient",
    "GymEnvServer",
    "GymVectorEnvClient",
    "LoggedEnv",
    "StoreReplay",
    "draw_curve",
    "learner_on",
    "load_weights",
    "weights_of",
]

_HOMES = {
    "EnvElsewhere": "edgeloop.rl.sb3",
    "Episode": "edgeloop.rl.episodes",
    "EpisodeLog": "edgeloop.rl.episodes",
    "Episodes": "edgeloop.rl.episodes",
    "Evaluation": "edgeloop.rl.curve",
    "GymEnvClient": "edgeloop.rl.gym_env",
    "GymEnvServer": "edgeloop.rl.gym_env",
    "GymVectorEnvClient": "edgeloop.rl.gym_env",
    "LoggedEnv": "edgeloop.rl.logged_env",
    "StoreReplay": "edgeloop.rl.sb3",
    "draw_curve": "edgeloop.rl.curve",
    "learner_on": "edgeloop.rl.sb3",
    "load_weights": "edgeloop.rl.weights",
    "weights_of": "edgeloop.rl.weights",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        message = f"{error.name} is not installed: pip install 'edgeloop[rl]'."
        raise ConfigError(message) from error


def __dir__() -> list[str]:
    return __all__
