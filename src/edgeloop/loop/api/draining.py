"""The loop's end without a loss: who is inside finishes, who comes is told to come back."""

import asyncio
import logging

from starlette.types import ASGIApp, Receive, Scope, Send

from edgeloop.loop.api.failures import failure

log = logging.getLogger(__name__)

RETRY_AFTER_S = 5
_PROBES = ("/health", "/ready", "/metrics")
_SOCKETS = ("/ws/", "/_nicegui")
"""Begins of paths whose requests may last as long as their client: nobody waits for their end."""
_ENDING = "The loop is ending and takes no new requests: repeat in some seconds."


class Door:
    """Open until the loop is to end; knows how many requests are inside."""

    def __init__(self) -> None:
        self.is_closed = False
        self._inside = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def inside(self) -> int:
        """How many requests are inside."""
        return self._inside

    def close(self) -> None:
        """Let no request in any more."""
        self.is_closed = True
        if self._inside:
            log.info("Waiting for %d requests that are in flight", self._inside)

    async def until_empty(self) -> None:
        """Wait until all requests have left."""
        await self._empty.wait()

    def enter(self) -> None:
        """A request has come in."""
        self._inside += 1
        self._empty.clear()

    def leave(self) -> None:
        """A request is answered."""
        self._inside -= 1
        if not self._inside:
            self._empty.set()


class Guarded:
    """ASGI middleware that lets requests through the door, or answers 503."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "lifespan" or scope["path"] in _PROBES:
            await self._app(scope, receive, send)
        elif self._door.is_closed:
            await _refuse(scope, receive, send)
        elif scope["type"] == "websocket" or scope["path"].startswith(_SOCKETS):
            await self._app(scope, receive, send)
        else:
            self._door.enter()
            try:
                await self._app(scope, receive, send)
            finally:
                self._door.leave()


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1012})
        return
    refusal = failure(503, detail=_ENDING, code="overloaded")
    refusal.headers["retry-after"] = str(RETRY_AFTER_S)
    refusal.headers["connection"] = "close"
    await refusal(scope, receive, send)
