"""agentlace.data.tf_agents_episode_buffer: whole episodes, given to TensorFlow one by one."""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

import numpy as np

from edgeloop import stream
from edgeloop.compat.agentlace.data.data_store import DataStoreBase
from edgeloop.compat.agentlace.data.rlds_writer import typed
from edgeloop.compat.agentlace.data.tfds import get_value_from_tensor
from edgeloop.errors import ConfigError, Conflict


class EpisodicTFDataStore(DataStoreBase):
    """The newest ``capacity`` episodes; ``data_spec`` are TensorSpecs of a step, by name.

    A step with ``is_last`` ends an episode. ``rlds_logger`` is called with every step.
    """

    def __init__(
        self,
        capacity: int,
        data_spec: Mapping[str, Any],
        rlds_logger: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__(capacity)
        self._spec = data_spec
        self._logger = rlds_logger
        self._steps: list[dict[str, Any]] = []
        self._episodes = stream.QueuedDataStore(capacity)
        self._random = np.random.default_rng()
        self._count = 0

    def insert(self, data: Mapping[str, Any]) -> None:
        """Keep one step, of tensors or arrays; it can be had when its episode has ended."""
        values = get_value_from_tensor(data)
        step: dict[str, Any] = typed(values, self._spec)
        self._steps.append(step)
        self._count += 1
        if bool(values["is_last"]):
            steps, self._steps = self._steps, []
            self._episodes.insert(_stacked(steps))
        if self._logger:
            self._logger(data)

    @property
    def size(self) -> int:
        """How many steps were inserted, ``capacity`` at most."""
        return min(self._count, self.capacity)

    def __len__(self) -> int:
        return self.size

    def episodes(self) -> Iterator[dict[str, Any]]:
        """Random episodes without end: columns, with ``_len``, ``_frame_index``, ``_traj_index``.

        Raises Conflict before the first episode has ended.
        """
        while True:
            end = self._episodes.cursor
            if not end:
                raise Conflict("No episode has ended yet: insert a step with is_last.")
            number = int(self._random.integers(end - len(self._episodes), end))
            (episode,), following = self._episodes.since(number, limit=1)
            count = len(episode["is_last"])
            yield {
                **episode,
                "_len": np.full(count, count, np.int32),
                "_frame_index": np.arange(count, dtype=np.int32),
                "_traj_index": np.full(count, following - 1, np.int64),
            }

    def as_dataset(self) -> Any:  # a tf.data.Dataset
        """`episodes` as a tf.data.Dataset; raises ConfigError without TensorFlow."""
        try:
            tf = import_module("tensorflow")
        except ImportError as error:
            raise ConfigError("as_dataset needs TensorFlow: pip install tensorflow.") from error
        added = {
            "_len": tf.TensorSpec((), tf.int32),
            "_frame_index": tf.TensorSpec((), tf.int32),
            "_traj_index": tf.TensorSpec((), tf.int64),
        }
        signature = tf.nest.map_structure(
            lambda spec: tf.TensorSpec((None, *spec.shape), spec.dtype), {**self._spec, **added}
        )
        return tf.data.Dataset.from_generator(self.episodes, output_signature=signature)


def _stacked(steps: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        key: _stacked([step[key] for step in steps])
        if isinstance(value, Mapping)
        else np.stack([step[key] for step in steps])
        for key, value in steps[0].items()
    }
