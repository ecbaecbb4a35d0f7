"""Trajectory buffers as arrays by name, as agentlace's ``save`` has them in its files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from edgeloop.errors import InputError

Columns = dict[str, Any]

_DATA = "data/"
_METADATA = "metadata/"
_TRAJECTORY = "traj/"


@dataclass(frozen=True, slots=True)
class Part:
    """Steps of one trajectory, ``count`` that followed each other."""

    id: int
    data: Columns
    count: int
    is_whole: bool
    """Whether the first step of the trajectory is among them."""


@dataclass(frozen=True, slots=True)
class Saved:
    """All of a buffer: the step n is row n modulo ``capacity`` of each column."""

    dataset: Columns
    metadata: Columns
    trajectory: dict[str, int]
    capacity: int
    size: int
    end: int
    """The number after that of the last step."""

    def to_arrays(self) -> Columns:
        """What a file holds."""
        return {
            **{f"{_DATA}{name}": column for name, column in self.dataset.items()},
            **{f"{_METADATA}{name}": column for name, column in self.metadata.items()},
            **{f"{_TRAJECTORY}{name}": np.asarray(at) for name, at in self.trajectory.items()},
            "size": np.asarray(self.size),
            "capacity": np.asarray(self.capacity),
            "_insert_idx": np.asarray(self.end),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> "Saved":
        """Read what ``to_arrays`` gave; raises InputError where something is missing."""
        try:
            end, capacity = (int(arrays[name]) for name in ("_insert_idx", "capacity"))
            trajectory = {
                name: int(arrays[f"{_TRAJECTORY}{name}"])
                for name in ("begin_idx", "id", "min_length")
            }
            dataset, metadata = _below(arrays, _DATA), _below(arrays, _METADATA)
            metadata["trajectory_id"], metadata["trajectory_begin_flag"]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"These are no arrays of a trajectory buffer: {error!r}.") from error
        return cls(dataset, metadata, trajectory, capacity, min(end, capacity), end)

    def trajectories(self) -> Iterator[Part]:
        """All steps in their order, in one part for each trajectory."""
        rows = np.arange(self.end - self.size, self.end) % self.capacity
        ids = self.metadata["trajectory_id"][rows]
        for part in np.split(rows, np.flatnonzero(np.diff(ids)) + 1):
            if len(part):
                first = part[0]
                yield Part(
                    int(self.metadata["trajectory_id"][first]),
                    {name: column[part] for name, column in self.dataset.items()},
                    len(part),
                    bool(self.metadata["trajectory_begin_flag"][first]),
                )


def read_arrays(path: str) -> Columns:
    """The arrays of an npz file, the end of whose name may be left out; raises InputError."""
    for name in (path, f"{path}.npz"):
        try:
            with Path(name).open("rb") as file, np.load(file) as archive:
                return {key: archive[key] for key in archive.files}
        except FileNotFoundError:
            continue
        except (ValueError, AttributeError, EOFError, BadZipFile) as error:
            raise InputError(f"{name} is damaged, or no npz file: {error}") from error
    raise InputError(f"There is no file {path}.")


def _below(arrays: Mapping[str, Any], prefix: str) -> Columns:
    return {
        name.removeprefix(prefix): np.asarray(arrays[name])
        for name in arrays
        if name.startswith(prefix)
    }
