"""A process that dies at any line: what is in memory-mapped files then stays as it is."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import edgeloop.stream.stores

_CODE = str(Path(edgeloop.stream.stores.__file__).parent)


class Killed(BaseException):
    """The end of the process, as far as the code can tell."""


def lines_of(action: Callable[[], object]) -> int:
    """How many lines of the stores' code ``action`` runs."""
    count = 0

    def count_one() -> None:
        nonlocal count
        count += 1

    _trace(action, count_one)
    return count


def kill_at(line: int, action: Callable[[], object]) -> None:
    """Run ``action`` up to its ``line``-th line of the stores' code, and no further."""
    left = line

    def count_down() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed

    try:
        _trace(action, count_down)
    except Killed:
        return


def _trace(action: Callable[[], object], on_line: Callable[[], None]) -> None:
    def local(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            on_line()
        return local

    def every(frame: FrameType, event: str, _: Any) -> Any:
        return local if frame.f_code.co_filename.startswith(_CODE) else None

    before = sys.gettrace()
    sys.settrace(every)
    try:
        action()
    finally:
        sys.settrace(before)
