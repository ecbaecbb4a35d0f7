"""The loop, the trainer and the detector as processes of their own."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edgeloop.errors import EdgeloopError

START_S = 60.0
_URL = re.compile(rb'Listening at (http://[^\s"]+)')  # a line may be JSON


class ProcessError(EdgeloopError):
    """A process of ours did not start, or ended by itself."""


class EdgeloopProcess:
    """``python -m edgeloop ARGUMENTS --port PORT`` with its output in a log file.

    It takes a free port at its first start and keeps it; ``url`` is known from then on.
    """

    def __init__(
        self, name: str, arguments: Sequence[str], *, log: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self.arguments = tuple(arguments)
        self.url = ""
        self._port = 0
        self._log = log
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The number of its process; raises ProcessError before its first start."""
        if self._process is None:
            raise ProcessError(f"The {self.name} was not started yet.")
        return self._process.pid

    def start(self) -> str:
        """Start it and wait until it serves; answers its URL. Raises ProcessError."""
        offset = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edgeloop", *self.arguments, "--port", str(self._port)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                process_group=0,  # a Ctrl-C in the terminal is ours to pass on
            )
        wait_until(
            lambda: self._reads_url(offset), what=f"the {self.name} starts", timeout_s=START_S
        )
        self._port = int(self.url.rpartition(":")[2])
        return self.url

    def check(self) -> None:
        """Raise ProcessError, with the end of its log, if it has ended."""
        if self._process and self._process.poll() is not None:
            raise ProcessError(
                f"The {self.name} ended with code {self._process.returncode}. "
                f"The end of {self._log}:\n{self._last_lines()}"
            )

    def revive(self) -> None:
        """Start it again if a signal has ended it; raises ProcessError if it ended otherwise."""
        if self._process and (self._process.poll() or 0) < 0:
            self.start()
        self.check()

    def stop(self, within_s: float = 20) -> int:
        """Ask it to end, and make it after that time; answers its exit code."""
        if not self._process:
            return 0
        self._process.terminate()
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """End it at once (SIGKILL), as a power cut would."""
        if not self._process:
            return 0
        self._process.kill()
        return self._process.wait()

    def _reads_url(self, offset: int) -> bool:
        self.check()
        found = _URL.search(self._log.read_bytes(), offset)
        if found:
            self.url = found[1].decode()
        return bool(found)

    def _last_lines(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:])


def wait_until(
    condition: Callable[[], bool],
    *,
    what: str,
    timeout_s: float,
    pause_s: float = 0.05,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Ask ``condition`` again and again; raises ProcessError when the time is over."""
    pause = threading.Event()
    deadline = clock() + timeout_s
    while not condition():
        if clock() > deadline:
            raise ProcessError(f"Waited {timeout_s:.0f} s in vain until {what}.")
        pause.wait(pause_s)
