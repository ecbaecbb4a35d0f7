"""Servers in processes of their own, which tell what CPU time they took."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

BENCHMARKS = Path(__file__).parent.parent


class Process:
    """``python -m MODULE ARGUMENTS``; its first line is its address, then it obeys lines."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            cwd=BENCHMARKS,
        )
        self.address = self._line()

    def ask(self, question: str) -> str:
        """What it answers to a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        return self._line()

    def cpu_s(self) -> float:
        """The CPU time of all its threads so far."""
        return float(self.ask("cpu"))

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the benchmark's process ended: see its error above")
        return line.strip()


def obey(address: object, answers: dict[str, Callable[..., object]] | None = None) -> None:
    """The other end of `Process`: say the address, then answer until nobody asks any more.

    A line is a name and arguments; what the name stands for in ``answers`` is called with them.
    """
    print(address, flush=True)
    known: dict[str, Callable[..., object]] = {"cpu": time.process_time, **(answers or {})}
    for line in sys.stdin:
        name, *arguments = line.split()
        print(known[name](*arguments), flush=True)
    os._exit(0)


def in_background(work: Callable[[], None]) -> None:
    """Do ``work`` beside what follows."""
    threading.Thread(target=work, daemon=True).start()


def pin(cpu: int | None) -> None:
    """Keep this process and those it starts on one core."""
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
