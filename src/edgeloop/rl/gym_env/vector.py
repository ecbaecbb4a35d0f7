"""The client of a vector environment: one call per step of all."""

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
from gymnasium.vector import VectorEnv

from edgeloop.rl.gym_env.answers import begun, generators, stepped
from edgeloop.rl.gym_env.connecting import GymClientOptions, connect_env
from edgeloop.rl.gym_env.generators import describe_generator
from edgeloop.stream.transport import Counters


class GymVectorEnvClient(VectorEnv[Any, Any, Any]):
    """The vector environment of a `GymEnvServer`, as if it were here.

    ``metadata["autoreset_mode"]`` says when ended episodes begin anew. Arguments, errors and how
    steps are done once: as in `GymEnvClient`. Raises ConfigMismatch where it is a single one.
    """

    def __init__(
        self,
        server: str = "127.0.0.1",
        port: int | None = None,
        **options: Unpack[GymClientOptions],
    ) -> None:
        self.closed = True  # some versions of Gymnasium close in __del__ what was never opened
        self._asker, environment = connect_env(server, port, options, is_vector=True)
        self.closed = False
        self.num_envs = environment.num_envs
        self.observation_space = environment.spaces["observation_space"]
        self.action_space = environment.spaces["action_space"]
        self.single_observation_space = environment.spaces["single_observation_space"]
        self.single_action_space = environment.spaces["single_action_space"]
        self.metadata = environment.metadata
        self.render_mode = environment.render_mode
        self.spec = environment.spec

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode in all, or those of ``options["reset_mask"]``: (observations, infos).

        ``seed`` is of the first, the others count on; or one of each. Raises as `GymEnvClient`.
        """
        return begun(self._asker.ask("reset", {"seed": seed, "options": options}))

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """One step of all: (observations, rewards, terminations, truncations, infos).

        The arrays are (num_envs, ...), new and your own. Raises as `GymEnvClient.step`.
        """
        return stepped(self._asker.ask("step", {"action": actions}))

    def render(self) -> Any:
        """What the environments render where they are: a tuple of frames, or None."""
        return self._asker.ask("render", {})["frame"]

    def close_extras(self, **kwargs: Any) -> None:
        """Give way to the next client; the environments themselves are the server's."""
        self._asker.close()

    def counters(self) -> Counters:
        """Figures of the connection: calls, bytes, seconds."""
        return self._asker.counters()

    @property
    def np_random(self) -> Any:
        """Copies of the environments' generators as they are now: a tuple, or a single one."""
        return generators(self._asker.ask("random", {}))

    @np_random.setter
    def np_random(self, value: np.random.Generator) -> None:
        self._asker.ask("randomize", {"state": describe_generator(value)})

    @property
    def np_random_seed(self) -> Any:
        """The seeds of the environments' generators: a tuple, or a single one."""
        return self._asker.ask("random", {})["seed"]
