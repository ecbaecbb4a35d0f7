"""Keeps the tracer of coverage from hanging where threads end."""

import weakref
from typing import Any


class GreenletIndex(weakref.WeakKeyDictionary[Any, Any]):
    """Forgets what is gone without running Python code.

    greenlet frees what a thread leaves behind in a pending call of the interpreter. If that runs
    a traced Python function while another such call waits, CPython 3.11 never leaves the
    function's first instruction. Coverage's tracers keep greenlets in a WeakKeyDictionary, whose
    callback is such a function; this one's is not.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._remove = vars(self)["data"].__delitem__


def use_greenlet_index() -> None:
    """From now on the tracers of new threads use it: they take the class from its module."""
    weakref.WeakKeyDictionary = GreenletIndex  # type: ignore[assignment, misc]
