"""Writes episodes and dies of SIGKILL: at a line of its own code, or when the test says so.

victim.py lines LAYOUT FOLDER FIRST STRIDE   a copy FOLDER/LINE of FOLDER/begun for each kill
victim.py on LAYOUT FOLDER                   says the number of each episode that is committed
"""

import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import edgeloop.rl.episodes
from edgeloop import durable
from edgeloop.rl import EpisodeLog
from edgeloop.rl.episodes.files import files_of
from rl.episodes.material import INSTRUCTION, steps

_CODE = (str(Path(edgeloop.rl.episodes.__file__).parent), durable.__file__)


def die_at_lines(layout: Any, folder: Path, first: int, stride: int) -> None:
    """A process for each of those lines of opening a log and writing an episode to it."""
    files_of(layout)  # imported before, so that no line of it counts
    setattr(os, "fsync", lambda _: None)  # noqa: B010 - the process dies, not the machine
    line = first
    while True:
        copy = folder / str(line)
        shutil.copytree(folder / "begun", copy)
        if (child := os.fork()) == 0:
            sys.settrace(_killer(line))
            _write_one(layout, copy)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            raise SystemExit(os.waitstatus_to_exitcode(status))  # all lines have been there
        line += stride


def write_on(layout: Any, folder: Path) -> None:
    """Episodes until the end."""
    with EpisodeLog(folder, layout=layout, episodes_per_file=3) as log:
        while True:
            number = len(log)
            log.write(steps(number, side=40), instruction=INSTRUCTION)
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()


def _write_one(layout: Any, folder: Path) -> None:
    with EpisodeLog(folder, layout=layout, episodes_per_file=3) as log:
        number = len(log)
        log.write(steps(number, side=40), instruction=f"task {number}")


def _killer(left: int) -> Any:
    def local(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        left -= event == "line"
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return local

    def every(frame: FrameType, event: str, _: Any) -> Any:
        return local if frame.f_code.co_filename.startswith(_CODE) else None

    return every


if __name__ == "__main__":
    how, layout, folder = sys.argv[1:4]
    if how == "lines":
        die_at_lines(layout, Path(folder), int(sys.argv[4]), int(sys.argv[5]))
    else:
        write_on(layout, Path(folder))
