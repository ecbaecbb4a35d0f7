"""A narrator that tells nobody, but says when a bar is in the middle of its way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class ListeningBar:
    """Calls ``on_middle`` once, when some are done and more are to come."""

    def __init__(self, on_middle: Callable[[], None], total: float) -> None:
        self._on_middle = on_middle
        self._total = total
        self._done = 0.0
        self._is_told = False

    def advance(self, count: int = 1) -> None:
        """That many more are done."""
        self.show(done=self._done + count)

    def show(self, *, done: float, note: str = "") -> None:
        """So many are done in all."""
        self._done = done
        if 0 < done < self._total and not self._is_told:
            self._is_told = True
            self._on_middle()


class ListeningNarrator:
    """Calls ``on_middle`` with the name of each bar."""

    def __init__(self, on_middle: Callable[[str], None]) -> None:
        self._on_middle = on_middle

    def chapter(self, title: str) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    @contextmanager
    def progress(self, what: str, *, total: float) -> Iterator[ListeningBar]:
        """A bar nobody sees."""
        yield ListeningBar(lambda: self._on_middle(what), total)
