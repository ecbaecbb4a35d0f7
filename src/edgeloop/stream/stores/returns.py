"""Rewards over several steps, for learners that look further ahead than one."""

from dataclasses import dataclass

import numpy as np

from edgeloop.errors import ConfigError
from edgeloop.stream.stores.episodes import REWARDS
from edgeloop.stream.stores.layout import Array
from edgeloop.stream.stores.transitions import Transitions

DISCOUNTS = "discounts"


@dataclass(frozen=True, slots=True)
class Ahead:
    """What lies up to n steps ahead of each of ``count`` transitions.

    ``last`` are the numbers of the transitions where the look ahead ends: after n steps, or sooner
    with the episode or the data; ``rewards`` the discounted sums up to there, for the field with
    the index ``field``; ``discounts`` (count,) float32 what the value of the last next observation
    is to be multiplied with.
    """

    field: int
    last: Array
    rewards: Array
    discounts: Array


@dataclass(frozen=True, slots=True)
class Returns:
    """Sums of ``n_step`` rewards, each later one multiplied by ``discount`` once more."""

    n_step: int = 1
    discount: float = 0.99

    def __post_init__(self) -> None:
        if self.n_step < 1 or not 0 <= self.discount <= 1:
            message = f"n_step {self.n_step} must be >= 1, the discount {self.discount} in 0..1."
            raise ConfigError(message)

    def ahead(self, transitions: Transitions, numbers: Array) -> Ahead:
        """Look ahead of these transitions; no writer may be at work."""
        index = transitions.layout.index(REWARDS)
        if index is None:
            raise ConfigError(f"Returns over {self.n_step} steps need a field '{REWARDS}'.")
        places = transitions.places(numbers)
        counts = np.minimum(self.n_step, places.ends - places.steps)[:, None]
        offsets = np.arange(self.n_step)[None]
        steps = places.steps[:, None] + np.minimum(offsets, counts - 1)
        window = transitions.numbers(places.slots[:, None], steps)
        rewards = transitions.values([index], window)[0]
        weights = np.where(offsets < counts, self.discount**offsets, 0.0)
        weights = weights.reshape(*weights.shape, *[1] * (rewards.ndim - 2))
        return Ahead(
            field=index,
            last=window[:, -1],
            rewards=(rewards * weights).sum(axis=1).astype(rewards.dtype),
            discounts=(self.discount ** counts[:, 0]).astype(np.float32),
        )
