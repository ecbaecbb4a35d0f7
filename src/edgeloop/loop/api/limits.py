"""No body fills the memory: a bound for all requests whose route does not stream."""

import re

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgeloop.loop.api.failures import failure
from edgeloop.protocol.routes import API, RESOURCES

MAX_BODY_BYTES = 32 * 1024 * 1024
_STREAMED = ("/images", "/file")
"""Ends of the paths whose routes read their body themselves, with a bound of their own."""
_MODEL = re.compile(rf"{API}/(?!v1/)[^/]+/projects/[^/]+/(?:models/)?([^/]+)")
"""Where models come as files, by the name of their format: streamed, too."""
_TOO_LARGE = f"The request has more than {MAX_BODY_BYTES} bytes: send less at once."


class BoundedBodies:
    """ASGI middleware that refuses bodies of more than ``MAX_BODY_BYTES`` below ``/api``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 413."""
        if not _is_bounded(scope):
            await self._app(scope, receive, send)
        elif _said_bytes(scope) > MAX_BODY_BYTES:
            refusal = failure(413, detail=_TOO_LARGE, code="too_large")
            await refusal(scope, receive, send)
        else:
            await self._app(scope, _bounded(receive), send)


def _is_bounded(scope: Scope) -> bool:
    if scope["type"] != "http":
        return False
    path: str = scope["path"]
    return path.startswith(API) and not (path.endswith(_STREAMED) or _is_model(path))


def _is_model(path: str) -> bool:
    matched = _MODEL.fullmatch(path)
    return matched is not None and matched[1] not in RESOURCES


def _said_bytes(scope: Scope) -> int:
    said: bytes = dict(scope["headers"]).get(b"content-length", b"")
    return int(said) if said.isdigit() else 0


def _bounded(receive: Receive) -> Receive:
    received = 0

    async def receive_bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY_BYTES:
            raise HTTPException(413, _TOO_LARGE)
        return message

    return receive_bounded
