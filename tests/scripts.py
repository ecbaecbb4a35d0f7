"""Examples as processes of their own, and what they print."""

import re
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from edgeloop.client import ClientSettings
from edgeloop.client.settings import child_environment

EXAMPLES = Path(__file__).parent.parent / "examples"
WAIT_S = 200.0
"""Longer than starting torch takes on a busy machine."""


class Script:
    """``python examples/NAME ARGUMENTS``, killed at the latest with the test."""

    def __init__(self, name: str, *arguments: str | int | Path, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, EXAMPLES / name, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=child_environment(ClientSettings(), **environment),
        )
        self._lines: list[str] = []
        self._has_ended = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        """All that it has printed."""
        return "".join(self._lines)

    def printed(self, pattern: str, *, within_s: float = WAIT_S) -> re.Match[str]:
        """What matches the pattern in what it has printed, as soon as something does."""
        deadline = monotonic() + within_s
        with self._changed:
            while not (found := re.search(pattern, self.output)):
                assert not self._has_ended, f"no '{pattern}' in:\n{self.output}"
                assert self._changed.wait(deadline - monotonic()), f"too late:\n{self.output}"
        return found

    def ended(self, *, within_s: float = WAIT_S) -> int:
        """Its exit code, as soon as it has ended."""
        code = self._process.wait(within_s)
        self._reader.join(within_s)
        return code

    def kill(self) -> int:
        """End it at once (SIGKILL)."""
        self._process.kill()
        return self.ended()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()
