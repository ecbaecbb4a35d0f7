"""agentlace.data.tfds: stores filled from RLDS on disk, or from TensorFlow's datasets."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from edgeloop import rl
from edgeloop.compat.agentlace.data.data_store import DataStoreBase, QueuedDataStore
from edgeloop.compat.agentlace.data.jaxrl_data_store import (
    ReplayBufferDataStore,
    make_default_trajectory_buffer,
)
from edgeloop.errors import ConfigError

DataTransformFunction = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any] | None]
"""(data, metadata) -> what to insert instead, or None to insert nothing."""

_TRAJECTORIES, _DONES = "trajectory_buffer", "with_dones"
_IN_DATA = ("observation", "action", "reward", "is_terminal", "is_last")

Step = Mapping[str, Any]


def make_datastore(
    dataset_dir: str | Path,
    capacity: int,
    type: str = "replay_buffer",
    data_transform: DataTransformFunction | None = None,
) -> Any:  # the store of that type
    """A new "replay_buffer", "trajectory_buffer" or "queued_datastore" with all steps of an RLDS
    dataset; raises ValueError for another type."""
    if type not in ("replay_buffer", _TRAJECTORIES, "queued_datastore"):
        raise ValueError(f"Unsupported type: {type}")
    episodes = rl.Episodes(Path(dataset_dir))
    if type == "queued_datastore":
        store: DataStoreBase = QueuedDataStore(capacity)
    elif type == "replay_buffer":
        store = ReplayBufferDataStore(None, None, capacity)  # the first transition decides
    else:
        steps = episodes[0].steps
        seen, done = _as_space(steps["observation"]), _as_space(steps["action"])
        store = make_default_trajectory_buffer(seen, done, capacity)
    return populate_datastore(store, episodes, type, data_transform)


def populate_datastore(
    datastore: Any,
    dataset: Iterable[Any],
    type: str | None = None,
    data_transform: DataTransformFunction | None = None,
) -> Any:
    """Insert every step of every episode of a tf.data.Dataset, or of `edgeloop.rl.Episodes`.

    The last step of an episode has its own observation as the next one. "trajectory_buffer" adds
    ``end_of_trajectory``, "with_dones" ``dones``. Raises AssertionError where an episode ends
    before its last step, or not with it.
    """
    for episode in dataset:
        steps = list(episode["steps"] if isinstance(episode, Mapping) else episode)
        for number, (step, data) in enumerate(_transitions(steps, type)):
            if data_transform is None:
                chosen: dict[str, Any] | None = data
            else:
                rest = {key: step[key] for key in step if key not in _IN_DATA}
                metadata = {"step": number, "step_size": len(steps), **rest}
                chosen = data_transform(data, metadata)
            if chosen is not None:
                datastore.insert(chosen)
    return datastore


def tensor_spec_to_gym_space(tensor_spec: Any) -> Any:
    """A TensorSpec, or a dict of them -> a Gymnasium Box or Dict; raises TypeError for others."""
    try:
        spaces = import_module("gymnasium").spaces
    except ImportError as error:
        raise ConfigError("gymnasium is not installed: pip install 'edgeloop[rl]'.") from error
    if isinstance(tensor_spec, dict):
        parts = {key: tensor_spec_to_gym_space(part) for key, part in tensor_spec.items()}
        return spaces.Dict(parts)
    if not hasattr(tensor_spec, "shape") or not hasattr(tensor_spec, "dtype"):
        raise TypeError(
            f"A {type(tensor_spec).__name__} has no shape and dtype: give a TensorSpec, or a dict."
        )
    dtype, shape = dtype_of(tensor_spec), tuple(tensor_spec.shape)
    if dtype.kind == "f":
        limits = np.finfo(np.float32)
        return spaces.Box(limits.min, limits.max, shape, dtype.type)
    if dtype.kind == "b":
        return spaces.Box(0, 1, shape, np.int8)
    bounds = np.iinfo(dtype)
    return spaces.Box(bounds.min, bounds.max, shape, dtype.type)


def get_value_from_tensor(tensor: Any) -> Any:
    """Tensors, also in dicts, as numpy's arrays and numbers; texts as str."""
    if isinstance(tensor, Mapping):
        return {key: get_value_from_tensor(value) for key, value in tensor.items()}
    value = tensor.numpy() if hasattr(tensor, "numpy") else tensor
    return value.decode() if isinstance(value, bytes) else value


def dtype_of(tensor_spec: Any) -> np.dtype[Any]:
    """numpy's type for a TensorSpec, or for anything else with a dtype."""
    found: np.dtype[Any] = np.dtype(getattr(tensor_spec.dtype, "as_numpy_dtype", tensor_spec.dtype))
    return found


def _transitions(steps: list[Step], type: str | None) -> Iterator[tuple[Step, dict[str, Any]]]:
    """Each step, its values, with the transition that begins there."""
    for number, raw in enumerate(steps):
        step = get_value_from_tensor(raw)
        is_last = number == len(steps) - 1
        following = step if is_last else get_value_from_tensor(steps[number + 1])
        is_terminal = bool(step["is_terminal"])
        ends = is_terminal or bool(step["is_last"])
        if ends != is_last:
            raise AssertionError(f"Step {number} of {len(steps)} ends an episode: {ends}")
        data = {
            "observations": step["observation"],
            "next_observations": following["observation"],
            "actions": step["action"],
            "rewards": step.get("reward", np.float32(0)),
            "masks": np.float32(not is_terminal),
        }
        if type in (_TRAJECTORIES, _DONES):
            data["end_of_trajectory" if type == _TRAJECTORIES else "dones"] = np.bool_(ends)
        yield step, data


def _as_space(column: Any) -> Any:
    """What stores look at of a space, of a column of steps."""
    if isinstance(column, Mapping):
        return SimpleNamespace(spaces=column, shape=None)
    return SimpleNamespace(shape=column.shape[1:], dtype=column.dtype)
