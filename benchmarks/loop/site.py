"""A loop in a process of its own, and who asks it."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from loop.http import Connection, in_parallel

PASSWORD = "a password for measurements"
ORGANIZATION, PROJECT = "bench", "parts"
_URL = re.compile(rb"http://[\d.]+:(\d+)")


@dataclass(frozen=True, slots=True)
class Work:
    """How often something was done, in which time, and what CPU time that took the server."""

    count: int
    seconds: float
    cpu_s: float

    @property
    def rate(self) -> float:
        """How often per second."""
        return self.count / self.seconds

    def cpu_ms(self, each: int = 1) -> float:
        """The CPU time per thing, where each time there were so many."""
        return self.cpu_s / self.count / each * 1000


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens."""

    port: int
    process: psutil.Process

    def cpu_s(self) -> float:
        """The CPU time of all its threads so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def watched(
        self,
        connections: Sequence[Connection],
        work: Callable[[Connection, int], None],
        seconds: float,
    ) -> Work:
        """Let each connection work in turns for so long, after a little that does not count."""
        in_parallel(connections, work, 1.0)
        before = self.cpu_s()
        count, took = in_parallel(connections, work, seconds)
        return Work(count, took, self.cpu_s() - before)

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
