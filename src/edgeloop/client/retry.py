"""Waiting longer and longer between repeated attempts."""

import random
from collections.abc import Callable

REFUSED_LOGIN_PAUSE_S = 300.0
"""How long a node leaves the loop alone with a login that it refused."""


class Backoff:
    """Pauses that double from ``first_s`` to ``max_s``, each shortened at random by up to half."""

    def __init__(
        self,
        first_s: float = 1.0,
        max_s: float = 60.0,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._first_s = first_s
        self._max_s = max_s
        self._chance = chance
        self._failures = 0

    def next_s(self) -> float:
        """The pause after one more failure, in seconds."""
        longest = min(self._first_s * 2.0 ** min(self._failures, 30), self._max_s)
        self._failures += 1
        return longest * (1 - self._chance() / 2)

    def reset(self) -> None:
        """Begin anew after a success."""
        self._failures = 0
