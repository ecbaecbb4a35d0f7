"""Off-policy algorithms of Stable-Baselines3 that learn from a store, without an environment."""

from collections.abc import Mapping
from typing import Any, TypeVar

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import BaseBuffer
from stable_baselines3.common.buffers import ReplayBuffer as Sb3Buffer
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.type_aliases import DictReplayBufferSamples, ReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize

from edgeloop.errors import ConfigError, InputError
from edgeloop.stream import LatestWindow, ReplayBuffer, TrajectoryBuffer
from edgeloop.stream.stores.layout import Array

Algorithm = TypeVar("Algorithm", bound=OffPolicyAlgorithm)
Samples = ReplayBufferSamples | DictReplayBufferSamples

_PLAN = "stable-baselines3"
_BEFORE, _AFTER = "observations", "next_observations"
_NEEDED = ("actions", "rewards", "masks")


def learner_on(
    store: ReplayBuffer | TrajectoryBuffer,
    algorithm: type[Algorithm],
    *,
    observation_space: spaces.Space[Any],
    action_space: spaces.Space[Any],
    policy: str = "MlpPolicy",
    **options: Any,
) -> Algorithm:
    """SAC, TD3, DDPG or DQN with networks for these spaces and ``options`` of its own.

    It has no environment: call its ``train(gradient_steps, batch_size)``, which samples ``store``
    as StoreReplay says, not its ``learn``.
    """
    learner = algorithm(
        policy,
        EnvElsewhere(observation_space, action_space),
        replay_buffer_class=StoreReplay,
        replay_buffer_kwargs={"store": store},
        **options,
    )
    learner.set_logger(Logger(folder=None, output_formats=[]))
    return learner


class EnvElsewhere(gymnasium.Env[Any, Any]):
    """An environment that others step: its spaces are known here, and nothing else."""

    def __init__(
        self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]
    ) -> None:
        self.observation_space = observation_space
        self.action_space = action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Raises ConfigError."""
        raise _no_environment()

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Raises ConfigError."""
        raise _no_environment()


