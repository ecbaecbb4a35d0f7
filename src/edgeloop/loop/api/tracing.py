"""Every request gets an id, a line in the log and a place in the metrics."""

import logging
import time
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgeloop import logs
from edgeloop.loop.api.failures import HEADER
from edgeloop.loop.api.metrics import Metrics
from edgeloop.protocol import routes

log = logging.getLogger(__name__)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_LINE = (
    "%(method)s %(route)s %(status)d in %(ms).1f ms, %(bytes_in)d bytes in, %(bytes_out)d out, "
    "%(account)s"
)
_STEADY = ("/detectors", "/ws")
"""Ends of routes that nodes call every few seconds."""


class Traced:
    """ASGI middleware, around all others: what happens in it belongs to a request.

    A client may name its request by the header ``X-Request-ID``; the answer has it in any case.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        said = dict(scope["headers"]).get(HEADER.encode(), b"").decode("latin-1")
        request_id = logs.well_formed_id(said)
        scope.setdefault("state", {})["request_id"] = request_id
        with logs.request(request_id):
            if scope["type"] == "http":
                await self._answer(scope, receive, send)
            else:
                with self._metrics.sockets.track_inprogress():
                    await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _Exchange(scope, receive, send)
        with self._metrics.in_flight.track_inprogress():
            try:
                await self._app(scope, exchange.receive, exchange.send)
            finally:  # an error that comes to here is a bug: it is answered with 500 further out
                exchange.end(self._metrics)


class _Exchange:
    """A request and its answer as they pass."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._began = time.perf_counter()
        self._status = 500
        self._received_bytes = 0
        self._sent_bytes = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._received_bytes += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            MutableHeaders(scope=message)[HEADER] = self._scope["state"]["request_id"]
        else:
            self._sent_bytes += len(message.get("body", b""))
        await self._send(message)

    def end(self, metrics: Metrics) -> None:
        seconds = time.perf_counter() - self._began
        method = self._scope["method"] if self._scope["method"] in _METHODS else "other"
        route = template_of(self._scope)
        metrics.request(
            method,
            route,
            status=self._status,
            seconds=seconds,
            received_bytes=self._received_bytes,
            sent_bytes=self._sent_bytes,
        )
        level = _level(method, route, self._status)
        if log.isEnabledFor(level):
            facts = self._facts(method, route, seconds)
            log.log(level, _LINE, facts, extra={logs.FACTS: facts})

    def _facts(self, method: str, route: str, seconds: float) -> Mapping[str, object]:
        return {
            "method": method,
            "route": route,
            "status": self._status,
            "ms": round(seconds * 1000, 1),
            "bytes_in": self._received_bytes,
            "bytes_out": self._sent_bytes,
            "account": self._scope["state"].get("account") or "nobody",
            "peer": peer[0] if (peer := self._scope.get("client")) else "",
        }


def template_of(scope: Scope) -> str:
    """The route of a request without the values in its path: there are few of them."""
    path: str = scope["path"]
    if route := getattr(scope.get("route"), "path", None):
        return str(route)
    if path.startswith(routes.API):
        return "(unknown)"
    return "/ws" if path.startswith("/ws/") else "(page)"


def _level(method: str, route: str, status: int) -> int:
    if status >= 500:
        return logging.WARNING
    is_quiet = method in _READING or route.endswith(_STEADY) or route == "(page)"
    return logging.DEBUG if is_quiet and status < 400 else logging.INFO
