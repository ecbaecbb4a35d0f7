"""A folder of RLDS: records appended to growing files, committed by dataset_info.json."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgeloop import durable
from edgeloop.errors import InputError
from edgeloop.rl.episodes.episode import Columns, Episode
from edgeloop.rl.episodes.marker import Marker
from edgeloop.rl.episodes.rlds import features as fields
from edgeloop.rl.episodes.rlds.example import Values, pack_example, unpack_example
from edgeloop.rl.episodes.rlds.features import INSTRUCTION, METADATA, STEPS, Feature, features_of
from edgeloop.rl.episodes.rlds.info import FILE, Info, read_info, write_info
from edgeloop.rl.episodes.rlds.records import framed, read_record, record_starts
from edgeloop.rl.episodes.steps import SIGNALS, complete_columns, put

_FEATURES = "features.json"
_EPISODES_PER_FILE = 100
_NUMBERED = "*.tfrecord-*"


def open_writer(folder: Path, marker: Marker, episodes_per_file: int | None) -> "RldsWriter":
    """Go on where the last commit was; what came after it is swept."""
    return RldsWriter(folder, marker, episodes_per_file or _EPISODES_PER_FILE)


def open_source(folder: Path, marker: Marker | None) -> "RldsSource":
    """Read what is committed now."""
    if marker and not (folder / FILE).is_file():
        return RldsSource(folder, Info(marker.purpose.name), {})
    return RldsSource(folder, read_info(folder), _read_features(folder / _FEATURES))


class RldsWriter:
    """Appends episodes; at any time the files hold what dataset_info.json says, and maybe more."""

    def __init__(self, folder: Path, marker: Marker, episodes_per_file: int) -> None:
        self._folder = folder
        self._per_file = episodes_per_file
        self._features = features_of(marker.steps, marker.metadata, marker.purpose.images)
        self._steps = marker.steps
        self._nothing = Info(marker.purpose.name)
        if not (folder / FILE).is_file():
            durable.write_json(folder / _FEATURES, fields.to_json(self._features))
        self._info, self._end = self._repair()

    @property
    def count(self) -> int:
        """How many episodes are committed."""
        return sum(self._info.shards)

    def append(self, episode: Episode) -> None:
        """Write the record, then commit it; as it was where either fails."""
        data = pack_example(self._pack(episode))
        shards, shard, begin = self._info.shards, len(self._info.shards) - 1, self._end
        if not shards or shards[-1] >= self._per_file:
            shards, shard, begin = (*shards, 0), shard + 1, 0
        path = self._info.path(self._folder, shard)
        info = Info(
            self._info.name,
            (*shards[:-1], shards[-1] + 1),
            self._info.size_bytes + len(data),
            self._info.template,
        )
        try:
            end = _append(path, begin, data)
            write_info(self._folder, info)
        except BaseException:
            self._info, self._end = self._repair()
            raise
        self._info, self._end = info, end

    def _repair(self) -> tuple[Info, int]:
        """Drop what no commit knows of; says what is committed and where the last file ends."""
        info = read_info(self._folder) if (self._folder / FILE).is_file() else self._nothing
        known = {info.path(self._folder, shard) for shard in range(len(info.shards))}
        for path in self._folder.glob(_NUMBERED):
            if path not in known:
                durable.remove(path)
        if not info.shards:
            return info, 0
        last = info.path(self._folder, len(info.shards) - 1)
        end = record_starts(last, info.shards[-1])[-1]
        if last.stat().st_size > end:
            os.truncate(last, end)
        return info, end

    def _pack(self, episode: Episode) -> dict[str, Values]:
        columns = dict(zip(self._steps.fields, self._steps.leaves(episode.steps), strict=True))
        found: dict[fields.Path, Any] = {
            (STEPS, *field.path): column for field, column in columns.items()
        }
        found[(STEPS, *INSTRUCTION)] = [episode.instruction] * len(episode)
        for key, value in episode.metadata.items():
            found[(METADATA, key)] = [value]
        return {
            "/".join(path): feature.pack(found[path]) for path, feature in self._features.items()
        }


class RldsSource:
    """Reads episodes of anybody's RLDS."""

    def __init__(self, folder: Path, info: Info, features: Mapping[fields.Path, Feature]) -> None:
        self._folder = folder
        self._info = info
        self._features = features
        self._starts: dict[int, list[int]] = {}

    @property
    def count(self) -> int:
        """How many episodes there are."""
        return sum(self._info.shards)

    def read(self, index: int) -> Episode:
        """One episode."""
        ends = np.cumsum(self._info.shards)
        shard = int(np.searchsorted(ends, index, side="right"))
        number = index - int(ends[shard]) + self._info.shards[shard]
        path = self._info.path(self._folder, shard)
        if shard not in self._starts:
            self._starts[shard] = record_starts(path, self._info.shards[shard])
        data = read_record(path, number, self._starts[shard][number])
        try:
            return self._unpack(unpack_example(data), f"{path}, record {number}")
        except (ValueError, KeyError) as error:
            raise InputError(
                f"{path}: record {number} does not fit {_FEATURES} ({error!r})."
            ) from error

    def _unpack(self, example: Mapping[str, Values], where: str) -> Episode:
        steps: Columns = {}
        facts: Columns = {}
        for path, feature in self._features.items():
            name = "/".join(path)
            if path[0] == STEPS and path[1] in _READ:
                put(steps, path[1:], feature.unpack(example[name], f"{where}, {name}"))
            elif path[0] == METADATA and name in example and feature.shape == ():
                facts["/".join(path[1:])] = _fact(feature.unpack(example[name], where)[0])
        instructions = steps.pop(INSTRUCTION[0], [""])
        return Episode(complete_columns(steps, where), instructions[0], facts)


_READ = {"observation", "action", *SIGNALS, *INSTRUCTION}


def _append(path: Path, begin: int, data: bytes) -> int:
    """Write a record at the end that is known, on to the disk; says where it ends."""
    record = framed(data)
    end = begin + sum(map(len, record))
    if not begin:
        with durable.draft_of(path) as draft, draft.open("wb") as file:
            file.writelines(record)
        return end
    with path.open("r+b") as file:
        file.truncate(begin)
        file.seek(begin)
        file.writelines(record)
        file.flush()
        os.fsync(file.fileno())
    return end


def _read_features(path: Path) -> dict[fields.Path, Feature]:
    try:
        return fields.from_json(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, InputError) as error:
        raise InputError(f"{path} cannot be read ({error}): restore a copy of it.") from error


def _fact(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
