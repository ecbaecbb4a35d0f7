"""How the story is told while it happens; the command line implements it."""

from contextlib import AbstractContextManager
from typing import Protocol


class Progress(Protocol):
    """A bar."""

    def advance(self, count: int = 1) -> None:
        """That many more are done."""
        ...

    def show(self, *, done: float, note: str = "") -> None:
        """So many are done in all, and a note beside the bar."""
        ...


class Narrator(Protocol):
    """Says what happens."""

    def chapter(self, title: str) -> None:
        """A new chapter begins."""
        ...

    def say(self, text: str) -> None:
        """A fact."""
        ...

    def progress(self, what: str, *, total: float) -> AbstractContextManager[Progress]:
        """A bar while something takes its time."""
        ...
