"""A published node as a process of its own."""

import contextlib
import os
import re
import signal
import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from edgeloop.client import ClientSettings
from edgeloop.client.settings import child_environment
from edgeloop.demo.processes import ProcessError, wait_until
from peers.isolation import with_own_temporary
from peers.published import ROOT, python_of

START_S = 150.0
BATCH = 6
"""How many images a trainer looks at, and reports, at once."""
_URL = re.compile(r"Listening at (http://\S+)")
_STATE = re.compile(r"Performing state: (?:TrainerState\.)?(\w+)")


@dataclass
class PublishedNode:
    """One process of a published version; ``kind`` is detector, trainer or annotator.

    Its data, its log and what it believes to be ``/tmp`` are in ``folder``.
    """

    kind: str
    version: str
    folder: Path
    settings: ClientSettings
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    url: str = ""
    _process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """As the loop shows it."""
        return f"{self.kind} {self.version}"

    @property
    def data_folder(self) -> Path:
        """Where it keeps its outbox, its models, its trainings."""
        return self.folder / "data"

    @property
    def log(self) -> str:
        """All that it said so far."""
        return (self.folder / "node.log").read_text(errors="replace")

    @property
    def performed(self) -> list[str]:
        """The states that a trainer went through, as its log names them, in order."""
        return _STATE.findall(self.log)

    def start(self) -> None:
        """Start it and wait until it serves; raises ProcessError, with the end of its log."""
        temporary = self.folder / "tmp"
        for folder in (self.data_folder, temporary):
            folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "node.log").open("ab") as output:
            self._process = subprocess.Popen(
                with_own_temporary(self._command(), temporary=temporary, keep=[ROOT, self.folder]),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                process_group=0,  # a trainer's own processes end with it
            )
        wait_until(self._is_serving, what=f"the {self.name} serves", timeout_s=START_S)

    def kill(self) -> None:
        """End it and what it has started, at once; may be called twice."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def wait(self) -> int:
        """Wait until it has ended by itself; returns its exit code."""
        assert self._process is not None
        return self._process.wait(START_S)

    def check(self) -> None:
        """Raise ProcessError, with the end of its log, if it has ended."""
        if self._process is not None and self._process.poll() is not None:
            code = self._process.returncode
            raise ProcessError(f"The {self.name} ended with code {code}:\n{self.log[-3000:]}")

    def finish_training(self) -> None:
        """Let its training process, now or as soon as there is one, come to its end."""
        (self.data_folder / "enough").touch()

    def _command(self) -> list[str]:
        by_version = {"0.11.1": "detector_0_11", "0.27.0": "detector_0_27"}
        module = by_version[self.version] if self.kind == "detector" else self.kind
        python = [str(python_of(self.version)), "-m", f"peers.nodes.{module}"]
        return [*python, self.name, self.id, str(self.data_folder)]

    def _environment(self) -> dict[str, str]:
        inherited = child_environment(
            self.settings, PYTHONPATH=str(ROOT / "tests"), INFERENCE_BATCH_SIZE=str(BATCH)
        )
        return {name: value for name, value in inherited.items() if not name.startswith("COV")}

    def _is_serving(self) -> bool:
        self.check()
        found = _URL.findall(self.log)
        if found:
            self.url = found[-1]
        return bool(found)
