"""The LeRobotDataset layout v3.0, as it is published: files, columns, descriptions, statistics."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from edgeloop.rl import EpisodeLog, Episodes
from rl.episodes.material import METADATA, assert_holds, steps

TASKS = ["pick", "place", "pick"]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Three episodes of 4, 5 and 6 steps."""
    with EpisodeLog(tmp_path, layout="lerobot", episodes_per_file=2, fps=20) as log:
        for number, task in enumerate(TASKS):
            log.write(steps(number, 4 + number), instruction=task, metadata=METADATA)
    return tmp_path


def table_in(folder: Path, *files: str) -> Any:
    return pa.concat_tables(pq.read_table(folder / file, partitioning=None) for file in files)


def data_in(folder: Path) -> Any:
    return table_in(folder, *(f"data/chunk-000/file-00{number}.parquet" for number in range(2)))


def rows_in(folder: Path) -> Any:
    return table_in(folder, "meta/episodes/chunk-000/file-000.parquet").to_pylist()


def test_the_files_have_their_places(dataset: Path) -> None:
    found = sorted(str(path.relative_to(dataset)) for path in dataset.rglob("*.*"))
    assert found == [
        "data/chunk-000/file-000.parquet",
        "data/chunk-000/file-001.parquet",
        "edgeloop.json",
        "meta/episodes/chunk-000/file-000.parquet",
        "meta/info.json",
        "meta/stats.json",
        "meta/tasks.parquet",
    ]


def test_info_describes_all_columns(dataset: Path) -> None:
    info = json.loads((dataset / "meta" / "info.json").read_bytes())
    place = {"shape": [1], "names": None}
    numbers = {"names": None}
    assert info == {
        "codebase_version": "v3.0",
        "robot_type": None,
        "total_episodes": 3,
        "total_frames": 15,
        "total_tasks": 2,
        "chunks_size": 1000,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": 20,
        "splits": {"train": "0:3"},
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": None,
        "features": {
            "observation.image": {
                "dtype": "image",
                "shape": [8, 9, 3],
                "names": ["height", "width", "channels"],
            },
            "observation.arm.joints": {"dtype": "float32", "shape": [3], **numbers},
            "observation.arm.wrench": {"dtype": "float64", "shape": [2, 3], **numbers},
            "observation.seen": {"dtype": "int16", **place},
            "action": {"dtype": "float32", "shape": [2], **numbers},
            "next.reward": {"dtype": "float32", **place},
            "discount": {"dtype": "float32", **place},
            "is_first": {"dtype": "bool", **place},
            "next.done": {"dtype": "bool", **place},
            "is_terminal": {"dtype": "bool", **place},
            "timestamp": {"dtype": "float32", **place},
            "frame_index": {"dtype": "int64", **place},
            "episode_index": {"dtype": "int64", **place},
            "index": {"dtype": "int64", **place},
            "task_index": {"dtype": "int64", **place},
        },
    }


def test_the_columns_have_the_types_of_the_features(dataset: Path) -> None:
    schema = data_in(dataset).schema
    types = {field.name: field.type for field in schema}
    assert types["observation.image"] == pa.struct({"bytes": pa.binary(), "path": pa.string()})
    assert types["observation.arm.joints"] == pa.list_(pa.float32(), 3)
    assert types["observation.arm.wrench"].value_type.value_type == pa.float64()
    assert types["observation.seen"] == pa.int16()
    assert types["next.done"] == pa.bool_()
    assert types["timestamp"] == pa.float32()
    info = json.loads((dataset / "meta" / "info.json").read_bytes())
    assert list(types) == list(info["features"])
    told = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert told["observation.image"] == {"_type": "Image"}
    assert told["observation.arm.joints"] == {
        "feature": {"dtype": "float32", "_type": "Value"},
        "length": 3,
        "_type": "Sequence",
    }
    assert told["observation.arm.wrench"] == {
        "shape": [2, 3],
        "dtype": "float64",
        "_type": "Array2D",
    }


def test_frames_are_counted_in_their_episode_and_in_all(dataset: Path) -> None:
    data = data_in(dataset).to_pydict()
    lengths = [4, 5, 6]
    assert data["index"] == list(range(15))
    assert data["frame_index"] == [row for length in lengths for row in range(length)]
    assert data["episode_index"] == list(np.repeat([0, 1, 2], lengths))
    assert data["task_index"] == list(np.repeat([0, 1, 0], lengths))
    assert np.allclose(data["timestamp"], np.array(data["frame_index"]) / 20)


def test_an_episode_is_a_row_group(dataset: Path) -> None:
    with pq.ParquetFile(dataset / "data" / "chunk-000" / "file-000.parquet") as file:
        assert [file.metadata.row_group(number).num_rows for number in range(2)] == [4, 5]


def test_arrow_and_pillow_see_the_images_to_the_last_bit(dataset: Path) -> None:
    images = data_in(dataset)["observation.image"].to_pylist()
    expected = [step["observation"]["image"] for n in range(3) for step in steps(n, 4 + n)]
    for image, pixels in zip(images, expected, strict=True):
        with Image.open(io.BytesIO(image["bytes"])) as opened:
            assert opened.format == "PNG"
            assert np.array_equal(np.asarray(opened), pixels)
    assert images[4]["path"] == "frame-000000.png"


