"""The note in a folder that says whose it is and what its episodes are made of."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from edgeloop import durable
from edgeloop.errors import ConfigError, InputError
from edgeloop.rl.episodes.steps import Images, StepLayout

DiskLayout = Literal["rlds", "lerobot"]

FILE = "edgeloop.json"
_LOCK = "lock"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Purpose:
    """How a log writes; the same each time that it is opened."""

    layout: DiskLayout
    images: Images
    name: str
    fps: float


@dataclass(frozen=True, slots=True)
class Marker:
    """What was decided when the first episode was written; ``id`` is the log's own."""

    purpose: Purpose
    steps: StepLayout
    metadata: Mapping[str, str]
    id: str


def make_marker(purpose: Purpose, steps: StepLayout, metadata: Mapping[str, str]) -> Marker:
    """The marker of a new log."""
    return Marker(purpose, steps, dict(metadata), uuid.uuid4().hex)


def write_marker(folder: Path, marker: Marker) -> None:
    """Put it into the folder, before anything else."""
    value = {
        "version": _VERSION,
        "purpose": asdict(marker.purpose),
        "steps": marker.steps.to_json(),
        "metadata": dict(marker.metadata),
        "id": marker.id,
    }
    durable.write_json(folder / FILE, value)


def read_marker(folder: Path) -> Marker | None:
    """The marker of a folder, None where it has none; raises InputError where it is damaged."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_bytes())
        if value["version"] != _VERSION:
            raise ConfigError(f"{path} is of version {value['version']}, not {_VERSION}.")
        purpose = Purpose(**value["purpose"])
        steps = StepLayout.from_json(value["steps"])
        return Marker(purpose, steps, dict(value["metadata"]), str(value["id"]))
    except (ValueError, KeyError, TypeError, InputError) as error:
        raise InputError(f"{path} is damaged ({error}): restore a copy of it.") from error


def check_purpose(folder: Path, marker: Marker | None, purpose: Purpose) -> None:
    """Raise ConfigError where a log cannot go on in a folder, or begin in it."""
    if marker is None:
        others = sorted(path.name for path in folder.iterdir() if not _is_ours(path))
        if others:
            raise ConfigError(
                f"{folder} holds {others[0]}, which no EpisodeLog wrote: choose another folder."
            )
        return
    found: dict[str, Any] = asdict(marker.purpose)
    wanted: dict[str, Any] = asdict(purpose)
    differing = [key for key, value in wanted.items() if found[key] != value]
    if differing:
        key = differing[0]
        raise ConfigError(
            f"{folder} was begun with {key}={found[key]!r}, not {wanted[key]!r}: "
            "open it so, or choose another folder."
        )


def _is_ours(path: Path) -> bool:
    return path.name == _LOCK or path.name.startswith(durable.DRAFT_PREFIX)
