"""A subscription: a connection and a thread of its own that calls back."""

import logging
import threading
from time import monotonic
from typing import Any

from edgeloop.errors import CodecError, EdgeloopError, StreamClosed, StreamTimeout
from edgeloop.stream.codec import encode
from edgeloop.stream.transport.base import Callback, Publication, Subscription
from edgeloop.stream.transport.connections import Connection, Connections
from edgeloop.stream.transport.frames import Idle, Kind, error_from

log = logging.getLogger(__name__)

_CONNECT_S = 1.0
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 5.0
_STALL_S = 30.0
_PATIENCE_S = 5.0
_NOTHING = -1
_READY = encode(None)


class Subscriber(Subscription):
    """Listens to one topic; comes back by itself when the connection is lost."""

    def __init__(self, topic: str, callback: Callback, connections: Connections) -> None:
        self._topic = topic
        self._callback = callback
        self._connections = connections
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._closed = threading.Event()
        self._session = ""
        self._version = _NOTHING
        self._thread = threading.Thread(target=self._run, name=f"subscription {topic}", daemon=True)

    @property
    def is_running(self) -> bool:
        """Whether callbacks may still come."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        with self._lock:
            self._closed.set()
            if self._connection is not None:
                self._connection.link.interrupt()
        if self._thread is not threading.current_thread():
            self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        pause = 0.0
        while not self._closed.wait(pause):
            try:
                self._listen()
                pause = 0.0
            except (OSError, StreamClosed, StreamTimeout) as error:
                log.debug("the subscription to %r was interrupted: %s", self._topic, error)
                pause = _FIRST_PAUSE_S
            except EdgeloopError as error:
                self._connections.ledger.count("subscription_errors")
                log.warning("the subscription to %r failed, trying again: %s", self._topic, error)
                pause = min(2 * pause + _FIRST_PAUSE_S, _LONGEST_PAUSE_S)

    def _listen(self) -> None:
        connection = self._connections.keep(monotonic(), _CONNECT_S)
        try:
            with self._lock:
                if self._closed.is_set():
                    return
                self._connection = connection
            connection.link.within(_CONNECT_S)
            wish = [self._topic, self._session, self._version]
            connection.link.send(Kind.SUBSCRIBE, encode(wish))
            while not self._closed.is_set():
                connection.link.pausing(_STALL_S)
                self._turn(connection)
        finally:
            with self._lock:
                self._connection = None
            self._connections.drop(connection)

    def _turn(self, connection: Connection) -> None:
        # All that refers to the publication ends with this call: its memory can be used again.
        try:
            kind, header, body = connection.link.receive()
        except Idle:
            return
        content = connection.decode(header, memoryview(body).toreadonly())
        if kind is not Kind.PUBLICATION:
            raise error_from(content)
        self._tell(_publication(self._topic, content))
        connection.link.send(Kind.READY, _READY)

    def _tell(self, publication: Publication) -> None:
        told = publication.session == self._session and publication.version <= self._version
        self._session, self._version = publication.session, publication.version
        if told or self._closed.is_set():
            return
        try:
            self._callback(publication)
        except (Exception, SystemExit):  # other people's code: the subscription lives on
            log.exception("the callback of the subscription to %r failed", self._topic)
            self._connections.ledger.count("callback_errors")


def _publication(topic: str, content: Any) -> Publication:
    match content:
        case [int(version), str(session), dict(message)]:
            return Publication(topic, version, session, message)
    raise CodecError("The server's publication is not readable: is it of another version?")
