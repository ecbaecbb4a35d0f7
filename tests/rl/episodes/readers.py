"""Reads episodes as others do, with TensorFlow Datasets and with Hugging Face's datasets.

    readers.py rlds|lerobot FOLDER FILE.npz

Runs where those are installed, and edgeloop is not. All values go to the file, as arrays with
names like ``0/2/observation/image``: episode 0, step 2.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np


def read_rlds(folder: Path) -> dict[str, Any]:
    """What ``tfds.builder_from_directory`` finds."""
    import tensorflow_datasets as tfds

    found: dict[str, Any] = {}
    episodes = tfds.builder_from_directory(str(folder)).as_dataset(split="train")
    for number, episode in enumerate(episodes):
        _flatten(tfds.as_numpy(episode["episode_metadata"]), f"{number}/metadata", found)
        for row, step in enumerate(tfds.as_numpy(episode["steps"])):
            _flatten(step, f"{number}/{row}", found)
    return found


def read_lerobot(folder: Path) -> dict[str, Any]:
    """What a table with the features of info.json holds, which is how LeRobot reads it."""
    import pandas as pd
    from datasets import Dataset, Features

    described = json.loads((folder / "meta" / "info.json").read_bytes())["features"]
    features = Features({name: _column_of(feature) for name, feature in described.items()})
    files = [str(path) for path in sorted(folder.glob("data/*/*.parquet"))]
    told = Dataset.from_parquet(files, cache_dir=str(folder.parent / "told")).features
    assert told["observation.image"] == features["observation.image"], told
    tasks = pd.read_parquet(folder / "meta" / "tasks.parquet")
    rows = pd.concat(pd.read_parquet(path) for path in folder.glob("meta/episodes/*/*.parquet"))
    found: dict[str, Any] = {}
    table = Dataset.from_parquet(files, features=features, cache_dir=str(folder.parent / "cache"))
    for frame in table:
        prefix = f"{frame['episode_index']}/{frame['frame_index']}"
        for name, value in frame.items():
            kind = described[name]["dtype"]
            found[f"{prefix}/{name}"] = np.asarray(value, None if kind == "image" else kind)
        found[f"{prefix}/task"] = tasks.iloc[frame["task_index"]].name.encode()
        assert tasks.loc[tasks.iloc[frame["task_index"]].name].task_index == frame["task_index"]
    for row in rows.to_dict("records"):
        _flatten({"length": row["length"]}, f"{row['episode_index']}", found)
    return found


def _column_of(feature: Any) -> Any:
    from datasets import Array2D, Image, Sequence, Value

    if feature["dtype"] == "image":
        return Image()
    shape = tuple(feature["shape"])
    if shape == (1,):
        return Value(feature["dtype"])
    if len(shape) == 1:
        return Sequence(Value(feature["dtype"]), length=shape[0])
    return Array2D(shape=shape, dtype=feature["dtype"])


def _flatten(tree: Any, prefix: str, found: dict[str, Any]) -> None:
    if isinstance(tree, dict):
        for key, value in tree.items():
            _flatten(value, f"{prefix}/{key}", found)
    else:
        found[prefix] = np.asarray(tree)


if __name__ == "__main__":
    read = {"rlds": read_rlds, "lerobot": read_lerobot}[sys.argv[1]]
    np.savez(sys.argv[3], **read(Path(sys.argv[2])))
