"""Where the last commit was, with all that came after it swept."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from edgeloop import durable
from edgeloop.errors import InputError
from edgeloop.rl.episodes.lerobot import metadata
from edgeloop.rl.episodes.lerobot.metadata import FILES_PER_CHUNK, Info
from edgeloop.rl.episodes.lerobot.statistics import Statistics, together


@dataclass(frozen=True, slots=True)
class State:
    """What is committed. Files are counted through all chunks; -1: there is none yet."""

    info: Info
    tasks: Sequence[str] = ()
    statistics: dict[str, Statistics] | None = None
    rows: Any = None
    """Arrow's table of the episodes that ``rows_file`` holds."""

    rows_file: int = -1
    data_file: int = -1
    data_episodes: int = 0
    """How many episodes ``data_file`` holds."""


def repair(folder: Path, nothing: Info) -> State:
    """Sweep what no commit knows of; ``nothing`` is what info.json says before the first one.

    Raises InputError where something is missing or damaged that was committed.
    """
    info = metadata.read_info(folder) if (folder / metadata.INFO).is_file() else nothing
    for draft in [path for path in folder.rglob(f"{durable.DRAFT_PREFIX}*") if path.exists()]:
        durable.remove(draft)
    is_swept, rows = _sweep_rows(folder, info.episodes)
    if rows is None:
        for path in _data_files(folder):
            durable.remove(path)
        return State(info)
    last = rows.slice(len(rows) - 1).to_pylist()[0]
    data_file = last["data/chunk_index"] * FILES_PER_CHUNK + last["data/file_index"]
    tasks = metadata.read_tasks(folder)
    if len(tasks) < info.tasks:
        raise InputError(f"{folder}/meta/tasks.parquet lacks tasks: restore a copy of it.")
    if len(tasks) > info.tasks:
        tasks = tasks[: info.tasks]
        metadata.write_tasks(folder, tasks)
    return State(
        info,
        tasks,
        _recount(folder) if is_swept else metadata.read_statistics(folder),
        rows,
        last["meta/episodes/chunk_index"] * FILES_PER_CHUNK + last["meta/episodes/file_index"],
        data_file,
        _sweep_data(folder, info, data_file),
    )


def _sweep_rows(folder: Path, episodes: int) -> tuple[bool, Any]:
    """Whether there was anything to sweep, and the rows of the last file that is left, if any."""
    is_swept = False
    for path in reversed(metadata.episodes_files(folder)):
        rows = metadata.read_table(path)
        known = rows.filter(pc.less(rows["episode_index"], episodes))
        if len(known) == len(rows) > 0:
            return is_swept, _last(path, known, episodes)
        is_swept = True
        if len(known):
            metadata.write_table(path, [known])
            return is_swept, _last(path, known, episodes)
        durable.remove(path)
    if episodes:
        raise InputError(f"{folder}/meta/episodes lacks its {episodes} episodes: restore a copy.")
    return is_swept, None


def _last(path: Path, rows: Any, episodes: int) -> Any:
    if rows["episode_index"][len(rows) - 1].as_py() != episodes - 1:
        raise InputError(f"{path} lacks episode {episodes - 1}: restore a copy of the file.")
    return rows


def _sweep_data(folder: Path, info: Info, last: int) -> int:
    """How many episodes the last file of data holds, after those were swept that are too many."""
    path = folder / metadata.numbered(info.data_path, last)
    for other in _data_files(folder):
        if other > path:
            durable.remove(other)
    numbers = metadata.read_table(path, columns=["episode_index"])["episode_index"].to_numpy()
    if numbers.max() >= info.episodes:
        groups = metadata.read_tables(path)
        known = [group for group in groups if group["episode_index"][0].as_py() < info.episodes]
        metadata.write_table(path, known)
    return len(np.unique(numbers[numbers < info.episodes]))


def _recount(folder: Path) -> dict[str, Statistics]:
    """The statistics of all episodes, from those of each."""
    found: dict[str, Statistics] = {}
    for path in metadata.episodes_files(folder):
        for row in metadata.read_table(path).to_pylist():
            for feature, measured in metadata.statistics_of_row(row).items():
                before = found.get(feature)
                found[feature] = together(before, measured) if before else measured
    metadata.write_statistics(folder, found)
    return found


def _data_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("data/*/*.parquet"))