def test_rows_say_where_each_episode_is(dataset: Path) -> None:
    keys = ("episode_index", "tasks", "length", "dataset_from_index", "dataset_to_index")
    rows = rows_in(dataset)
    assert [tuple(row[key] for key in keys) for row in rows] == [
        (0, ["pick"], 4, 0, 4),
        (1, ["place"], 5, 4, 9),
        (2, ["pick"], 6, 9, 15),
    ]
    assert [(row["data/chunk_index"], row["data/file_index"]) for row in rows] == [
        (0, 0),
        (0, 0),
        (0, 1),
    ]
    assert {row["meta/episodes/file_index"] for row in rows} == {0}
    assert {row["metadata/robot"] for row in rows} == {"arm-1"}


def test_tasks_are_a_table_with_the_texts_as_its_index(dataset: Path) -> None:
    table = pq.read_table(dataset / "meta" / "tasks.parquet")
    assert table.to_pydict() == {"task_index": [0, 1], "task": ["pick", "place"]}
    assert json.loads(table.schema.metadata[b"pandas"])["index_columns"] == ["task"]


def test_statistics_are_those_of_the_values(dataset: Path) -> None:
    values = np.array([step["action"] for n in range(3) for step in steps(n, 4 + n)])
    found = json.loads((dataset / "meta" / "stats.json").read_bytes())
    assert found["action"]["count"] == [15]
    assert np.allclose(found["action"]["min"], values.min(axis=0))
    assert np.allclose(found["action"]["max"], values.max(axis=0))
    assert np.allclose(found["action"]["mean"], values.mean(axis=0))
    assert np.allclose(found["action"]["std"], values.std(axis=0))
    quantiles = {"q01", "q10", "q50", "q90", "q99"}
    assert set(found["action"]) == {"min", "max", "mean", "std", "count"} | quantiles
    assert np.shape(found["observation.arm.wrench"]["q50"]) == (2, 3)
    assert np.shape(found["timestamp"]["mean"]) == (1,)


def test_statistics_of_images_are_those_of_their_channels(dataset: Path) -> None:
    pixels = np.array([s["observation"]["image"] for n in range(3) for s in steps(n, 4 + n)]) / 255
    found = json.loads((dataset / "meta" / "stats.json").read_bytes())["observation.image"]
    for name, expected in (("mean", pixels.mean((0, 1, 2))), ("std", pixels.std((0, 1, 2)))):
        assert np.allclose(np.array(found[name]), expected.reshape(3, 1, 1))
    for name, share in (("q01", 0.01), ("q50", 0.5)):
        parts = [np.quantile(pixels[a:b], share, (0, 1, 2)) for a, b in ((0, 4), (4, 9), (9, 15))]
        expected = np.average(parts, axis=0, weights=[4, 5, 6])
        assert np.allclose(np.array(found[name]), expected.reshape(3, 1, 1))
    assert np.allclose(np.array(found["max"])[:, 0, 0], pixels.max((0, 1, 2)))
    assert np.allclose(np.array(found["min"])[:, 0, 0], pixels.min((0, 1, 2)))


def test_an_episodes_row_has_its_own_statistics(dataset: Path) -> None:
    row = rows_in(dataset)[1]
    values = np.array([step["action"] for step in steps(1, 5)])
    assert np.allclose(row["stats/action/mean"], values.mean(axis=0))
    assert np.allclose(row["stats/action/q90"], np.quantile(values, 0.9, axis=0))
    assert row["stats/action/count"] == [5]


def test_large_images_are_thinned_out_for_statistics(tmp_path: Path) -> None:
    half = np.zeros((400, 320, 3), np.uint8)
    half[:, 160:] = 255
    with EpisodeLog(tmp_path, layout="lerobot") as log:
        log.write([{"observation": half, "action": np.float32(0), "reward": 0}])
    found = json.loads((tmp_path / "meta" / "stats.json").read_bytes())["observation.image"]
    assert np.allclose(found["mean"], 0.5)


def test_values_that_are_no_numbers_do_no_harm(tmp_path: Path) -> None:
    seen = np.array([np.nan, np.inf, 0])
    step = {"observation": seen, "action": np.float32(0), "reward": 0}
    with EpisodeLog(tmp_path, layout="lerobot") as log:
        log.write([step, step])
        log.write([step])
    assert_holds(Episodes(tmp_path)[0], [step, step])


def test_many_episodes_go_on_in_the_next_file_of_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeloop.rl.episodes.lerobot.folder._ROWS_PER_FILE", 2)
    monkeypatch.setattr("edgeloop.rl.episodes.lerobot.metadata.FILES_PER_CHUNK", 2)
    monkeypatch.setattr("edgeloop.rl.episodes.lerobot.folder.FILES_PER_CHUNK", 2)
    monkeypatch.setattr("edgeloop.rl.episodes.lerobot.repair.FILES_PER_CHUNK", 2)
    step = {"observation": np.zeros(2), "action": np.float32(0), "reward": 0}
    for first in (0, 5):
        with EpisodeLog(tmp_path, layout="lerobot") as log:
            for number in range(first, first + 5):
                log.write([{**step, "reward": number}])
    assert (tmp_path / "data" / "chunk-004" / "file-001.parquet").is_file()
    assert (tmp_path / "meta" / "episodes" / "chunk-002" / "file-000.parquet").is_file()
    rewards = [float(episode.steps["reward"][0]) for episode in Episodes(tmp_path)]
    assert rewards == list(range(10))
