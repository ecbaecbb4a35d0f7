"""Episodes are logged while an environment is stepped."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from edgeloop.rl import EpisodeLog, Episodes, LoggedEnv


class Countdown(gym.Env[Any, Any]):
    """Sees how many steps are left of three."""

    observation_space = gym.spaces.Box(0, 3, (1,), np.float32)
    action_space = gym.spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.left = 3
        return np.full(1, 3, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.left -= 1
        return np.full(1, self.left, np.float32), 1.5, self.left == 0, False, {}


def play(env: gym.Env[Any, Any], steps: int) -> None:
    env.reset(seed=0)
    for number in range(steps):
        env.step(np.full(2, number, np.float32))


def test_each_episode_that_is_played_to_its_end_is_logged(tmp_path: Path) -> None:
    with LoggedEnv(Countdown(), EpisodeLog(tmp_path), instruction="count down") as env:
        play(env, 3)
        play(env, 2)
        play(env, 3)
    episodes = list(Episodes(tmp_path))
    assert len(episodes) == 2
    for episode in episodes:
        assert episode.instruction == "count down"
        assert episode.steps["observation"].ravel().tolist() == [3, 2, 1, 0]
        assert episode.steps["action"][:3, 0].tolist() == [0, 1, 2]
        assert episode.steps["reward"].tolist() == [1.5, 1.5, 1.5, 0]


def test_closing_the_environment_lets_others_log(tmp_path: Path) -> None:
    env = LoggedEnv(Countdown(), EpisodeLog(tmp_path))
    play(env, 3)
    env.close()
    with EpisodeLog(tmp_path) as log:
        assert len(log) == 1
