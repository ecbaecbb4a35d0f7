"""A folder of the LeRobotDataset layout v3.0: files written as a whole, committed by info.json."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from edgeloop.errors import InputError
from edgeloop.rl.episodes.episode import Columns, Episode
from edgeloop.rl.episodes.lerobot import metadata
from edgeloop.rl.episodes.lerobot.features import (
    PLACES,
    Feature,
    features_of,
    from_json,
    place_features,
    schema_metadata,
)
from edgeloop.rl.episodes.lerobot.metadata import FILES_PER_CHUNK, INFO, Info
from edgeloop.rl.episodes.lerobot.repair import State, repair
from edgeloop.rl.episodes.lerobot.statistics import Statistics, statistics_of, together
from edgeloop.rl.episodes.marker import Marker
from edgeloop.rl.episodes.steps import complete_columns, put
from edgeloop.stream.stores.layout import Array

_ROWS_PER_FILE = 100
_METADATA = "metadata/"


def open_writer(folder: Path, marker: Marker, episodes_per_file: int | None) -> "LeRobotWriter":
    """Go on where the last commit was; what came after it is swept."""
    return LeRobotWriter(folder, marker, episodes_per_file or 1)


def open_source(folder: Path, marker: Marker | None) -> "LeRobotSource":
    """Read what is committed now."""
    if marker is None:
        return LeRobotSource(folder, metadata.read_info(folder), None)
    features = features_of(marker.steps, marker.purpose.images)
    if not (folder / INFO).is_file():
        return LeRobotSource(folder, Info({}, marker.purpose.fps), features)
    return LeRobotSource(folder, metadata.read_info(folder), features)


class LeRobotWriter:
    """Appends episodes; each file is replaced as a whole, info.json last."""

    def __init__(self, folder: Path, marker: Marker, episodes_per_file: int) -> None:
        self._folder = folder
        self._per_file = episodes_per_file
        self._steps = marker.steps
        self._features = features_of(marker.steps, marker.purpose.images)
        columns = [*self._features, *place_features()]
        self._schema = schema_metadata(columns)
        described = {feature.name: feature.to_json() for feature in columns}
        self._nothing = Info(described, marker.purpose.fps)
        self._state = repair(folder, self._nothing)

    @property
    def count(self) -> int:
        """How many episodes are committed."""
        return self._state.info.episodes

    def append(self, episode: Episode) -> None:
        """Write data, then what is known of it, then commit; as it was where any fails."""
        try:
            self._state = self._write(episode)
        except BaseException:
            self._state = repair(self._folder, self._nothing)
            raise

    def _write(self, episode: Episode) -> State:
        state = self._state
        task = episode.instruction
        tasks = state.tasks if task in state.tasks else [*state.tasks, task]
        places = self._places(len(episode), tasks.index(task))
        columns = self._steps.leaves(episode.steps)
        measured = self._measure(columns, places)
        state = self._write_data(columns, places)
        if tasks is not state.tasks:
            metadata.write_tasks(self._folder, tasks)
        state = self._write_row(state, episode, measured)
        before = state.statistics or {}
        statistics = {
            name: together(before[name], part) if name in before else part
            for name, part in measured.items()
        }
        metadata.write_statistics(self._folder, statistics)
        info = state.info.and_one(frames=len(episode), tasks=len(tasks))
        metadata.write_info(self._folder, info)
        return replace(state, info=info, tasks=tasks, statistics=statistics)

    def _write_data(self, columns: list[Array], places: Mapping[str, Array]) -> State:
        """The episode as a row group of the last file, or of a new one."""
        state = self._state
        is_full = state.data_file < 0 or state.data_episodes >= self._per_file
        file = state.data_file + is_full
        path = self._folder / metadata.numbered(state.info.data_path, file)
        earlier = [] if is_full else metadata.read_tables(path)
        arrays = [
            feature.pack(column) for feature, column in zip(self._features, columns, strict=True)
        ]
        names = [feature.name for feature in self._features]
        packed = {**dict(zip(names, arrays, strict=True)), **places}
        table = pa.table(packed).replace_schema_metadata(self._schema)
        metadata.write_table(path, [*earlier, table])
        return replace(state, data_file=file, data_episodes=len(earlier) + 1)

    def _write_row(
        self, state: State, episode: Episode, measured: Mapping[str, Statistics]
    ) -> State:
        """What is known of the episode as a row of the last file, or of a new one."""
        is_full = state.rows is None or len(state.rows) >= _ROWS_PER_FILE
        file = state.rows_file + is_full
        begin = state.info.frames
        row = {
            "episode_index": state.info.episodes,
            "tasks": [episode.instruction],
            "length": len(episode),
            **_numbers("data", state.data_file),
            "dataset_from_index": begin,
            "dataset_to_index": begin + len(episode),
            **{_METADATA + key: value for key, value in episode.metadata.items()},
            **metadata.statistics_columns(measured),
            **_numbers("meta/episodes", file),
        }
        new = pa.Table.from_pylist([row])
        rows = new if is_full else pa.concat_tables([state.rows, new])
        metadata.write_table(metadata.episodes_path(self._folder, file), [rows])
        return replace(state, rows=rows, rows_file=file)

    def _places(self, count: int, task: int) -> dict[str, Array]:
        info, frames = self._state.info, np.arange(count)
        values = {
            "timestamp": frames / info.fps,
            "frame_index": frames,
            "episode_index": np.full(count, info.episodes),
            "index": info.frames + frames,
            "task_index": np.full(count, task),
        }
        return {name: values[name].astype(dtype) for name, dtype in PLACES.items()}

    def _measure(self, columns: list[Array], places: Mapping[str, Array]) -> dict[str, Statistics]:
        measured = {
            feature.name: statistics_of(column, is_image=feature.image is not None)
            for feature, column in zip(self._features, columns, strict=True)
        }
        others = {name: statistics_of(column, is_image=False) for name, column in places.items()}
        return measured | others


class LeRobotSource:
    """Reads episodes of anybody's LeRobotDataset whose images are in its parquet files."""

    def __init__(self, folder: Path, info: Info, features: list[Feature] | None) -> None:
        self._folder = folder
        self._info = info
        self._features = features if features is not None else _features_in(folder, info)
        self._rows = _read_rows(folder, info.episodes)

    @property
    def count(self) -> int:
        """How many episodes there are."""
        return self._info.episodes

    def read(self, index: int) -> Episode:
        """One episode."""
        row = self._rows[index]
        file = row["data/chunk_index"] * FILES_PER_CHUNK + row["data/file_index"]
        path = self._folder / metadata.numbered(self._info.data_path, file)
        table = metadata.read_table(
            path,
            columns=[feature.name for feature in self._features],
            filters=pc.field("episode_index") == index,
        )
        if len(table) != row["length"]:
            raise InputError(f"{path}: episode {index} has {len(table)} of {row['length']} steps.")
        steps: Columns = {}
        for feature in self._features:
            where = f"{path}, episode {index}, {feature.name}"
            try:
                put(steps, feature.path, feature.unpack(table[feature.name], where))
            except (ValueError, KeyError) as error:
                raise InputError(f"{where}: it does not fit info.json ({error}).") from error
        facts = {
            key.removeprefix(_METADATA): value
            for key, value in row.items()
            if key.startswith(_METADATA)
        }
        tasks = row.get("tasks") or [""]
        return Episode(complete_columns(steps, str(path)), tasks[0], facts)


def _features_in(folder: Path, info: Info) -> list[Feature]:
    try:
        return from_json(info.features)
    except (KeyError, TypeError) as error:
        raise InputError(f"{folder / INFO} is damaged ({error!r}): restore a copy.") from error


def _read_rows(folder: Path, episodes: int) -> list[dict[str, Any]]:
    """What is known of each episode, in order, without statistics."""
    found: dict[int, dict[str, Any]] = {}
    for path in metadata.episodes_files(folder):
        for row in metadata.read_rows(path):
            found[row["episode_index"]] = row
    missing = [number for number in range(episodes) if number not in found]
    if missing:
        raise InputError(f"{folder}/meta/episodes lacks episode {missing[0]}: restore a copy.")
    return [found[number] for number in range(episodes)]


def _numbers(prefix: str, file: int) -> dict[str, int]:
    chunk, index = divmod(file, FILES_PER_CHUNK)
    return {f"{prefix}/chunk_index": chunk, f"{prefix}/file_index": index}
