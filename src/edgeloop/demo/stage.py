"""Where the story plays: a loop, a trainer and a detector, each a process of its own."""

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr

from edgeloop.client import Backoff, Call, ClientSettings, LoopClient
from edgeloop.client.settings import child_environment
from edgeloop.demo.plan import ORGANIZATION, PROJECT
from edgeloop.demo.processes import EdgeloopProcess
from edgeloop.errors import EdgeloopError

T = TypeVar("T")
USERNAME = "admin"
_ATTEMPTS = 30


@dataclass(frozen=True, slots=True)
class Stage:
    """The running processes and how to talk to them."""

    loop: EdgeloopProcess
    trainer: EdgeloopProcess
    detector: EdgeloopProcess
    client: LoopClient
    password: str

    def revive(self) -> None:
        """Start again what was killed; raises ProcessError for what ended by itself."""
        for process in (self.loop, self.trainer, self.detector):
            process.revive()

    def send(self, call: Call[T]) -> T:
        """Ask the loop, again where it was killed meanwhile: for calls that may be repeated."""
        return self.patiently(lambda: self.client.send(call))

    def patiently(self, action: Callable[[], T]) -> T:
        """``action``, repeated while a killed process comes back."""
        backoff = Backoff(0.1, 2.0)
        pause = threading.Event()
        for _ in range(_ATTEMPTS):
            try:
                return action()
            except EdgeloopError as error:
                if not error.retryable:
                    raise
            self.revive()
            pause.wait(backoff.next_s())
        return action()


@contextlib.contextmanager
def set_stage(folder: Path, *, uncertain: tuple[float, float]) -> Iterator[Stage]:
    """Start all three with their data in ``folder``, on free ports; stop them at the end.

    The detector has no login: it is on the loop's own host. It uploads frames with a detection of
    ``uncertain`` (from, to) confidence.
    """
    password = secrets.token_urlsafe(9)
    logs = folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    loop = EdgeloopProcess(
        "loop",
        ["loop", "--data-folder", str(folder / "loop")],
        log=logs / "loop.log",
        environment=child_environment(ClientSettings(), EDGELOOP_ADMIN_PASSWORD=password),
    )
    with contextlib.ExitStack() as stack:
        url = _started(stack, loop)
        settings = ClientSettings(host=url, username=USERNAME, password=SecretStr(password))
        trainer = _trainer(folder, settings)
        detector = _detector(folder, url, uncertain)
        for process in (trainer, detector):
            _started(stack, process)
        client = stack.enter_context(LoopClient(settings))
        yield Stage(loop, trainer, detector, client, password)


def _started(stack: contextlib.ExitStack, process: EdgeloopProcess) -> str:
    stack.callback(process.stop)
    return process.start()


def _trainer(folder: Path, settings: ClientSettings) -> EdgeloopProcess:
    return EdgeloopProcess(
        "trainer",
        ["trainer", "--data-folder", str(folder / "trainer")],
        log=folder / "logs" / "trainer.log",
        environment=child_environment(settings),
    )


def _detector(folder: Path, url: str, uncertain: tuple[float, float]) -> EdgeloopProcess:
    low, high = uncertain
    settings = ClientSettings(
        host=url, username="", password=SecretStr(""), organization=ORGANIZATION, project=PROJECT
    )
    return EdgeloopProcess(
        "detector",
        [
            *("detector", "--data-folder", str(folder / "detector")),
            *("--min-uncertain-threshold", str(low), "--max-uncertain-threshold", str(high)),
        ],
        log=folder / "logs" / "detector.log",
        environment=child_environment(settings),
    )
