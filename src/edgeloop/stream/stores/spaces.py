"""Gymnasium spaces as fields of a layout, told by their attributes: Gymnasium is not imported."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgeloop.errors import ConfigError
from edgeloop.stream.stores.episodes import AFTER, BEFORE, ENDS, MASKS, REWARDS
from edgeloop.stream.stores.layout import PLAIN_KINDS, Field, Kind, Layout

ACTIONS = "actions"
_CUSTOMARY = {REWARDS: np.float32, MASKS: np.float32, **dict.fromkeys(ENDS, np.bool_)}


class Spaces:
    """What an environment's spaces say about its transitions; either may be None."""

    def __init__(self, observation_space: Any, action_space: Any) -> None:
        self._fields: dict[str, list[Field]] = {}
        if observation_space is not None:
            self._fields[BEFORE] = fields_of(observation_space, (BEFORE,))
            self._fields[AFTER] = fields_of(observation_space, (AFTER,))
        if action_space is not None:
            self._fields[ACTIONS] = fields_of(action_space, (ACTIONS,))

    def layout(self, example: Layout) -> Layout:
        """The layout of transitions like ``example``, with what the spaces say about them.

        Beside spaces, rewards and masks are float32 and the ends of episodes bool.
        """
        if not self._fields:
            return example
        fields = [field for given in self._fields.values() for field in given]
        for field in example.fields:
            if field.path[0] in self._fields:
                continue
            customary = _CUSTOMARY.get(field.path[0]) if len(field.path) == 1 else None
            if customary:
                field = Field(field.path, field.shape, np.dtype(customary), "scalar")
            fields.append(field)
        return Layout(fields)

    def check(self, layout: Layout) -> None:
        """Raises ConfigError where a layout was made for other spaces."""
        for field in [field for given in self._fields.values() for field in given]:
            index = layout.index(*field.path)
            found = None if index is None else layout.fields[index]
            if found is None or (found.shape, found.dtype) != (field.shape, field.dtype):
                raise ConfigError(
                    f"The space says {field.name} is {field.dtype}{field.shape}, what is stored "
                    f"says {found and f'{found.dtype}{found.shape}'}: was it another environment?"
                )


def fields_of(space: Any, path: tuple[str, ...]) -> list[Field]:
    """The fields of one space; raises ConfigError for what has no fixed shape."""
    inner = getattr(space, "spaces", None)
    if isinstance(inner, Mapping):
        return [
            field for key, part in inner.items() for field in fields_of(part, (*path, str(key)))
        ]
    shape, dtype = getattr(space, "shape", None), getattr(space, "dtype", None)
    if shape is None or dtype is None or np.dtype(dtype).kind not in PLAIN_KINDS:
        raise ConfigError(
            f"{'/'.join(path)} is a {type(space).__name__}, which has no fixed shape of numbers: "
            "use Box, Discrete, MultiDiscrete, MultiBinary, or a Dict of them."
        )
    kind: Kind = "array" if shape else "scalar"
    return [Field(path, tuple(shape), np.dtype(dtype), kind)]
