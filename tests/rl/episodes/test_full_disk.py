"""The disk is full: what was committed stays, and the log goes on when there is space again."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeloop.errors import StorageFull
from edgeloop.rl import EpisodeLog, Episodes
from rl.episodes.material import LAYOUTS, assert_holds, steps

pytestmark = pytest.mark.root


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(log: EpisodeLog) -> None:
    for number in range(len(log), 100):
        log.write(steps(number, side=100))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("episodes_per_file", [1, 4])
def test_a_full_disk_takes_no_episode_away(
    layout: Any, episodes_per_file: int, small_disk: Path
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(500_000))
    folder = small_disk / "log"
    with EpisodeLog(folder, layout=layout, episodes_per_file=episodes_per_file) as log:
        with pytest.raises(StorageFull, match="free some disk space"):
            fill(log)
        committed = len(log)
        assert committed > 2
        for number, episode in enumerate(Episodes(folder)):
            assert_holds(episode, steps(number, side=100))
        assert not list(folder.rglob(".draft-*"))
        ballast.unlink()
        log.write(steps(committed, side=100))
    assert len(Episodes(folder)) == committed + 1
    assert_holds(Episodes(folder)[committed], steps(committed, side=100))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_disk_that_is_full_from_the_start_leaves_an_empty_log(
    layout: Any, small_disk: Path
) -> None:
    folder = small_disk / "log"
    with EpisodeLog(folder, layout=layout) as log:
        ballast = small_disk / "ballast"
        with ballast.open("wb", buffering=0) as file:
            while True:
                try:
                    file.write(bytes(4096))
                except OSError:
                    break
        with pytest.raises(StorageFull, match="free some disk space"):
            log.write(steps(0))
        ballast.unlink()
        log.write([{"observation": 1, "action": 2, "reward": 3}])  # nothing was decided
    assert len(Episodes(folder)) == 1
