"""agentlace.zmq_wrapper.pair: messages both ways between two, in order, none twice."""

import logging
import queue
import threading
import uuid
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from edgeloop.compat.agentlace.hosting import everywhere, port_of
from edgeloop.compat.agentlace.internal.utils import check_compression
from edgeloop.compat.agentlace.payloads import unwrap, wrap
from edgeloop.errors import EdgeloopError, NotFound
from edgeloop.stream import Message, connect, serve
from edgeloop.stream.service import server_url

log = logging.getLogger(__name__)

_TELL, _FETCH = "tell", "fetch"
_MOST_WAITING = 1000
_WAIT_S = 1.0
_PATIENCE_S = 10.0
_END = object()

Callback = Callable[[Any], None]


class _Side:
    """What both sides have: a callback, and an end."""

    def __init__(self) -> None:
        self.callback: Callback | None = None
        self._ended = threading.Event()

    def register_callback(self, callback: Callback) -> None:
        """What ``run`` calls with each message."""
        self.callback = callback

    def _handle(self, message: Any) -> None:
        if self.callback:
            self.callback(message)


class PairServer(_Side):
    """Listens; ``log_level`` and ``compression`` have no effect."""

    def __init__(
        self, port: int = 5557, log_level: int = logging.DEBUG, compression: str = "lz4"
    ) -> None:
        del log_level
        check_compression(compression)
        super().__init__()
        self._came: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._waiting: deque[tuple[int, Any]] = deque(maxlen=_MOST_WAITING)
        self._sent = 0
        self._session = uuid.uuid4().hex
        self._server = serve(everywhere(port), self._answer)
        self._server.start()
        self.port = port_of(self._server.url)

    def broadcast(self, message: Any) -> None:
        """Send to the client; 1000 messages wait for one that is away, then the oldest go."""
        with self._changed:
            self._sent += 1
            self._waiting.append((self._sent, wrap(message)))
            self._changed.notify_all()

    def run(self) -> None:
        """Call back with what the client sends, until it is stopped from another thread."""
        while (message := self._came.get()) is not _END:
            self._handle(message)

    def stop(self) -> None:
        """End."""
        self._ended.set()
        self._came.put(_END)
        with self._changed:
            self._changed.notify_all()
        self._server.close()

    def _answer(self, route: str, message: Message) -> Message:
        if route == _TELL:
            self._came.put(unwrap(message))
            return {}
        if route == _FETCH:
            return self._after(message["after"] if message["session"] == self._session else 0)
        raise NotFound(f"A pair has no {route!r}.")

    def _after(self, number: int) -> Message:
        """What was sent after ``number``; all up to it has arrived."""
        with self._changed:
            while self._waiting and self._waiting[0][0] <= number:
                self._waiting.popleft()
            self._changed.wait_for(lambda: self._waiting or self._ended.is_set(), _WAIT_S)
            messages = [message for _, message in self._waiting]
            last = self._sent if messages else number
            return {"messages": messages, "last": last, "session": self._session}


class PairClient(_Side):
    """Connects; ``log_level`` and ``compression`` have no effect."""

    def __init__(
        self,
        ip: str,
        port: int = 5557,
        log_level: int = logging.DEBUG,
        compression: str = "lz4",
    ) -> None:
        del log_level
        check_compression(compression)
        super().__init__()
        self._client = connect(server_url(ip, port))
        weakref.finalize(self, self._client.close)

    def broadcast(self, message: Any) -> None:
        """Send to the server; raises StreamTimeout where there is none for 10 s."""
        self._client.call(_TELL, wrap(message))

    def run(self) -> None:
        """Call back with what the server sends, until it is stopped from another thread."""
        seen: Message = {"after": 0, "session": ""}
        while not self._ended.is_set():
            try:
                answer = self._client.call(_FETCH, seen, timeout_s=_PATIENCE_S)
            except EdgeloopError as error:
                log.debug("the pair was interrupted: %s", error)
                self._ended.wait(_WAIT_S)
                continue
            seen = {"after": answer["last"], "session": answer["session"]}
            for message in answer["messages"]:
                self._handle(unwrap(message))

    def stop(self) -> None:
        """End."""
        self._ended.set()
        self._client.close()
