"""One thread of two, interrupted by the other at a moment of the test's choice."""

import sys
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any, TypeVar

T = TypeVar("T")


def interrupted(
    action: Callable[[], T], module: ModuleType, line: int, interrupt: Callable[[], object]
) -> tuple[T, bool]:
    """What ``action`` returns, and whether it was interrupted.

    ``interrupt`` runs before the ``line``-th line of the module that is executed, if there are so
    many. For code that holds no lock there.
    """
    left = line

    def watch(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename != module.__file__:
            return None
        if event == "line":
            left -= 1
            if left == -1:
                sys.settrace(None)
                interrupt()
        return watch

    tracer = sys.gettrace()
    sys.settrace(watch)
    try:
        result = action()
    finally:
        sys.settrace(tracer)
    return result, left < 0
