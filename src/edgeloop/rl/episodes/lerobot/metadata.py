"""The folder meta/: info.json, the tasks, what is known of each episode, and statistics."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from edgeloop import durable
from edgeloop.errors import InputError
from edgeloop.rl.episodes.lerobot.statistics import Statistics

INFO = Path("meta/info.json")
_TASKS = Path("meta/tasks.parquet")
_STATISTICS = Path("meta/stats.json")
_EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
FILES_PER_CHUNK = 1000
VERSION = "v3.0"


@dataclass(frozen=True, slots=True)
class Info:
    """info.json: how much is committed, and what the columns are."""

    features: Mapping[str, Any]
    fps: float
    episodes: int = 0
    frames: int = 0
    tasks: int = 0
    data_path: str = DATA

    def and_one(self, *, frames: int, tasks: int) -> "Info":
        """With one more episode."""
        return replace(self, episodes=self.episodes + 1, frames=self.frames + frames, tasks=tasks)


def write_info(folder: Path, info: Info) -> None:
    """Replace info.json: this is the commit."""
    value = {
        "codebase_version": VERSION,
        "robot_type": None,
        "total_episodes": info.episodes,
        "total_frames": info.frames,
        "total_tasks": info.tasks,
        "chunks_size": FILES_PER_CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": int(info.fps) if info.fps == int(info.fps) else info.fps,
        "splits": {"train": f"0:{info.episodes}"},
        "data_path": info.data_path,
        "video_path": None,
        "features": dict(info.features),
    }
    durable.write_json(folder / INFO, value)


def read_info(folder: Path) -> Info:
    """What is committed; raises InputError where it is damaged or of another version."""
    path = folder / INFO
    try:
        value = json.loads(path.read_bytes())
        if value["codebase_version"] != VERSION:
            raise InputError(
                f"{path} is of the version {value['codebase_version']}, not {VERSION}: "
                "convert the dataset with LeRobot's own script."
            )
        return Info(
            dict(value["features"]),
            float(value["fps"]),
            int(value["total_episodes"]),
            int(value["total_frames"]),
            int(value["total_tasks"]),
            str(value["data_path"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error!r}): restore a copy of it.") from error


def write_tasks(folder: Path, tasks: Sequence[str]) -> None:
    """Replace the tasks: a table with the texts as its index, as pandas writes it."""
    numbers = pa.array(range(len(tasks)), pa.int64())
    table = pa.table({"task_index": numbers, "task": pa.array(tasks, pa.string())})
    columns = [
        _pandas_column("task_index", "int64", "int64"),
        _pandas_column("task", "unicode", "object"),
    ]
    index = {"index_columns": ["task"], "column_indexes": [], "columns": columns}
    write_table(folder / _TASKS, [table.replace_schema_metadata({"pandas": json.dumps(index)})])


def read_tasks(folder: Path) -> list[str]:
    """The tasks in the order of their numbers; raises InputError where they are damaged."""
    path = folder / _TASKS
    columns = read_table(path).to_pydict()
    texts = columns.get("task", columns.get("__index_level_0__"))
    if texts is None:
        raise InputError(f"{path} has the columns {sorted(columns)}, but no 'task'.")
    found = dict(zip(columns["task_index"], texts, strict=True))
    return [found[number] for number in sorted(found)]


def write_statistics(folder: Path, statistics: Mapping[str, Statistics]) -> None:
    """Replace stats.json."""
    value = {
        feature: {name: array.tolist() for name, array in measured.items()}
        for feature, measured in statistics.items()
    }
    durable.write_json(folder / _STATISTICS, value)


def read_statistics(folder: Path) -> dict[str, Statistics]:
    """What stats.json says; raises InputError where it is missing or damaged."""
    path = folder / _STATISTICS
    try:
        return {
            feature: {name: np.array(array) for name, array in measured.items()}
            for feature, measured in json.loads(path.read_bytes()).items()
        }
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{path} cannot be read ({error}): restore a copy of it.") from error


def episodes_files(folder: Path) -> list[Path]:
    """The files with the rows of episodes, in order."""
    return sorted(folder.glob("meta/episodes/*/*.parquet"))


def episodes_path(folder: Path, file: int) -> Path:
    """Where the rows of a file of episodes are."""
    return folder / numbered(_EPISODES, file)


def numbered(template: str, file: int) -> str:
    """The name of the file of this number, counted through all chunks."""
    chunk, index = divmod(file, FILES_PER_CHUNK)
    return template.format(chunk_index=chunk, file_index=index)


def statistics_columns(statistics: Mapping[str, Statistics]) -> dict[str, Any]:
    """The statistics of one episode as columns of its row."""
    return {
        f"stats/{feature}/{name}": array.tolist()
        for feature, measured in statistics.items()
        for name, array in measured.items()
    }


def statistics_of_row(row: Mapping[str, Any]) -> dict[str, Statistics]:
    """The opposite."""
    found: dict[str, Statistics] = {}
    for key, value in row.items():
        if key.startswith("stats/"):
            _, feature, name = key.split("/")
            found.setdefault(feature, {})[name] = np.array(value)
    return found


def write_table(path: Path, tables: Sequence[Any]) -> None:
    """Replace a parquet file; each table becomes a row group."""
    with (
        durable.draft_of(path) as draft,
        pq.ParquetWriter(
            draft, tables[0].schema, compression="snappy", write_page_checksum=True
        ) as writer,
    ):
        for table in tables:
            writer.write_table(table, row_group_size=max(1, len(table)))


def read_tables(path: Path) -> list[Any]:
    """The row groups of a parquet file; raises InputError where it is damaged."""
    with _damage(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        return [file.read_row_group(number) for number in range(file.num_row_groups)]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of episodes without their statistics; raises as ``read_tables``."""
    with _damage(path):
        names = pq.read_schema(path).names
    columns = [name for name in names if not name.startswith("stats/")]
    rows: list[dict[str, Any]] = read_table(path, columns=columns).to_pylist()
    return rows


def read_table(path: Path, **options: Any) -> Any:
    """A parquet file, or those rows of it that ``filters`` choose; raises as ``read_tables``."""
    with _damage(path):
        return pq.read_table(path, page_checksum_verification=True, partitioning=None, **options)


@contextlib.contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Around reading: what Arrow does not understand is damage, and has a name."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        message = f"{path} is damaged ({error}): restore a copy of the file."
        raise InputError(message) from error


def _pandas_column(name: str, pandas_type: str, numpy_type: str) -> dict[str, Any]:
    return {
        "name": name,
        "field_name": name,
        "pandas_type": pandas_type,
        "numpy_type": numpy_type,
        "metadata": None,
    }
