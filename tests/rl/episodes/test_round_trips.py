"""What was logged comes back, from both layouts, and into every store."""

import tempfile
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import strategies as st

from edgeloop.rl import EpisodeLog, Episodes
from edgeloop.stream import (
    DataStore,
    LatestWindow,
    QueuedDataStore,
    ReplayBuffer,
    SequenceWindow,
    TrajectoryBuffer,
)
from rl.episodes.material import INSTRUCTION, LAYOUTS, METADATA, assert_holds, steps


def log_of(folder: Path, layout: Any, **options: Any) -> EpisodeLog:
    return EpisodeLog(folder, layout=layout, **options)


@pytest.mark.parametrize(
    ("layout", "images"), [("rlds", "png"), ("rlds", "raw"), ("lerobot", "png")]
)
@pytest.mark.parametrize("episodes_per_file", [1, 2, 100])
def test_steps_come_back_to_the_last_byte(
    layout: str, images: Any, episodes_per_file: int, tmp_path: Path
) -> None:
    logged = [steps(0, 4), steps(1, 1), steps(2, 7, is_terminal=False)]
    with log_of(tmp_path, layout, images=images, episodes_per_file=episodes_per_file) as log:
        for expected in logged:
            log.write(expected, instruction=INSTRUCTION, metadata=METADATA)
    found = Episodes(tmp_path)
    assert (found.layout, len(found)) == (layout, 3)
    for episode, expected in zip(found, logged, strict=True):
        assert_holds(episode, expected)
        assert episode.instruction == INSTRUCTION
        assert episode.metadata == METADATA


@pytest.mark.parametrize("layout", LAYOUTS)
def test_jpegs_come_back_nearly_the_same(layout: str, tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 64 * 48 * 3).reshape(64, 48, 3).astype(np.uint8)
    with log_of(tmp_path, layout, images="jpeg") as log:
        log.write([{"observation": ramp, "action": np.float32(0), "reward": 0}])
    (found,) = Episodes(tmp_path)
    image = found.steps["observation"][0]
    assert image.shape == ramp.shape
    assert np.abs(image.astype(int) - ramp).mean() < 3


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(3,), (9, 9, 3)])
def test_an_observation_need_not_be_a_dict(
    layout: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    seen = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    with log_of(tmp_path, layout) as log:
        log.write([{"observation": seen, "action": {"push": np.int64(2)}, "reward": 1.5}])
    (found,) = Episodes(tmp_path)
    assert np.array_equal(found.steps["observation"], seen[None])
    assert found.steps["action"] == {"push": np.array([2])}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("store", [ReplayBuffer(capacity=100), QueuedDataStore(100)])
def test_stores_get_transitions_once(layout: str, store: DataStore, tmp_path: Path) -> None:
    with log_of(tmp_path, layout) as log:
        log.write(steps(0, 4))
        log.write(steps(1, 3, is_terminal=False))
    begin = store.cursor
    assert Episodes(tmp_path).fill(store) == 3 + 2
    assert Episodes(tmp_path).fill(store) == 0
    items, _ = store.since(begin)
    assert [float(item["rewards"]) for item in items] == [0, 1, 2, 10, 11]
    assert [float(item["masks"]) for item in items] == [1, 1, 0, 1, 1]
    assert [bool(item["dones"]) for item in items] == [False, False, True, False, True]
    for item, row in zip(items[:3], range(3), strict=True):
        joints = item["observations"]["arm"]["joints"]
        assert np.array_equal(joints, np.full(3, row))
        assert np.array_equal(item["next_observations"]["arm"]["joints"], joints + 1)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_new_episodes_go_to_a_restored_store_without_the_old_ones(
    layout: str, tmp_path: Path
) -> None:
    with log_of(tmp_path / "log", layout) as log:
        log.write(steps(0, 4))
        store = ReplayBuffer(capacity=100)
        Episodes(tmp_path / "log").fill(store)
        store.save(tmp_path / "snapshot")
        log.write(steps(1, 4))
    restored = ReplayBuffer.restore(tmp_path / "snapshot")
    assert Episodes(tmp_path / "log").fill(restored) == 3
    assert len(restored) == 6


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_trajectory_buffer_gets_steps_that_never_cross_an_end(
    layout: str, tmp_path: Path
) -> None:
    with log_of(tmp_path, layout) as log:
        for number in range(3):
            log.write(steps(number, 5, is_terminal=False))
    store = TrajectoryBuffer(100, seed=0)
    assert Episodes(tmp_path).fill(store) == 15
    store.register(
        "pairs",
        {"rewards": LatestWindow(), "next": SequenceWindow(1, 2, squeeze=True, source="rewards")},
        reach=(0, 2),
    )
    data, mask = store.sample("pairs", 200)
    assert mask["next"].all()
    assert set(data["next"] - data["rewards"]) == {1}
    assert len(set(data["rewards"])) == 3 * 4


NAMES = st.text("abcdefghijklmnopqrstuvwxyz_ é", min_size=1, max_size=6)
TYPES = [
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64"),
]
LEAVES = st.tuples(
    st.sampled_from(TYPES), arrays.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3)
)
TREES = st.recursive(
    LEAVES, lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3), max_leaves=5
)


def values_of(tree: Any) -> Any:
    """A strategy for trees of arrays of these types and shapes."""
    if isinstance(tree, dict):
        return st.fixed_dictionaries({key: values_of(value) for key, value in tree.items()})
    return arrays.arrays(*tree)


@st.composite
def episodes(draw: Any) -> Any:
    """One to three episodes of one layout."""
    seen, done = values_of(draw(TREES)), values_of(draw(TREES))
    step = st.fixed_dictionaries(
        {
            "observation": seen,
            "action": done,
            "reward": st.floats(width=32, allow_nan=False),
            "discount": st.sampled_from([0.0, 0.5, 1.0]),
        }
    )
    return draw(st.lists(st.lists(step, min_size=1, max_size=3), min_size=1, max_size=3))


@pytest.mark.parametrize("layout", LAYOUTS)
@hypothesis.given(logged=episodes(), texts=st.lists(st.text(), min_size=2, max_size=2))
@hypothesis.settings(max_examples=20)
def test_any_layout_of_steps_comes_back(layout: str, logged: Any, texts: list[str]) -> None:
    instruction, fact = (text.encode(errors="ignore").decode() for text in texts)
    with tempfile.TemporaryDirectory() as folder:
        with log_of(Path(folder), layout, episodes_per_file=2) as log:
            for episode in logged:
                log.write(episode, instruction=instruction, metadata={"fact": fact})
        for found, expected in zip(Episodes(Path(folder)), logged, strict=True):
            assert_holds(found, expected)
            assert (found.instruction, found.metadata) == (instruction, {"fact": fact})
