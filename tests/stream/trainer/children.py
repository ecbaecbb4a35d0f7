"""Trainers and actors as processes, to be killed outright."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from streams import WAIT_S

HERE = Path(__file__).parent


class Child:
    """A script of this folder as a process."""

    def __init__(self, script: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / script), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.first_line = self.line()

    def line(self) -> str:
        """What it says next."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def numbers(self) -> list[int]:
        """Which transitions a trainer has."""
        assert self.process.stdin is not None
        self.process.stdin.write("numbers\n")
        self.process.stdin.flush()
        return [int(number) for number in json.loads(self.line())]

    def kill(self) -> None:
        """Kill it outright."""
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def end(self) -> None:
        """Wait for its end."""
        self.process.wait(3 * WAIT_S)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def trainer(url: str, folder: Path | str = "") -> Child:
    """A trainer that answers."""
    child = Child("trainer_process.py", url, folder)
    assert child.first_line
    return child
