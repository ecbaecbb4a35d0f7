"""Campaigns of kills: the loop is killed again and again in the middle of one kind of step.

A kill counts only if the loop was seen to be inside the step when it died.
"""

import os
import random
import re
import shutil
import signal
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from edgeloop.demo.processes import EdgeloopProcess
from processes import edgeloop

ATTEMPTS_PER_KILL = 6
_PAUSE_S = 0.001
_TABLE = re.compile(r"(<!-- campaigns -->\n).*(<!-- end of campaigns -->)", re.DOTALL)


@dataclass
class Figures:
    """What a campaign has shown."""

    step: str = ""
    kills: int = 0
    attempts: int = 0
    acknowledged: int = 0
    cut: int = 0
    restarts_s: list[float] = field(default_factory=list)
    is_passed: bool = False


@dataclass
class Campaign:
    """A loop process and how often it was killed; random instants come from a seed."""

    loop: EdgeloopProcess
    folder: Path
    wanted: int
    figures: Figures = field(default_factory=Figures)
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    @property
    def goes_on(self) -> bool:
        """Whether kills are missing; fails where too many fell outside of the step."""
        missing = self.figures.kills < self.wanted
        allowed = self.wanted * ATTEMPTS_PER_KILL
        assert not missing or self.figures.attempts < allowed, f"only {self.figures} hit"
        return missing

    @property
    def intents(self) -> list[Path]:
        """The notes of requests whose files are in doubt: there while they are stored."""
        return sorted((self.folder / "files").glob(".intent-*"))

    def wait(self, most_s: float) -> None:
        """Let some time pass, at most this: nobody knows how much."""
        threading.Event().wait(self.chance.uniform(0, most_s))

    def freeze(self) -> None:
        """Stop the loop where it stands, so that one can look; only a kill may follow."""
        os.kill(self.loop.pid, signal.SIGSTOP)

    def kill_and_restart(self, *, hit: bool) -> None:
        """Kill the loop, which was inside the step (``hit``) or not, and start it again."""
        self.loop.kill()
        self.figures.attempts += 1
        self.figures.kills += hit
        began = time.monotonic()
        self.loop.start()
        self.figures.restarts_s.append(time.monotonic() - began)

    def ask_the_dead(self, query: str) -> int:
        """A number from the database of a loop that is frozen or dead; leaves it as it is."""
        with tempfile.TemporaryDirectory() as folder:
            for path in self.folder.glob("loop.sqlite*"):
                shutil.copy(path, folder)
            with closing(sqlite3.connect(Path(folder) / "loop.sqlite")) as connection:
                ((number,),) = connection.execute(query)
        return int(number)

    def finish(self) -> None:
        """End the loop well and check its data: nothing is missing, nothing is left over."""
        assert self.loop.stop(60) == 0
        checked = edgeloop("loop", "--check", "--deep", "--data-folder", self.folder)
        assert checked.returncode == 0, checked.stdout
        assert "killed loop" not in checked.stdout, checked.stdout
        self.figures.is_passed = True


def until(condition: Callable[[], bool], *, timeout_s: float = 60) -> bool:
    """Wait for something that is there for moments only; says whether it was seen."""
    pause, deadline = threading.Event(), time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        pause.wait(_PAUSE_S)
    return True


def write_figures(page: Path, shown: list[Figures]) -> None:
    """Put a table of these campaigns in the place of the one on the page."""
    lines = [
        "| step | kills inside it | kills in all | acknowledged | cut off, sent again | lost "
        "| doubled or orphaned | restart, median s |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {one.step} | {one.kills} | {one.attempts} | {one.acknowledged} | {one.cut} | 0 | 0 "
            f"| {median(one.restarts_s):.1f} |"
            for one in shown
            if one.is_passed  # of the others nothing is known
        ),
    ]
    table = "".join(f"{line}\n" for line in lines)
    text = page.read_text()
    assert _TABLE.search(text), f"{page} has no place for a table"
    page.write_text(_TABLE.sub(rf"\g<1>{table}\g<2>", text))
