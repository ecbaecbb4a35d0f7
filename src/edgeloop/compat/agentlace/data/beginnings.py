"""Steps that wait until their trajectory is long enough to be kept."""

from dataclasses import dataclass, field
from typing import Any

MAX_ORIGINS = 1024
"""Those beyond that had no step for longest are given up: their next step begins a trajectory."""

Row = dict[str, Any]


@dataclass(slots=True)
class _Begun:
    id: int
    is_kept: bool = False
    waiting: list[Row] = field(default_factory=list)


class Beginnings:
    """The unfinished trajectory of each origin; None is the buffer's own."""

    def __init__(self, first_id: int = 0) -> None:
        self._next_id = first_id
        self._begun: dict[str | None, _Begun] = {}

    def id_of(self, origin: str | None) -> int:
        """The id of the trajectory that the next row of an origin belongs to."""
        return self._of(origin).id

    def waiting(self, origin: str | None) -> list[Row]:
        """The rows that wait."""
        return self._of(origin).waiting

    def has_begun(self, origin: str | None) -> bool:
        """Whether a row came since the last end."""
        begun = self._of(origin)
        return begun.is_kept or bool(begun.waiting)

    def go_on(self, origin: str | None, trajectory: int, *, is_kept: bool) -> None:
        """Let the next row of an origin belong to this trajectory."""
        self._begun[origin] = _Begun(trajectory, is_kept)

    def add(self, origin: str | None, row: Row, *, least: int) -> list[Row]:
        """The rows to keep now, oldest first: none while there are fewer than ``least``.

        They say in "trajectory_id" and "is_first" where they belong.
        """
        is_first = not self.has_begun(origin)
        begun = self._of(origin)
        begun.waiting.append({**row, "trajectory_id": begun.id, "is_first": is_first})
        if not begun.is_kept and len(begun.waiting) < least:
            return []
        begun.is_kept = True
        ready, begun.waiting = begun.waiting, []
        return ready

    def end(self, origin: str | None) -> None:
        """The next row of an origin begins a trajectory; what still waits is dropped."""
        begun = self._of(origin)
        begun.waiting = []
        if begun.is_kept:
            del self._begun[origin]

    def _of(self, origin: str | None) -> _Begun:
        begun = self._begun.pop(origin, None)
        if begun is None:
            begun = _Begun(self._next_id)
            self._next_id += 1
        self._begun[origin] = begun  # last: the one heard of last
        if len(self._begun) > MAX_ORIGINS:
            del self._begun[next(name for name in self._begun if name is not None)]
        return begun
