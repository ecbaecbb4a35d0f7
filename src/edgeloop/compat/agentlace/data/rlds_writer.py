"""agentlace.data.rlds_writer: steps to RLDS on disk, an episode at a time; without TensorFlow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgeloop import rl
from edgeloop.compat.agentlace.data.tfds import dtype_of, get_value_from_tensor

_ENDS = ("is_last", "is_terminal", "end_of_trajectory")
_VALUES = ("observation", "action")
_SIGNALS = ("reward", "discount", "is_terminal")


class RLDSWriter:
    """Writes to a folder that `tensorflow_datasets.builder_from_directory` reads.

    ``data_spec`` are TensorSpecs by name, or anything with a dtype: values get these types. An
    episode is on the disk when its last step came; the next writer on the folder goes on there.
    ``version`` has no effect. Raises InputError for a step that does not fit.
    """

    def __init__(
        self,
        dataset_name: str,
        data_spec: Mapping[str, Any],
        data_directory: str | Path,
        version: str,
        *,
        max_episodes_per_file: int = 1000,
    ) -> None:
        del version
        self._spec = data_spec
        self._steps: list[dict[str, Any]] = []
        self._log = rl.EpisodeLog(
            Path(data_directory),
            layout="rlds",
            images="raw",
            name=dataset_name,
            episodes_per_file=max_episodes_per_file,
        )

    def __call__(self, data: Mapping[str, Any]) -> None:
        """Add a step; it ends the episode if is_last, is_terminal or end_of_trajectory is true."""
        values = get_value_from_tensor(data)
        step = {key: typed(values[key], self._spec[key]) for key in _VALUES}
        step |= {key: values[key] for key in _SIGNALS if key in values}
        self._steps.append({"reward": 0.0, **step})
        if any(bool(values.get(key, False)) for key in _ENDS):
            self.flush()

    def flush(self) -> None:
        """End the episode here, and write it."""
        steps, self._steps = self._steps, []
        if steps:
            self._log.write(steps)

    def close(self) -> None:
        """End the episode, and let others write."""
        self.flush()
        self._log.close()


def typed(value: Any, spec: Any) -> Any:
    """The value, arrays or dicts of them, of the types that specs say."""
    if isinstance(spec, Mapping):
        return {key: typed(value[key], part) for key, part in spec.items()}
    dtype = dtype_of(spec)
    return np.asarray(value) if dtype.kind == "O" else np.asarray(value, dtype)  # O: texts
