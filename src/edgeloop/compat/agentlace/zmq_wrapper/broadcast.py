"""agentlace.zmq_wrapper.broadcast: from one to many; only the newest counts."""

import logging
import weakref
from collections.abc import Callable
from typing import Any

from edgeloop.compat.agentlace.hosting import everywhere, port_of
from edgeloop.compat.agentlace.internal.utils import check_compression
from edgeloop.compat.agentlace.payloads import owned, unwrap, wrap
from edgeloop.errors import NotFound
from edgeloop.stream import Message, Publication, connect, serve
from edgeloop.stream.service import server_url

_TOPIC = "broadcast"


class BroadcastServer:
    """Tells all listeners; ``log_level`` and ``compression`` have no effect."""

    def __init__(
        self, port: int = 5557, log_level: int = logging.DEBUG, compression: str = "lz4"
    ) -> None:
        del log_level
        check_compression(compression)
        self._server = serve(everywhere(port), _refuse)
        self._server.start()
        self.port = port_of(self._server.url)

    def broadcast(self, message: Any) -> None:
        """Tell; who comes late gets the newest, who is slow misses what was replaced meanwhile."""
        self._server.publish(_TOPIC, wrap(message))

    def stop(self) -> None:
        """End."""
        self._server.close()


class BroadcastClient:
    """Listens."""

    def __init__(
        self,
        ip: str,
        port: int = 5557,
        log_level: int = logging.DEBUG,
        comppression: str = "lz4",
    ) -> None:
        del log_level
        check_compression(comppression)
        self._client = connect(server_url(ip, port))
        weakref.finalize(self, self._client.close)

    def async_start(self, callback: Callable[[Any], None]) -> None:
        """Call back, in one thread, with what is broadcast; an error is logged, and not the end."""

        def hand_on(publication: Publication, _: BroadcastClient = self) -> None:
            callback(owned(unwrap(publication.message)))  # listening, we live on

        self._client.subscribe(_TOPIC, hand_on)

    def stop(self) -> None:
        """Listen no more."""
        self._client.close()


def _refuse(route: str, message: Message) -> Message:
    del message
    raise NotFound(f"This server only broadcasts: it has no {route!r}.")
