"""Which column holds which part of a step, as info.json and the parquet files say it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeloop.errors import InputError
from edgeloop.rl.episodes.lerobot.arrays import (
    from_arrow,
    images_from_arrow,
    images_to_arrow,
    to_arrow,
)
from edgeloop.rl.episodes.steps import SIGNALS, Images, StepLayout, is_image
from edgeloop.stream.stores.layout import Array, Field

_SIGNAL_NAMES = {"reward": "next.reward", "is_last": "next.done"}
_MAX_DIMENSIONS = 5

PLACES: dict[str, np.dtype[Any]] = {
    "timestamp": np.dtype(np.float32),
    "frame_index": np.dtype(np.int64),
    "episode_index": np.dtype(np.int64),
    "index": np.dtype(np.int64),
    "task_index": np.dtype(np.int64),
}
"""The columns that every LeRobotDataset has: where a frame belongs."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One column: the part of the step at ``path``, of ``shape`` in the step."""

    name: str
    path: tuple[str, ...]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    image: str | None = None
    """png or jpeg, None for numbers."""

    def pack(self, column: Array) -> Any:
        """Stacked values as a column of Arrow."""
        return images_to_arrow(column, self.image) if self.image else to_arrow(column)

    def unpack(self, column: Any, where: str) -> Array:
        """The opposite; raises InputError, or ValueError where the shape does not fit."""
        if self.image:
            return images_from_arrow(column, where)
        return from_arrow(column, self.shape).astype(self.dtype, copy=False)

    def to_json(self) -> dict[str, Any]:
        """As info.json has it."""
        if self.image:
            names = ["height", "width", "channels"]
            return {"dtype": "image", "shape": list(self.shape), "names": names}
        return {"dtype": self.dtype.name, "shape": list(self.shape or (1,)), "names": None}

    def to_schema(self) -> dict[str, Any]:
        """As Hugging Face's ``datasets`` has it in the schema of the file."""
        if self.image:
            return {"_type": "Image"}
        value = {"dtype": self.dtype.name, "_type": "Value"}
        if len(self.shape) <= 1:
            length = self.shape[0] if self.shape else None
            return {"feature": value, "length": length, "_type": "Sequence"} if length else value
        dimensions = f"Array{len(self.shape)}D"
        return {"shape": list(self.shape), "dtype": self.dtype.name, "_type": dimensions}


def features_of(steps: StepLayout, images: Images) -> list[Feature]:
    """The columns of a log; raises InputError for arrays of too many dimensions."""
    return [_feature_of(field, images) for field in steps.fields]


def place_features() -> list[Feature]:
    """The columns that say where a frame belongs."""
    return [Feature(name, (), dtype, ()) for name, dtype in PLACES.items()]


def from_json(features: Mapping[str, Any]) -> list[Feature]:
    """The columns of anybody's info.json that are parts of steps.

    Raises KeyError or TypeError where it is none, InputError for videos.
    """
    return [
        _feature_from(name, value) for name, value in features.items() if _path_of(name) is not None
    ]


def schema_metadata(features: list[Feature]) -> dict[str, str]:
    """What tells ``datasets`` that the images are images."""
    content = {feature.name: feature.to_schema() for feature in features}
    return {"huggingface": json.dumps({"info": {"features": content}})}


def _feature_of(field: Field, images: Images) -> Feature:
    if len(field.shape) > _MAX_DIMENSIONS:
        raise InputError(f"{field.name} has the shape {field.shape}: LeRobot has 5 axes at most.")
    image = images if is_image(field, images) else None
    name = _SIGNAL_NAMES.get(field.name, ".".join(field.path))
    if field.path == ("observation",):
        name = "observation.image" if image else "observation.state"
    return Feature(name, field.path, field.dtype, field.shape, image)


def _feature_from(name: str, value: Any) -> Feature:
    path = _path_of(name) or ()
    kind, shape = str(value["dtype"]), tuple(int(length) for length in value["shape"])
    if kind == "video":
        raise InputError(f"{name} is a video: only images inside the parquet files are read.")
    if kind == "image":
        return Feature(name, path, np.dtype(np.uint8), shape, "png")
    return Feature(name, path, np.dtype(kind), () if shape == (1,) else shape)


def _path_of(name: str) -> tuple[str, ...] | None:
    """Where in a step a column belongs; None if in none."""
    for signal in SIGNALS:
        if name == _SIGNAL_NAMES.get(signal, signal):
            return (signal,)
    path = tuple(name.split("."))
    return path if path[0] in ("observation", "action") else None
