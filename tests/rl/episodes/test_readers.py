"""TensorFlow Datasets and Hugging Face's datasets read what was logged here."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeloop.client import ClientSettings
from edgeloop.client.settings import child_environment
from edgeloop.rl import EpisodeLog
from environments import python_with
from rl.episodes import readers
from rl.episodes.material import INSTRUCTION, METADATA, steps

pytestmark = [pytest.mark.peers, pytest.mark.timeout(1200)]

PACKAGES = ["tensorflow-cpu", "tensorflow-datasets", "datasets", "pandas", "pillow"]
Found = Mapping[str, Any]
LENGTHS = [4, 1, 6]


def read_with_others(layout: str, folder: Path) -> Found:
    """All values that they find, by names like ``0/2/observation/image``."""
    python = python_with("readers", PACKAGES, Path(__file__).parent / "readers.txt")
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder.parent)}
    output = folder.parent / "found.npz"
    ended = subprocess.run(
        [str(python), readers.__file__, layout, str(folder), str(output)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env=child_environment(ClientSettings(), **quiet),
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    with np.load(output) as found:
        return dict(found)


def logged(number: int) -> list[dict[str, Any]]:
    """An episode with values of every type, at its limits where it has any."""
    kinds = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    limits = {kind: np.array([np.iinfo(kind).min, np.iinfo(kind).max], kind) for kind in kinds}
    floats = {kind: np.array([1 / 3, -np.inf], kind) for kind in ("float16", "float32", "float64")}
    whole = steps(number, LENGTHS[number])
    for row, step in enumerate(whole):
        step["observation"] |= limits | floats | {"flag": np.bool_(row % 2)}
    return whole


def write_log(folder: Path, **options: Any) -> None:
    with EpisodeLog(folder, episodes_per_file=2, **options) as log:
        for number in range(len(LENGTHS)):
            log.write(logged(number), instruction=INSTRUCTION, metadata=METADATA)


def assert_found(found: Found, name: str, expected: Any) -> None:
    wanted = np.asarray(expected)
    assert (name, found[name].dtype, found[name].shape) == (name, wanted.dtype, wanted.shape)
    assert found[name].tobytes() == wanted.tobytes(), name


def flat(tree: Any, name: str) -> dict[str, Any]:
    if not isinstance(tree, dict):
        return {name: tree}
    return {path: leaf for key in tree for path, leaf in flat(tree[key], f"{name}/{key}").items()}


def test_tensorflow_datasets_reads_every_value(tmp_path: Path) -> None:
    write_log(tmp_path / "log", layout="rlds")
    found = read_with_others("rlds", tmp_path / "log")
    names: set[str] = set()
    for number, count in enumerate(LENGTHS):
        for row, step in enumerate(logged(number)):
            place = {"is_first": np.bool_(row == 0), "is_last": np.bool_(row == count - 1)}
            expected = {**step, **place, "is_terminal": np.bool_(step["is_terminal"])}
            for name, value in flat(expected, f"{number}/{row}").items():
                assert_found(found, name, value)
                names.add(name)
            assert found[f"{number}/{row}/language_instruction"].item() == INSTRUCTION.encode()
        facts = {key: found[f"{number}/metadata/{key}"].item() for key in METADATA}
        assert facts == {**METADATA, "robot": b"arm-1"}
    texts = {name for name in found if name.endswith("language_instruction")}
    assert len(texts) == sum(LENGTHS)
    assert {name for name in found if "metadata" not in name} == names | texts


def test_tensorflow_datasets_reads_jpegs_and_grows_with_the_log(tmp_path: Path) -> None:
    write_log(tmp_path / "log", layout="rlds", images="jpeg")
    write_log(tmp_path / "log", layout="rlds")
    found = read_with_others("rlds", tmp_path / "log")
    assert found["5/5/observation/image"].shape == (8, 9, 3)
    assert found["5/5/reward"] == logged(2)[5]["reward"]


def test_hugging_faces_datasets_reads_every_value(tmp_path: Path) -> None:
    write_log(tmp_path / "log", layout="lerobot")
    found = read_with_others("lerobot", tmp_path / "log")
    for number, count in enumerate(LENGTHS):
        assert found[f"{number}/length"] == count
        for row, step in enumerate(logged(number)):
            prefix = f"{number}/{row}"
            for path, value in flat(step["observation"], "observation").items():
                assert_found(found, f"{prefix}/{path.replace('/', '.')}", value)
            assert_found(found, f"{prefix}/action", step["action"])
            assert_found(found, f"{prefix}/next.reward", step["reward"])
            assert found[f"{prefix}/next.done"] == (row == count - 1)
            assert found[f"{prefix}/task"].item() == INSTRUCTION.encode()
