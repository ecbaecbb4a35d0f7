"""An environment whose episodes are logged while it is stepped."""

from typing import Any, SupportsFloat

import gymnasium

from edgeloop.rl.episodes import EpisodeLog


class LoggedEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Writes every episode of ``env`` to ``log``, which it closes with the environment.

    An episode that is not played to its end is dropped. Raises what EpisodeLog raises.
    """

    def __init__(
        self, env: gymnasium.Env[Any, Any], log: EpisodeLog, *, instruction: str = ""
    ) -> None:
        super().__init__(env)
        self._log = log
        self._instruction = instruction

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """As the environment does; begins an episode."""
        observation, info = super().reset(seed=seed, options=options)
        self._log.begin(observation, instruction=self._instruction)
        return observation, info

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """As the environment does; commits the episode where it ends."""
        observation, reward, terminated, truncated, info = super().step(action)
        self._log.step(
            action, float(reward), observation, terminated=terminated, truncated=truncated
        )
        return observation, reward, terminated, truncated, info

    def close(self) -> None:
        """Close the environment and the log."""
        super().close()
        self._log.close()
