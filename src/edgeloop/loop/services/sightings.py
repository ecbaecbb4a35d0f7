"""When somebody was last there: kept in memory, and written down for all together."""

from collections.abc import Mapping
from datetime import datetime, timedelta

WRITE_EVERY = timedelta(minutes=1)


class Sightings:
    """The sightings that are not written down yet, by who was seen."""

    def __init__(self, *, every: timedelta = WRITE_EVERY) -> None:
        self._every = every
        self._seen: dict[str, datetime] = {}
        self._written: datetime | None = None

    def note(self, who: str, *, now: datetime, written: datetime | None) -> bool:
        """Somebody is there, for whom ``written`` is written down; whether to write all down now.

        What is written down counts as now for a while.
        """
        if written is not None and now - written < self._every:
            return False
        self._seen[who] = now
        is_due = self._written is None or now - self._written >= self._every
        if is_due:
            self._written = now
        return is_due

    def last(self, who: str) -> datetime | None:
        """When somebody was last there; None where what is written down says it."""
        return self._seen.get(who)

    def take(self) -> Mapping[str, datetime]:
        """All of them, to be written down now."""
        taken, self._seen = self._seen, {}
        return taken
