"""The client of an environment: a Gymnasium environment that is somewhere else."""

from typing import Any, SupportsFloat, Unpack

import gymnasium
import numpy as np

from edgeloop.rl.gym_env.answers import begun, generators, stepped
from edgeloop.rl.gym_env.connecting import GymClientOptions, connect_env
from edgeloop.rl.gym_env.generators import describe_generator
from edgeloop.stream.transport import Counters


class GymEnvClient(gymnasium.Env[Any, Any]):
    """The environment of a `GymEnvServer`, as if it were here: spaces, metadata, spec and all.

    ``server`` is a host, HOST:PORT or a URL; ``port`` is 5546 where neither says otherwise. Every
    step is done once, also where replies are lost or it takes longer than ``timeout_s``, which is
    how long the server may be silent. While this client is not closed no other is let in, unless
    with ``takeover=True``, or when this one was silent for the server's ``silence_s``.

    Raises Conflict where another client has the environment; ConfigMismatch where it is a vector
    environment; StreamTimeout where no server answers, Unauthenticated, ConfigError.
    """

    def __init__(
        self,
        server: str = "127.0.0.1",
        port: int | None = None,
        **options: Unpack[GymClientOptions],
    ) -> None:
        self._asker, environment = connect_env(server, port, options, is_vector=False)
        self.observation_space = environment.spaces["observation_space"]
        self.action_space = environment.spaces["action_space"]
        self.metadata = environment.metadata
        self.render_mode = environment.render_mode
        self.spec = environment.spec

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode: (observation, info).

        Gets along with a server that was started again. Raises RemoteError with what the
        environment raised; StreamTimeout where the server was silent for ``timeout_s``: the same
        reset again is not another one; Conflict where another client took over.
        """
        super().reset(seed=seed)
        return begun(self._asker.ask("reset", {"seed": seed, "options": options}))

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """One step: (observation, reward, terminated, truncated, info).

        Raises as `reset` does; EnvironmentLost where the episode is gone because the server was
        started again: reset. A step that ended in StreamTimeout or StreamClosed may be made again
        with the same action: it gets the answer of the one step that was made.
        """
        return stepped(self._asker.ask("step", {"action": action}))

    def render(self) -> Any:
        """What the environment renders where it is: a frame, frames, a text or None."""
        return self._asker.ask("render", {})["frame"]

    def close(self) -> None:
        """Give way to the next client; the environment itself is the server's. Idempotent."""
        self._asker.close()

    def counters(self) -> Counters:
        """Figures of the connection: calls, bytes, seconds."""
        return self._asker.counters()

    @property
    def np_random(self) -> np.random.Generator:
        """A copy of the environment's generator as it is now; set it to change the original."""
        generator: np.random.Generator = generators(self._asker.ask("random", {}))
        return generator

    @np_random.setter
    def np_random(self, value: np.random.Generator) -> None:
        self._asker.ask("randomize", {"state": describe_generator(value)})
        self._np_random, self._np_random_seed = value, -1

    @property
    def np_random_seed(self) -> int:
        """The seed of the environment's generator; -1 where it is not known."""
        return int(self._asker.ask("random", {})["seed"])
