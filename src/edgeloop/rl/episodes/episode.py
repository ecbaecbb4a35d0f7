"""One episode in memory: columns of steps, and what stores want instead of steps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgeloop.stream.stores.layout import Array

Fact = str | bool | int | float
"""What the metadata of an episode is made of."""

Columns = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """What happened from a reset to the end.

    ``steps`` are columns: ``observation`` and ``action``, arrays (count, *shape) or nested dicts of
    them; ``reward`` and ``discount``, float32 (count,); ``is_first``, ``is_last`` and
    ``is_terminal``, bool (count,). A step holds what was seen, what was done then and what
    that brought: the last one has the last observation, and its action and reward mean nothing.
    """

    steps: Mapping[str, Any]
    instruction: str = ""
    metadata: Mapping[str, Fact] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.steps["is_first"])

    def __iter__(self) -> Iterator[Columns]:
        for row in range(len(self)):
            yield pick(self.steps, row)

    def transitions(self) -> Columns:
        """Columns for a replay buffer or a queue: one row less than there are steps.

        ``observations``, ``actions``, ``rewards``, ``next_observations``, ``masks`` (float32, 0
        where the next observation is terminal) and ``dones`` (bool, the episode ends there).
        """
        steps, before, after = self.steps, slice(None, -1), slice(1, None)
        return {
            "observations": pick(steps["observation"], before),
            "actions": pick(steps["action"], before),
            "rewards": steps["reward"][before],
            "next_observations": pick(steps["observation"], after),
            "masks": _mask(steps["is_terminal"][after]),
            "dones": steps["is_last"][after],
        }

    def trajectory(self) -> Columns:
        """Columns for a trajectory buffer: a row for each step.

        ``observations``, ``actions``, ``rewards``, ``masks`` (float32, 0 at a terminal
        observation) and ``end_of_trajectory`` (bool).
        """
        steps = self.steps
        return {
            "observations": steps["observation"],
            "actions": steps["action"],
            "rewards": steps["reward"],
            "masks": _mask(steps["is_terminal"]),
            "end_of_trajectory": steps["is_last"],
        }


def pick(tree: Any, rows: Any) -> Any:
    """Those rows of all arrays in nested dicts; views."""
    if isinstance(tree, Mapping):
        return {key: pick(value, rows) for key, value in tree.items()}
    return tree[rows]


def _mask(is_terminal: Array) -> Array:
    return np.logical_not(is_terminal).astype(np.float32)