class StoreReplay(Sb3Buffer):
    """A store as the ``replay_buffer_class`` of Stable-Baselines3, with ``store`` among its kwargs.

    Transitions are kept as their environment has them: ``observations``, ``actions`` (not scaled),
    ``rewards``, ``next_observations`` and ``masks`` (0 where the episode is over, so that no value
    follows; 1 also where its time was up). Images may have their channels last. Whatever else the
    transitions hold is left alone; n-step returns are the store's.
    """

    def __init__(  # noqa: PLR0913 - as the base class
        self,
        buffer_size: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        device: torch.device | str = "auto",
        n_envs: int = 1,
        *,
        store: ReplayBuffer | TrajectoryBuffer,
        optimize_memory_usage: bool = False,
    ) -> None:
        del optimize_memory_usage  # the store keeps large observations once, always
        BaseBuffer.__init__(self, buffer_size, observation_space, action_space, device, n_envs)
        self._store = store
        if isinstance(store, TrajectoryBuffer):
            paths = [*_paths(observation_space, _BEFORE), *_paths(observation_space, _AFTER)]
            store.register(_PLAN, {path: LatestWindow() for path in (*paths, *_NEEDED)})

    def size(self) -> int:
        """How many transitions the store holds."""
        return len(self._store)

    def add(  # noqa: PLR0913 - as the base class
        self,
        obs: Any,
        next_obs: Any,
        action: Array,
        reward: Array,
        done: Array,
        infos: list[dict[str, Any]],
    ) -> None:
        """Insert a step of each environment, as ``learn`` does where there is one."""
        actions = self._unscaled(action)
        for row, info in enumerate(infos):
            is_over = bool(done[row])
            is_cut = is_over and bool(info.get("TimeLimit.truncated", False))
            self._store.insert(
                {
                    _BEFORE: _row(obs, row),
                    "actions": actions[row],
                    "rewards": np.float32(reward[row]),
                    _AFTER: _row(next_obs, row),
                    "masks": np.float32(not is_over or is_cut),
                    "dones": np.bool_(is_over),
                }
            )

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> Any:
        """A batch as tensors on the learner's device, actions scaled to [-1, 1].

        Raises InputError where transitions lack a field, ConfigError for a prioritised sampler,
        whose weights no algorithm here heeds, and what the store raises.
        """
        batch = self._draw(batch_size)
        if missing := [key for key in (_BEFORE, _AFTER, *_NEEDED) if key not in batch]:
            raise InputError(f"Transitions need {', '.join(missing)} to be learnt from.")
        if "weights" in batch:
            raise ConfigError("These algorithms heed no weights: sample with Uniform().")
        rewards = np.asarray(batch["rewards"], np.float32).reshape(-1, 1)
        masks = np.asarray(batch["masks"], np.float32).reshape(-1, 1)
        discounts = batch.get("discounts")
        is_dict = isinstance(self.observation_space, spaces.Dict)
        samples: type[Samples] = DictReplayBufferSamples if is_dict else ReplayBufferSamples
        return samples(
            observations=self._observations(batch[_BEFORE], env),
            actions=self._tensor(self._scaled(batch["actions"])),
            next_observations=self._observations(batch[_AFTER], env),
            dones=self._tensor(1 - masks),
            rewards=self._tensor(self._normalize_reward(rewards, env)),
            discounts=None if discounts is None else self._tensor(discounts.reshape(-1, 1)),
        )

    def _draw(self, batch_size: int) -> dict[str, Any]:
        if isinstance(self._store, ReplayBuffer):
            return self._store.sample(batch_size)
        flat, _ = self._store.sample(_PLAN, batch_size)
        batch: dict[str, Any] = {}
        for path, values in flat.items():
            key, _, part = path.partition("/")
            if part:
                batch.setdefault(key, {})[part] = values
            else:
                batch[key] = values
        return batch

    def _observations(self, values: Any, env: VecNormalize | None) -> Any:
        shapes: Any = self.obs_shape
        if isinstance(values, Mapping):
            seen: Any = {key: _shaped(values[key], shapes[key]) for key in shapes}
        else:
            seen = _shaped(values, shapes)
        seen = self._normalize_obs(seen, env)
        if isinstance(seen, Mapping):
            return {key: self._tensor(part) for key, part in seen.items()}
        return self._tensor(seen)

    def _scaled(self, actions: Array) -> Array:
        if not isinstance(self.action_space, spaces.Box):
            return actions.reshape(-1, self.action_dim)
        low, high = self.action_space.low, self.action_space.high
        scaled: Array = 2 * (actions - low) / (high - low) - 1
        return scaled.reshape(-1, self.action_dim).astype(np.float32)

    def _unscaled(self, actions: Array) -> Array:
        if not isinstance(self.action_space, spaces.Box):
            return actions.reshape(self.n_envs, *self.action_space.shape or ())
        low, high = self.action_space.low, self.action_space.high
        shaped = actions.reshape(self.n_envs, *self.action_space.shape)
        values: Array = low + (shaped + 1) * (high - low) / 2
        return values.astype(self.action_space.dtype)

    def _tensor(self, array: Array) -> torch.Tensor:
        return self.to_torch(array, copy=False)  # arrays of a batch are our own


def _paths(space: spaces.Space[Any], name: str) -> list[str]:
    return [f"{name}/{key}" for key in space] if isinstance(space, spaces.Dict) else [name]


def _row(values: Any, row: int) -> Any:
    if isinstance(values, Mapping):
        return {key: part[row] for key, part in values.items()}
    return values[row]


def _shaped(values: Array, shape: tuple[int, ...]) -> Array:
    """Observations as networks take them: (batch_size, *shape), channels of images first."""
    if values.shape[1:] != shape and values.ndim == len(shape) + 1 == 4:
        values = np.ascontiguousarray(np.moveaxis(values, -1, 1))
    return values.reshape(-1, *shape)


def _no_environment() -> ConfigError:
    return ConfigError(
        "The environment is elsewhere: insert its transitions into the store and call train()."
    )
