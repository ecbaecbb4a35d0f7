"""The current publication of every topic, and waiting for a newer one."""

import threading
import uuid
from dataclasses import dataclass
from typing import Generic, TypeVar

from edgeloop.errors import CodecError, Conflict, Overloaded

Body = TypeVar("Body")


@dataclass(frozen=True, slots=True)
class Edition(Generic[Body]):
    """A publication as it travels."""

    version: int
    body: Body


class Topics(Generic[Body]):
    """Keeps the newest edition per topic; any number of threads wait for newer ones."""

    def __init__(self, max_topics: int) -> None:
        self.session = uuid.uuid4().hex
        self._max_topics = max_topics
        self._changed = threading.Condition()
        self._versions: dict[str, int] = {}
        self._editions: dict[str, Edition[Body]] = {}
        self._closed = False

    def reserve(self, topic: str, version: int | None) -> int:
        """The version of the next edition: the one wished for, or the next number.

        Raises Conflict for a version that does not grow, Overloaded for too many topics.
        """
        with self._changed:
            last = self._versions.get(topic)
            if last is None and len(self._versions) >= self._max_topics:
                raise Overloaded(f"There are {self._max_topics} topics already: use fewer names.")
            if version is not None and last is not None and version <= last:
                raise Conflict(f"Version {version} of {topic!r} is not newer than {last}.")
            chosen = version if version is not None else (last or 0) + 1
            self._versions[topic] = chosen
            return chosen

    def put(self, topic: str, edition: Edition[Body]) -> None:
        """Make ``edition`` the topic's current one, unless a newer one was quicker."""
        with self._changed:
            current = self._editions.get(topic)
            if not self._closed and (current is None or current.version < edition.version):
                self._editions[topic] = edition
                self._changed.notify_all()

    def newer(
        self, topic: str, seen: int | None, *, timeout_s: float | None = None
    ) -> Edition[Body] | None:
        """Wait for an edition other than ``seen``; None after ``timeout_s``, and when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._has_newer(topic, seen), timeout_s)
            return self._editions[topic] if self._has_newer(topic, seen) else None

    def wish(self, content: object) -> tuple[str, int | None]:
        """The topic that a subscriber wants, and what it has seen of it; raises CodecError."""
        match content:
            case [str(topic), str(session), int(version)]:
                return topic, version if session == self.session else None
        raise CodecError("A subscription is a topic, a session and a version.")

    @property
    def closed(self) -> bool:
        """Whether nothing will be published any more."""
        return self._closed

    def close(self) -> None:
        """Let all that wait go, and keep nothing."""
        with self._changed:
            self._closed = True
            self._editions.clear()
            self._changed.notify_all()

    def _has_newer(self, topic: str, seen: int | None) -> bool:
        return topic in self._editions and self._editions[topic].version != seen
