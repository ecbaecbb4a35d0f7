"""A loop in a process of its own, and who asks it."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from loop.http import Connection

PASSWORD = "a password for measurements"
ORGANIZATION, PROJECT = "bench", "parts"
_URL = re.compile(rb"http://[\d.]+:(\d+)")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens."""

    port: int
    process: psutil.Process

    def cpu_s(self) -> float:
        """The CPU time of all its threads so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def connect(self, *, log_in: bool = True) -> Connection:
        """A connection, logged in as admin unless told otherwise."""
        connection = Connection(self.port)
        if log_in:
            connection.log_in("admin", PASSWORD)
        return connection


@dataclass(frozen=True, slots=True)
class Site:
    """Where measurements are made, and for how long."""

    folder: Path
    seconds: float

    @property
    def data_folder(self) -> Path:
        """That of the loop."""
        return self.folder / "loop"

    @contextlib.contextmanager
    def loop(self) -> Iterator[Server]:
        """The loop, running."""
        arguments = ["-m", "edgeloop", "loop", "--port", "0", "--data-folder", self.data_folder]
        with started(arguments, EDGELOOP_ADMIN_PASSWORD=PASSWORD) as server:
            yield server

    @contextlib.contextmanager
    def bare(self, answer_bytes: int) -> Iterator[Server]:
        """A bare server that answers so many bytes to everything, at the same settings."""
        with started(["-m", "loop.bare", str(answer_bytes)]) as server:
            yield server


@contextlib.contextmanager
def started(arguments: Sequence[object], **environment: str) -> Iterator[Server]:
    """``python ARGUMENTS`` until the block ends; it must write the URL that it listens at."""
    with tempfile.NamedTemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=Path(__file__).parent.parent,
            env={**os.environ, **environment},
        )
        try:
            port = _port(process, Path(log.name))
            yield Server(port, psutil.Process(process.pid))
        finally:
            process.terminate()
            process.wait()


def _port(process: "subprocess.Popen[bytes]", log: Path) -> int:
    while process.poll() is None:
        if found := _URL.search(log.read_bytes()):
            return int(found[1])
        time.sleep(0.05)
    raise RuntimeError(f"The server did not start:\n{log.read_text()}")
