"""Damage is found, and named with its file; what others wrote is read where that is possible."""

import io
import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from edgeloop.errors import ConfigError, InputError
from edgeloop.rl import EpisodeLog, Episodes
from edgeloop.rl.episodes.rlds.example import pack_example, unpack_example
from edgeloop.rl.episodes.rlds.records import framed, read_record
from rl.episodes.material import LAYOUTS, METADATA, assert_holds, steps


def log_three(folder: Path, layout: Any, **options: Any) -> None:
    with EpisodeLog(folder, layout=layout, **options) as log:
        for number in range(3):
            log.write(steps(number), instruction="go", metadata=METADATA)


def flip(path: Path, at: float = 0.5) -> None:
    """One bit in a file is another one now."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 1
    path.write_bytes(data)


def edit(path: Path, change: Callable[[Any], object]) -> None:
    value = json.loads(path.read_bytes())
    change(value)
    path.write_text(json.dumps(value))


@pytest.mark.parametrize("at", [0.002, 0.01, 0.5, 0.999])
def test_a_damaged_record_is_named(at: float, tmp_path: Path) -> None:
    log_three(tmp_path, "rlds", episodes_per_file=1)
    flip(tmp_path / "episodes-train.tfrecord-00001", at)
    episodes = Episodes(tmp_path)
    assert_holds(episodes[0], steps(0))
    with pytest.raises(InputError, match=r"episodes-train\.tfrecord-00001"):
        episodes[1]
    assert_holds(episodes[2], steps(2))


def test_a_record_that_is_cut_off_is_named(tmp_path: Path) -> None:
    log_three(tmp_path, "rlds")
    path = tmp_path / "episodes-train.tfrecord-00000"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match="tfrecord-00000 ends within record 2 of 3"):
        Episodes(tmp_path)[0]
    with pytest.raises(InputError, match="tfrecord-00000 ends within record 2 of 3"):
        EpisodeLog(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match="missing or empty, but should hold 3 episodes"):
        EpisodeLog(tmp_path)


def test_a_damaged_parquet_file_is_named(tmp_path: Path) -> None:
    log_three(tmp_path, "lerobot")
    flip(tmp_path / "data" / "chunk-000" / "file-001.parquet", 0.1)
    episodes = Episodes(tmp_path)
    assert_holds(episodes[0], steps(0))
    with pytest.raises(InputError, match=r"file-001\.parquet"):
        episodes[1]
    assert_holds(episodes[2], steps(2))


@pytest.mark.parametrize(
    ("layout", "file"),
    [
        ("rlds", "edgeloop.json"),
        ("rlds", "dataset_info.json"),
        ("rlds", "features.json"),
        ("lerobot", "meta/info.json"),
        ("lerobot", "meta/episodes/chunk-000/file-000.parquet"),
    ],
)
@pytest.mark.parametrize("content", [b"", b"{}", b'{"splits": 1}'])
def test_a_damaged_description_is_named(
    layout: str, file: str, content: bytes, tmp_path: Path
) -> None:
    log_three(tmp_path, layout)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(InputError, match=Path(file).name):
        Episodes(tmp_path)


@pytest.mark.parametrize(
    "file",
    ["meta/stats.json", "meta/tasks.parquet", "meta/info.json", "data/chunk-000/file-002.parquet"],
)
def test_a_log_does_not_go_on_where_something_is_damaged(file: str, tmp_path: Path) -> None:
    log_three(tmp_path, "lerobot")
    (tmp_path / file).write_bytes(b"{")
    with pytest.raises(InputError, match=Path(file).name):
        EpisodeLog(tmp_path)


@pytest.mark.parametrize("what", ["all", "last"])
def test_rows_of_episodes_that_are_missing_are_noticed(what: str, tmp_path: Path) -> None:
    log_three(tmp_path, "lerobot")
    rows = tmp_path / "meta" / "episodes" / "chunk-000" / "file-000.parquet"
    if what == "all":
        rows.unlink()
    else:
        edit(tmp_path / "meta" / "info.json", lambda info: info.update(total_episodes=5))
    with pytest.raises(InputError, match="restore a copy"):
        Episodes(tmp_path)
    with pytest.raises(InputError, match="restore a copy"):
        EpisodeLog(tmp_path)


def test_a_marker_of_a_later_version_is_refused(tmp_path: Path) -> None:
    log_three(tmp_path, "rlds")
    edit(tmp_path / "edgeloop.json", lambda marker: marker.update(version=2))
    with pytest.raises(ConfigError, match="of version 2, not 1"):
        Episodes(tmp_path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_others_wrote_is_read_without_our_marker(layout: str, tmp_path: Path) -> None:
    log_three(tmp_path, layout)
    (tmp_path / "edgeloop.json").unlink()
    episodes = Episodes(tmp_path)
    assert (episodes.layout, len(episodes)) == (layout, 3)
    for number, episode in enumerate(episodes):
        assert_holds(episode, steps(number))
        assert (episode.instruction, episode.metadata) == ("go", METADATA)


def test_an_rlds_of_fewer_signals_has_the_usual_ones(tmp_path: Path) -> None:
    log_three(tmp_path, "rlds")
    (tmp_path / "edgeloop.json").unlink()

    def leave_out(features: Any) -> None:
        content = features["featuresDict"]["features"]
        del content["episode_metadata"]
        inner = content["steps"]["sequence"]["feature"]["featuresDict"]["features"]
        for key in ("discount", "is_terminal", "is_first", "language_instruction"):
            del inner[key]
        inner["more"] = {"sequence": {}}

    edit(tmp_path / "features.json", leave_out)
    episode = Episodes(tmp_path)[1]
    assert episode.steps["discount"].tolist() == [1] * 4
    assert not episode.steps["is_terminal"].any()
    assert episode.steps["is_first"].tolist() == [True, False, False, False]
    assert (episode.instruction, episode.metadata) == ("", {})


def test_an_rlds_whose_files_count_themselves_is_read(tmp_path: Path) -> None:
    log_three(tmp_path, "rlds", episodes_per_file=2)
    for shard in range(2):
        path = tmp_path / f"episodes-train.tfrecord-0000{shard}"
        path.rename(tmp_path / f"{path.name}-of-00002")
    edit(tmp_path / "dataset_info.json", lambda info: info["splits"][0].pop("filepathTemplate"))
    assert_holds(Episodes(tmp_path)[2], steps(2))


def change_features(folder: Path, key: str, value: Any) -> None:
    def change(features: Any) -> None:
        content = features["featuresDict"]["features"]
        content["steps"]["sequence"]["feature"]["featuresDict"]["features"][key] = value

    edit(folder / "features.json", change)


def test_features_that_do_not_fit_the_records_are_noticed(tmp_path: Path) -> None:
    log_three(tmp_path, "rlds")
    scalar = {"tensor": {"dtype": "float32", "shape": {"dimensions": ["3"]}}}
    change_features(tmp_path, "action", scalar)
    with pytest.raises(InputError, match=r"record 0 does not fit features\.json"):
        Episodes(tmp_path)[0]
    change_features(tmp_path, "action", {"text": {}, "featuresDict": {"features": {"x": scalar}}})
    with pytest.raises(InputError, match=r"record 0 does not fit features\.json"):
        Episodes(tmp_path)[0]
    change_features(tmp_path, "action", {"sequence": {}})
    with pytest.raises(InputError, match="its steps have no action"):
        Episodes(tmp_path)[0]
    zipped = {"tensor": {"dtype": "int16", "shape": {}, "encoding": "zlib"}}
    change_features(tmp_path, "action", {"featuresDict": {"features": {}}})
    change_features(tmp_path, "observation", {"featuresDict": {"features": {"seen": zipped}}})
    with pytest.raises(InputError, match=r"record 0 does not fit features\.json"):
        Episodes(tmp_path)[0]


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("dataset_info.json", {"fileFormat": "array_record"}, "array_record, not tfrecord"),
        ("dataset_info.json", {"splits": []}, "no split 'train'"),
        ("features.json", {"featuresDict": {"features": {}}}, "no 'steps'"),
    ],
)
def test_other_kinds_of_tensorflow_datasets_are_refused(
    file: str, change: Any, said: str, tmp_path: Path
) -> None:
    log_three(tmp_path, "rlds")
    edit(tmp_path / file, lambda value: value.update(change))
    with pytest.raises(InputError, match=said):
        Episodes(tmp_path)


def test_older_lerobot_datasets_are_refused(tmp_path: Path) -> None:
    log_three(tmp_path, "lerobot")
    edit(tmp_path / "meta" / "info.json", lambda info: info.update(codebase_version="v2.1"))
    with pytest.raises(InputError, match=r"version v2\.1, not v3\.0"):
        Episodes(tmp_path)


def test_lerobot_videos_are_refused(tmp_path: Path) -> None:
    log_three(tmp_path, "lerobot")
    (tmp_path / "edgeloop.json").unlink()
    info = tmp_path / "meta" / "info.json"
    edit(info, lambda info: info["features"]["observation.image"].update(dtype="video"))
    with pytest.raises(InputError, match=r"observation\.image is a video"):
        Episodes(tmp_path)


def test_a_lerobot_description_that_does_not_fit_is_noticed(tmp_path: Path) -> None:
    log_three(tmp_path, "lerobot")
    (tmp_path / "edgeloop.json").unlink()
    info = tmp_path / "meta" / "info.json"
    edit(info, lambda info: info["features"]["action"].update(shape=[3]))
    with pytest.raises(InputError, match=r"file-000\.parquet, episode 0, action: it does not fit"):
        Episodes(tmp_path)[0]
    edit(info, lambda info: info["features"]["action"].pop("shape"))
    with pytest.raises(InputError, match=r"info\.json is damaged"):
        Episodes(tmp_path)


def test_a_lerobot_dataset_of_imitation_has_no_rewards(tmp_path: Path) -> None:
    log_three(tmp_path, "lerobot")
    (tmp_path / "edgeloop.json").unlink()

    def leave_out(info: Any) -> None:
        for key in ("next.reward", "next.done", "discount", "is_first", "is_terminal"):
            del info["features"][key]

    edit(tmp_path / "meta" / "info.json", leave_out)
    episode = Episodes(tmp_path)[1]
    assert episode.steps["reward"].tolist() == [0] * 4
    assert episode.steps["is_last"].tolist() == [False, False, False, True]
    assert np.array_equal(episode.steps["action"][:, 0], np.arange(4))


def test_data_of_another_dataset_is_noticed(tmp_path: Path) -> None:
    log_three(tmp_path / "one", "lerobot")
    with EpisodeLog(tmp_path / "two", layout="lerobot") as log:
        log.write(steps(0, 2), metadata=METADATA)
    data = Path("data", "chunk-000", "file-000.parquet")
    shutil.copyfile(tmp_path / "two" / data, tmp_path / "one" / data)
    with pytest.raises(InputError, match="episode 0 has 2 of 4 steps"):
        Episodes(tmp_path / "one")[0]


def change_image(folder: Path, data: bytes | None) -> None:
    """The second image of the first episode has other bytes now."""
    path = folder / "data" / "chunk-000" / "file-000.parquet"
    table = pq.read_table(path, partitioning=None)
    images = table["observation.image"].to_pylist()
    images[1]["bytes"] = data
    place = table.schema.get_field_index("observation.image")
    changed = pa.array(images, table.schema.field(place).type)
    pq.write_table(table.set_column(place, table.schema.field(place), changed), path)


def png(side: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x89PNG and then nothing", "an image is damaged"),
        (None, "its images are not in the parquet file"),
        (png(5), "the images differ in size"),
    ],
)
def test_an_image_that_cannot_be_used_is_named(
    data: bytes | None, said: str, tmp_path: Path
) -> None:
    log_three(tmp_path, "lerobot")
    change_image(tmp_path, data)
    where = r"file-000\.parquet, episode 0, observation\.image"
    with pytest.raises(InputError, match=f"{where}: {said}"):
        Episodes(tmp_path)[0]


def test_tasks_of_no_episode_are_swept(tmp_path: Path) -> None:
    log_three(tmp_path, "lerobot")
    tasks = tmp_path / "meta" / "tasks.parquet"
    pq.write_table(pa.table({"task_index": [0, 1], "task": ["go", "never"]}), tasks)
    EpisodeLog(tmp_path).close()
    assert pq.read_table(tasks).to_pydict() == {"task_index": [0], "task": ["go"]}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"task_index": [0], "text": ["go"]}, "but no 'task'"),
        ({"task_index": [], "task": []}, "lacks tasks"),
    ],
)
def test_tasks_that_are_missing_are_noticed(columns: Any, said: str, tmp_path: Path) -> None:
    log_three(tmp_path, "lerobot")
    tasks = tmp_path / "meta" / "tasks.parquet"
    pq.write_table(pa.table(columns), tasks)
    with pytest.raises(InputError, match=said):
        EpisodeLog(tmp_path)
    tasks.unlink()
    with pytest.raises(InputError, match=r"tasks\.parquet"):
        EpisodeLog(tmp_path)


def test_what_a_killed_process_began_is_cut_off(tmp_path: Path) -> None:
    log_three(tmp_path, "rlds")
    path = tmp_path / "episodes-train.tfrecord-00000"
    whole = path.read_bytes()
    path.write_bytes(whole + b"the beginning of a fourth")
    (tmp_path / "episodes-train.tfrecord-00001").write_bytes(b"and of a file")
    assert len(Episodes(tmp_path)) == 3
    EpisodeLog(tmp_path).close()
    assert path.read_bytes() == whole
    assert [file.name for file in tmp_path.glob("*tfrecord*")] == [path.name]


def test_numbers_in_zipped_bytes_are_read(tmp_path: Path) -> None:
    with EpisodeLog(tmp_path) as log:
        log.write(steps(0))
    (tmp_path / "edgeloop.json").unlink()
    zipped = {"tensor": {"dtype": "int16", "shape": {}, "encoding": "zlib"}}
    path = tmp_path / "episodes-train.tfrecord-00000"
    example = unpack_example(read_record(path, 0, 0))
    values = example["steps/observation/seen"]
    example["steps/observation/seen"] = [zlib.compress(bytes(value)) for value in values]
    path.write_bytes(b"".join(framed(pack_example(example))))
    change_features(tmp_path, "observation", {"featuresDict": {"features": {"seen": zipped}}})
    assert Episodes(tmp_path)[0].steps["observation"]["seen"].tolist() == [0, -1, -2, -3]
