"""The client of all transports: calls over the connections it keeps, subscriptions beside them."""

import threading
from time import monotonic

from edgeloop.errors import CodecError, RemoteError, StreamClosed
from edgeloop.stream.codec import encode
from edgeloop.stream.transport.base import (
    Callback,
    Client,
    Counters,
    Limits,
    Message,
    Subscription,
    bounded,
)
from edgeloop.stream.transport.connections import CLIENT_CLOSED, Connection, Connections, Open
from edgeloop.stream.transport.frames import Kind, error_from
from edgeloop.stream.transport.subscribing import Subscriber

_CALL = Kind.CALL
_REPLY = Kind.REPLY


class CallingClient(Client):
    """Calls over the links that ``open_link`` opens to the server at ``url``."""

    def __init__(self, url: str, open_link: Open, *, limits: Limits, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._connections = Connections(url, open_link, limits)
        self._lock = threading.Lock()
        self._subscribers: list[Subscriber] = []
        self._closed = False

    def call(self, route: str, message: Message, *, timeout_s: float | None = None) -> Message:
        if not isinstance(message, dict):
            raise CodecError(f"A message is a dict, not a {type(message).__name__}.")
        begun = monotonic()
        seconds = bounded(self._timeout_s if timeout_s is None else timeout_s)
        request = encode(message, title=route)
        connection = self._connections.borrow(begun, seconds)
        try:
            link = connection.link
            if connection.late:
                link.within(max(0.001, begun + seconds - monotonic()))
            else:
                link.within(seconds, since=begun)
            link.send(_CALL, request)
            kind, header, body = link.receive()
            content = connection.decode(header, body)
            if kind is not _REPLY:
                raise error_from(content)
            if type(content) is not dict:
                raise CodecError("The server's answer is not a dict: is it of another version?")
        except RemoteError:
            connection.tally.failures += 1
            connection.tally.timed(monotonic() - begun)
            self._connections.give_back(connection, monotonic())
            raise
        except StreamClosed as error:
            self._failed(connection)
            why = f"{error} The call may or may not have been answered."
            raise StreamClosed(why) from error
        except BaseException:
            self._failed(connection)
            raise
        now = monotonic()
        connection.tally.timed(now - begun)
        self._connections.give_back(connection, now)
        return content

    @property
    def way(self) -> str:
        return self._connections.way

    def subscribe(self, topic: str, callback: Callback) -> Subscription:
        subscriber = Subscriber(topic, callback, self._connections)
        with self._lock:
            if self._closed:
                raise StreamClosed(CLIENT_CLOSED)
            subscriber.start()
            self._subscribers = [known for known in self._subscribers if known.is_running]
            self._subscribers.append(subscriber)
        return subscriber

    def counters(self) -> Counters:
        return self._connections.ledger.counters()

    def close(self) -> None:
        self._connections.close()
        with self._lock:
            self._closed = True
            subscribers, self._subscribers = self._subscribers, []
        for subscriber in subscribers:
            subscriber.close()

    def _failed(self, connection: Connection) -> None:
        connection.tally.failures += 1
        self._connections.drop(connection)
