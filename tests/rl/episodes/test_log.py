"""How episodes are logged: step by step or whole, in a folder that may be opened again."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeloop.errors import ConfigError, Conflict, InputError, NotFound, StreamClosed
from edgeloop.rl import EpisodeLog, Episodes
from rl.episodes.material import LAYOUTS, METADATA, assert_holds, steps

SEEN = np.zeros(2, np.float32)
STEP: dict[str, Any] = {"observation": SEEN, "action": SEEN, "reward": 0.0}


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_an_environments_steps_become_an_episode(tmp_path: Path) -> None:
    seen = np.zeros(2, np.float32)
    with EpisodeLog(tmp_path) as log:
        log.begin({"state": seen}, instruction="balance", metadata={"seed": 1})
        for number in range(1, 4):
            seen += 1  # as environments do that give the same array each time
            log.step(number, number / 2, {"state": seen}, terminated=number == 3)
    (episode,) = Episodes(tmp_path)
    assert episode.steps["observation"]["state"][:, 0].tolist() == [0, 1, 2, 3]
    assert episode.steps["action"].tolist() == [1, 2, 3, 3]
    assert episode.steps["reward"].tolist() == [0.5, 1, 1.5, 0]
    assert episode.steps["discount"].tolist() == [1, 1, 0, 0]
    assert episode.steps["is_first"].tolist() == [True, False, False, False]
    assert episode.steps["is_last"].tolist() == [False, False, False, True]
    assert episode.steps["is_terminal"].tolist() == [False, False, False, True]
    assert (episode.instruction, episode.metadata) == ("balance", {"seed": 1})


def test_a_truncated_episode_is_not_terminal(tmp_path: Path) -> None:
    with EpisodeLog(tmp_path) as log:
        log.begin(SEEN)
        log.step(0, 1.0, SEEN, truncated=True)
    (episode,) = Episodes(tmp_path)
    assert not episode.steps["is_terminal"].any()
    assert episode.transitions()["masks"].tolist() == [1]
    assert episode.transitions()["dones"].tolist() == [True]


def test_an_episode_that_did_not_end_is_dropped(tmp_path: Path) -> None:
    with EpisodeLog(tmp_path) as log:
        log.begin(SEEN)
        log.step(0, 1.0, SEEN)
        log.begin(SEEN)
        log.step(0, 2.0, SEEN, truncated=True)
        log.begin(SEEN)
        log.step(0, 3.0, SEEN)
    (episode,) = Episodes(tmp_path)
    assert episode.steps["reward"].tolist() == [2, 0]


def test_a_step_needs_an_episode(tmp_path: Path) -> None:
    with EpisodeLog(tmp_path) as log, pytest.raises(Conflict, match="call begin"):
        log.step(0, 1.0, SEEN)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("episodes_per_file", [1, 2, 3])
def test_a_log_goes_on_where_it_was(layout: Any, episodes_per_file: int, tmp_path: Path) -> None:
    for number in range(5):
        with EpisodeLog(tmp_path, layout=layout, episodes_per_file=episodes_per_file) as log:
            assert len(log) == number
            assert log.write(steps(number), instruction=f"task {number % 2}") == number
    for number, episode in enumerate(Episodes(tmp_path)):
        assert_holds(episode, steps(number))
        assert episode.instruction == f"task {number % 2}"


def test_an_opened_log_takes_its_options_from_the_folder(tmp_path: Path) -> None:
    with EpisodeLog(tmp_path, layout="lerobot", images="jpeg") as log:
        log.write(steps(0))
    with EpisodeLog(tmp_path) as log:
        log.write(steps(1))
    assert (Episodes(tmp_path).layout, len(Episodes(tmp_path))) == ("lerobot", 2)


def test_so_many_episodes_share_a_file_as_was_asked_for(tmp_path: Path) -> None:
    with EpisodeLog(tmp_path / "rlds", episodes_per_file=2) as log:
        for number in range(5):
            log.write(steps(number))
    assert [name for name in files_in(tmp_path) if "tfrecord" in name] == [
        f"rlds/episodes-train.tfrecord-0000{shard}" for shard in range(3)
    ]
    with EpisodeLog(tmp_path / "lerobot", layout="lerobot", episodes_per_file=2) as log:
        for number in range(5):
            log.write(steps(number))
    assert [name for name in files_in(tmp_path) if name.startswith("lerobot/data")] == [
        f"lerobot/data/chunk-000/file-00{file}.parquet" for file in range(3)
    ]


def test_one_episode_can_be_read_alone(tmp_path: Path) -> None:
    with EpisodeLog(tmp_path, episodes_per_file=2) as log:
        for number in range(3):
            log.write(steps(number))
    assert_holds(Episodes(tmp_path)[1], steps(1))
    assert_holds(Episodes(tmp_path)[-1], steps(2))
    with pytest.raises(IndexError, match="Episode 3 of 3"):
        Episodes(tmp_path)[3]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_readers_see_what_was_committed_when_they_came(layout: Any, tmp_path: Path) -> None:
    with EpisodeLog(tmp_path, layout=layout, episodes_per_file=2) as log:
        log.write(steps(0))
        before = Episodes(tmp_path)
        log.write(steps(1))
        assert_holds(before[0], steps(0))
        assert (len(before), len(Episodes(tmp_path))) == (1, 2)


def test_a_folder_has_one_log_at_a_time(tmp_path: Path) -> None:
    with EpisodeLog(tmp_path), pytest.raises(Conflict, match="another EpisodeLog"):
        EpisodeLog(tmp_path)
    EpisodeLog(tmp_path).close()


def test_a_closed_log_writes_no_more(tmp_path: Path) -> None:
    log = EpisodeLog(tmp_path)
    log.close()
    with pytest.raises(StreamClosed, match="open another"):
        log.write([STEP])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layout": "hdf5"}, "layout='hdf5'"),
        ({"images": "webp"}, "images='webp'"),
        ({"layout": "lerobot", "images": "raw"}, "as 'png' or 'jpeg'"),
        ({"name": "My Robot"}, "small letters"),
        ({"fps": 0}, "above 0"),
        ({"episodes_per_file": 0}, "1 or more"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        EpisodeLog(tmp_path, **options)


@pytest.mark.parametrize("options", [{"layout": "lerobot"}, {"images": "jpeg"}, {"name": "b"}])
def test_other_options_than_the_first_ones_are_refused(options: Any, tmp_path: Path) -> None:
    with EpisodeLog(tmp_path) as log:
        log.write([STEP])
    with pytest.raises(ConfigError, match=f"begun with {next(iter(options))}="):
        EpisodeLog(tmp_path, **options)


def test_a_folder_of_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match=r"holds thesis\.tex, which no EpisodeLog wrote"):
        EpisodeLog(tmp_path)
    assert files_in(tmp_path) == ["lock", "thesis.tex"]


def test_a_folder_without_episodes_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="neither"):
        Episodes(tmp_path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_log_whose_first_episode_never_came_is_empty(layout: Any, tmp_path: Path) -> None:
    with EpisodeLog(tmp_path, layout=layout) as log:
        log.write([STEP])
    (tmp_path / ("dataset_info.json" if layout == "rlds" else "meta/info.json")).unlink()
    assert len(Episodes(tmp_path)) == 0
    with EpisodeLog(tmp_path) as log:
        assert len(log) == 0
        log.write(steps(0))  # of another layout: nothing was decided
    assert_holds(Episodes(tmp_path)[0], steps(0))


UNFIT: list[tuple[Any, str]] = [
    ({**STEP, "observation": np.zeros(3)}, "observation has the shape"),
    ({**STEP, "observation": {"a": SEEN}}, "observation is a dict|expected"),
    ({**STEP, "action": np.zeros(2, np.complex64)}, "action has the type complex64"),
    ({"observation": SEEN, "action": SEEN}, "lacks .'reward'."),
    ({**STEP, "colour": 1}, "has .'colour'."),
    ({**STEP, "reward": SEEN}, "reward is .*: give a single number"),
    ({**STEP, "reward": "much"}, "reward is 'much'"),
    ({**STEP, "is_first": False}, "has is_first=False"),
    ({**STEP, "is_last": False}, "has is_last=False"),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("step", "said"), UNFIT)
def test_an_episode_of_another_layout_is_refused_and_nothing_written(
    step: Any, said: str, layout: Any, tmp_path: Path
) -> None:
    with EpisodeLog(tmp_path, layout=layout) as log:
        log.write([STEP])
        before = files_in(tmp_path)
        with pytest.raises(InputError, match=said):
            log.write([step])
        assert (len(log), files_in(tmp_path)) == (1, before)
        log.write([STEP])


IMPOSSIBLE: list[tuple[Any, str]] = [
    ({**STEP, "action": np.zeros(2, np.complex64)}, "complex64: an episode holds bools"),
    ({**STEP, "action": np.array(["up"])}, "<U2: an episode holds"),
    ({**STEP, "action": "up"}, "action is a str"),
    ({**STEP, "action": np.zeros((0, 2))}, "leave out what is empty"),
    ({**STEP, "observation": {}}, "observation"),
    ({**STEP, "observation": {"a/b": SEEN}}, "'a/b' is empty or has '/'"),
    ({**STEP, "observation": {"a.b": SEEN}}, "'a.b' is empty or has"),
]


@pytest.mark.parametrize(("step", "said"), IMPOSSIBLE)
def test_what_no_layout_can_hold_is_refused(step: Any, said: str, tmp_path: Path) -> None:
    with EpisodeLog(tmp_path) as log:
        with pytest.raises(InputError, match=said):
            log.write([step])
        assert files_in(tmp_path) == ["lock"]
        log.write([STEP])


def test_lerobot_has_five_axes_at_most(tmp_path: Path) -> None:
    step = {**STEP, "action": np.zeros((1, 1, 1, 1, 1, 2))}
    with (
        EpisodeLog(tmp_path, layout="lerobot") as log,
        pytest.raises(InputError, match="5 axes at most"),
    ):
        log.write([step])


def test_only_the_last_step_is_terminal(tmp_path: Path) -> None:
    with EpisodeLog(tmp_path) as log:
        with pytest.raises(InputError, match="Step 0 of 2 is terminal"):
            log.write([{**STEP, "is_terminal": True}, STEP])
        with pytest.raises(InputError, match="without a step"):
            log.write([])


@pytest.mark.parametrize(
    "metadata", [{}, {"robot": 1}, {"robot": "a", "more": 1}, {"robot": None}, {"a/b": "c"}]
)
def test_metadata_is_of_one_kind(metadata: Any, tmp_path: Path) -> None:
    with EpisodeLog(tmp_path) as log:
        log.write([STEP], metadata={"robot": "a"})
        with pytest.raises(InputError, match="metadata"):
            log.write([STEP], metadata=metadata)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_whole_number_will_do_where_metadata_has_others(layout: Any, tmp_path: Path) -> None:
    with EpisodeLog(tmp_path, layout=layout) as log:
        log.write([STEP], metadata=METADATA)
        log.write([STEP], metadata={**METADATA, "height": 2})
    assert Episodes(tmp_path)[1].metadata == {**METADATA, "height": 2.0}


@pytest.mark.parametrize(("layout", "module"), [("rlds", "google_crc32c"), ("lerobot", "pyarrow")])
def test_a_missing_extra_is_named(
    layout: Any, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [known for known in sys.modules if f".episodes.{layout}" in known]:
        monkeypatch.delitem(sys.modules, name)
    for name in [known for known in sys.modules if known.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=rf"pip install 'edgeloop\[{layout}\]'"):
        EpisodeLog(tmp_path, layout=layout)
