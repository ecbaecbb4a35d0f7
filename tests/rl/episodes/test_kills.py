"""The process is killed while it writes: each episode is there whole, or not at all."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgeloop.client import ClientSettings
from edgeloop.client.settings import child_environment
from edgeloop.rl import EpisodeLog, Episodes
from rl.episodes import victim
from rl.episodes.material import INSTRUCTION, LAYOUTS, assert_holds, steps

TESTS = Path(__file__).parents[2]


def command_of(*arguments: object) -> list[str]:
    return [sys.executable, victim.__file__, *map(str, arguments)]


def environment() -> dict[str, str]:
    return child_environment(ClientSettings(), PYTHONPATH=str(TESTS))


@pytest.fixture
def _unhurried_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the process that dies, not the machine: the system's memory survives."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def die_at_lines(
    layout: Any, folder: Path, begun: int, *, first: int, stride: int
) -> tuple[list[Path], int]:
    """The folders of processes that died while they wrote an episode more than ``begun``.

    The first line that none of them came to is told, too.
    """
    with EpisodeLog(folder / "begun", layout=layout, episodes_per_file=3) as log:
        for number in range(begun):
            log.write(steps(number, side=40), instruction=f"task {number}")
    subprocess.run(
        command_of("lines", layout, folder, first, stride), check=True, env=environment()
    )
    *died, survivor = sorted((path for path in folder.iterdir() if path.name.isdigit()), key=_line)
    assert len(Episodes(survivor)) == begun + 1
    return died, _line(survivor)


def _line(path: Path) -> int:
    return int(path.name)


def assert_whole(folder: Path, layout: Any, begun: int) -> int:
    """Only whole episodes are found, nothing else is left, and the log goes on; how many."""
    with EpisodeLog(folder, layout=layout, episodes_per_file=3) as log:
        found = len(log)
        assert found in (begun, begun + 1)
        assert len(Episodes(folder)) == found if found else True
        assert not list(folder.rglob(".draft-*"))
        log.write(steps(found, side=40), instruction=f"task {found}")
    episodes = list(Episodes(folder))
    assert len(episodes) == found + 1
    for number, episode in enumerate(episodes):
        assert_holds(episode, steps(number, side=40))
        assert episode.instruction == f"task {number}"
    return found


@pytest.mark.usefixtures("_unhurried_disk")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("begun", [0, 2, 3])
def test_a_kill_at_a_line_leaves_whole_episodes(layout: str, begun: int, tmp_path: Path) -> None:
    stride = 131 if layout == "rlds" else 307
    died, _ = die_at_lines(layout, tmp_path, begun, first=17 * begun, stride=stride)
    ends = {assert_whole(folder, layout, begun) for folder in died}
    assert begun in ends
    assert len(died) >= 5


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("_unhurried_disk")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("begun", [0, 2, 3])
def test_a_kill_at_one_of_many_lines_leaves_whole_episodes(
    layout: str, begun: int, tmp_path: Path
) -> None:
    stride = 11 if layout == "rlds" else 53
    died, end = die_at_lines(layout, tmp_path / "all", begun, first=5, stride=stride)
    late, _ = die_at_lines(layout, tmp_path / "end", begun, first=end - 2 * stride, stride=3)
    ends = {assert_whole(folder, layout, begun) for folder in [*died, *late]}
    assert ends == {begun, begun + 1}  # some before the commit, some after it


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_kill_at_any_moment_loses_no_episode_that_was_committed(
    layout: str, tmp_path: Path
) -> None:
    committed = 0
    for more in (3, 4, 2):
        with subprocess.Popen(
            command_of("on", layout, tmp_path), stdout=subprocess.PIPE, text=True, env=environment()
        ) as process:
            assert process.stdout
            for _ in range(more):
                committed = int(process.stdout.readline()) + 1
            process.kill()
    found = list(Episodes(tmp_path))
    assert committed <= len(found) <= committed + 1
    with EpisodeLog(tmp_path) as log:
        assert len(log) == len(found)
        log.write(steps(len(found), side=40))
    for number, episode in enumerate(Episodes(tmp_path)):
        assert_holds(episode, steps(number, side=40))
        assert episode.instruction == (INSTRUCTION if number < len(found) else "")
