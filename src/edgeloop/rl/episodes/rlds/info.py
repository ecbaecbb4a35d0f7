"""dataset_info.json: which files there are, and how many episodes are committed in each."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeloop import durable
from edgeloop.errors import InputError

FILE = "dataset_info.json"
_TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_INDEX}"
_SPLIT = "train"


@dataclass(frozen=True, slots=True)
class Info:
    """``shards``: how many episodes each file holds; ``size_bytes``: of all their records."""

    name: str
    shards: tuple[int, ...] = ()
    size_bytes: int = 0
    template: str = _TEMPLATE

    def path(self, folder: Path, shard: int) -> Path:
        """The file of a shard."""
        index, count = f"{shard:05d}", f"{len(self.shards):05d}"
        name = self.template
        for key, value in (
            ("DATASET", self.name),
            ("SPLIT", _SPLIT),
            ("FILEFORMAT", "tfrecord"),
            ("SHARD_INDEX", index),
            ("NUM_SHARDS", count),
            ("SHARD_X_OF_Y", f"{index}-of-{count}"),
        ):
            name = name.replace(f"{{{key}}}", value)
        return folder / name


def write_info(folder: Path, info: Info) -> None:
    """Replace the file: this is the commit."""
    split = {
        "name": _SPLIT,
        "filepathTemplate": info.template,
        "numBytes": str(info.size_bytes),
        "shardLengths": [str(length) for length in info.shards],
    }
    value = {
        "name": info.name,
        "version": "1.0.0",
        "fileFormat": "tfrecord",
        "description": "Episodes of reinforcement learning, written by edgeloop.",
        "splits": [split],
    }
    durable.write_json(folder / FILE, value)


def read_info(folder: Path) -> Info:
    """What is committed; raises InputError where it is damaged or of a kind that is not read."""
    path = folder / FILE
    try:
        value = json.loads(path.read_bytes())
        split = _train(value["splits"])
        if value.get("fileFormat", "tfrecord") != "tfrecord":
            raise InputError(f"{path}: its files are {value['fileFormat']}, not tfrecord.")
        return Info(
            str(value["name"]),
            tuple(int(length) for length in split["shardLengths"]),
            int(split.get("numBytes", 0)),
            str(split.get("filepathTemplate") or "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error!r}): restore a copy of it.") from error


def _train(splits: Any) -> Any:
    for split in splits:
        if split["name"] == _SPLIT:
            return split
    raise InputError(f"it has no split '{_SPLIT}'")
