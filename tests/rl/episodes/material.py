"""Episodes whose every value says which step of which episode it is."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgeloop.rl import Episode
from transitions import assert_same

LAYOUTS = ["rlds", "lerobot"]
INSTRUCTION = "put the cup on the saucer"
METADATA: dict[str, Any] = {"robot": "arm-1", "attempt": 3, "height": 0.1, "is_real": True}

Steps = list[dict[str, Any]]


def steps(number: int, count: int = 4, *, side: int = 8, is_terminal: bool = True) -> Steps:
    """The steps of one episode: an image, nested numbers of several types."""
    return [
        {
            "observation": {
                "image": picture(number, row, side),
                "arm": {
                    "joints": np.full(3, 100 * number + row, np.float32),
                    "wrench": np.full((2, 3), number + row / 7),
                },
                "seen": np.int16(-row),
            },
            "action": np.full(2, row, np.float32),
            "reward": np.float32(10 * number + row),
            "discount": np.float32(0.99),
            "is_terminal": is_terminal and row == count - 1,
        }
        for row in range(count)
    ]


def picture(number: int, row: int, side: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Noise, (side, side + 1, 3): no image of it is that of any other step."""
    random = np.random.default_rng([number, row])
    return random.integers(0, 256, (side, side + 1, 3), dtype=np.uint8)


def assert_holds(episode: Episode, expected: Steps) -> None:
    """The episode has these steps, down to the last byte."""
    assert len(episode) == len(expected)
    for row, (found, step) in enumerate(zip(episode, expected, strict=True)):
        place = {"is_first": row == 0, "is_last": row == len(expected) - 1}
        assert {key: bool(found[key]) for key in place} == place
        usual = {"discount": np.float32(1), "is_terminal": False, **step}
        for key in ("observation", "action"):
            assert_same(_as_arrays(found[key]), _as_arrays(usual[key]))
        for key in ("reward", "discount", "is_terminal"):
            assert found[key] == usual[key]


def _as_arrays(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {key: _as_arrays(value) for key, value in sorted(tree.items())}
    return np.asarray(tree)
