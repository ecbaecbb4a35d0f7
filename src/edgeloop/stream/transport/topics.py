"""The current publication of every topic, and waiting for a newer one."""

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from edgeloop.errors import CodecError, Conflict, Overloaded, StreamClosed
from edgeloop.stream.codec import Encoded, encode
from edgeloop.stream.transport.base import Message

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

    def publish(
        self, topic: str, message: Message, version: int | None, make: Callable[[Encoded], Body]
    ) -> int:
        """Make ``message`` the current one of ``topic``; says its version.

        ``make`` gets what travels, [version, session, message], and may raise. Raises CodecError,
        Conflict for a version that does not grow, Overloaded for too many topics, StreamClosed
        after `close`.
        """
        with self._next(topic, version) as number:
            body = make(encode([number, self.session, message]))
        with self._changed:
            self._check_open()
            current = self._editions.get(topic)
            if current is None or current.version < number:
                self._editions[topic] = Edition(number, body)
                self._changed.notify_all()
        return number

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

    @contextlib.contextmanager
    def _next(self, topic: str, version: int | None) -> Iterator[int]:
        """The version wished for, or the next; it is as if never given if the block raises."""
        with self._changed:
            self._check_open()
            last = self._versions.get(topic)
            number = self._checked(topic, last, version)
            self._versions[topic] = number
        try:
            yield number
        except BaseException:
            with self._changed:
                if self._versions.get(topic) == number:
                    self._versions.pop(topic)
                    if last is not None:
                        self._versions[topic] = last
            raise

    def _check_open(self) -> None:
        if self._closed:
            raise StreamClosed("The server was closed: nobody would get the publication.")

    def _checked(self, topic: str, last: int | None, version: int | None) -> int:
        if last is None and len(self._versions) >= self._max_topics:
            raise Overloaded(f"There are {self._max_topics} topics already: use fewer names.")
        if version is None:
            return (last or 0) + 1
        if last is not None and version <= last:
            raise Conflict(f"Version {version} of {topic!r} is not newer than {last}.")
        return version
