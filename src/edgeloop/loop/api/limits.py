"""No body fills the memory or holds up a connection: bounds in bytes and in time."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgeloop.loop.api.failures import failure
from edgeloop.protocol.routes import API, RESOURCES, V1

MAX_BODY_BYTES = 1024 * 1024
"""Nearly all JSON is parsed before anybody knows who sent it: this much takes no time."""
MAX_LARGE_BODY_BYTES = 32 * 1024 * 1024
_PROJECT = rf"{API}/(?!v1/)[^/]+/projects/[^/]+"
_LARGE = re.compile(
    rf"{_PROJECT}/(?:detections|images/novelty_scores)|{V1}/images/[^/]+/annotations"
)
"""Where JSON is large: such routes know who asks before they read it (see ``admitting``)."""
_STREAMED = re.compile(rf"{_PROJECT}/(?:images|(?:trainings|models)/.+/file)")
"""Where routes read their body themselves, with a bound of their own."""
_MODEL = re.compile(rf"{_PROJECT}/(?:models/)?([^/]+)")
"""Where models come as files, by the name of their format: streamed, too."""
_SMALL = 1 << 16


@dataclass(frozen=True, slots=True)
class Pace:
    """How patiently a body is waited for.

    ``idle_s`` is the longest pause. Who made the loop wait for ``grace_s`` in all must have sent
    ``min_bytes_per_s`` of that time, and everything within ``within_s``. ``linger_bytes`` are read
    and dropped after an early answer, so that a sender who sends all before it reads gets to it.
    """

    idle_s: float
    min_bytes_per_s: float
    within_s: float
    grace_s: float = 30.0
    linger_bytes: int = 1 << 30


class BoundedBodies:
    """ASGI middleware that refuses bodies that are too large (413) or too slow (408)."""

    def __init__(
        self, app: ASGIApp, pace: Pace, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._pace = pace
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = _said_bytes(scope)
        max_bytes = _bound_of(scope["path"])
        body = _Body(receive, self._pace, self._clock, max_bytes=max_bytes, said_bytes=said)
        answer = _Lingering(body, send).send
        if max_bytes is not None and said is not None and said > max_bytes:
            refusal = failure(413, detail=_too_large(max_bytes), code="too_large")
            await refusal(scope, body.receive, answer)
        else:
            await self._app(scope, body.receive, answer)


class TooSlowError(HTTPException):
    """A body that takes too long: the connection ends with the answer."""

    def __init__(self, detail: str) -> None:
        super().__init__(408, detail)


def _bound_of(path: str) -> int | None:
    """How many bytes a body may have; None where the route sees to that."""
    if _LARGE.fullmatch(path):
        return MAX_LARGE_BODY_BYTES
    is_free = not path.startswith(API) or _STREAMED.fullmatch(path) or _is_model(path)
    return None if is_free else MAX_BODY_BYTES


def _too_large(max_bytes: int) -> str:
    return f"The request has more than {max_bytes} bytes: send less at once."


def _is_model(path: str) -> bool:
    matched = _MODEL.fullmatch(path)
    return matched is not None and matched[1] not in RESOURCES


def _said_bytes(scope: Scope) -> int | None:
    """How large the body is by its header; None where nobody can tell before it ends."""
    headers = dict(scope["headers"])
    if b"transfer-encoding" in headers:
        return None
    said: bytes = headers.get(b"content-length", b"0")
    return int(said) if said.isdigit() else None


class _Body:
    """A body on its way in."""

    def __init__(
        self,
        receive: Receive,
        pace: Pace,
        clock: Callable[[], float],
        *,
        max_bytes: int | None,
        said_bytes: int | None,
    ) -> None:
        self._receive = receive
        self._pace = pace
        self._clock = clock
        self._max_bytes = max_bytes
        self._received = 0
        self._waited_s = 0.0
        self.is_small = said_bytes is not None and said_bytes <= _SMALL
        self.is_read = said_bytes == 0
        self.is_given_up = False

    async def receive(self) -> Message:
        """The next message; raises HTTPException for a body that is too large or too slow."""
        if self.is_read:  # what comes now is the end of the connection: it may take its time
            return await self._receive()
        message = await self._next()
        if self._max_bytes is not None and self._received > self._max_bytes:
            raise HTTPException(413, _too_large(self._max_bytes))
        return message

    async def drop(self) -> None:
        """Read the rest and forget it, as long as it comes at a pace, and is not endless."""
        bound = self._received + self._pace.linger_bytes
        try:
            while not self.is_read and self._received < bound:
                await self._next()
        except TooSlowError:
            pass

    async def _next(self) -> Message:
        began, idle_s = self._clock(), self._pace.idle_s
        try:
            async with asyncio.timeout(idle_s):
                message = await self._receive()
        except TimeoutError:
            self.is_given_up = True
            raise TooSlowError(f"Nothing came for {idle_s:g} s: send it again.") from None
        self._waited_s += self._clock() - began
        self._received += len(message.get("body", b""))
        self.is_read = not message.get("more_body", False)
        if not self.is_read:
            self._check_pace()
        return message

    def _check_pace(self) -> None:
        waited, pace = self._waited_s, self._pace
        if waited > pace.grace_s and self._received < pace.min_bytes_per_s * waited:
            self.is_given_up = True
            raise TooSlowError(
                f"{self._received} bytes came in {waited:.0f} s: send at least "
                f"{pace.min_bytes_per_s:g} per second."
            )
        if waited > pace.within_s:
            self.is_given_up = True
            raise TooSlowError(f"It took more than {pace.within_s:g} s: send less at once.")


class _Lingering:
    """An answer on its way out: one that is early ends only when the body was read or given up."""

    def __init__(self, body: _Body, send: Send) -> None:
        self._body = body
        self._send = send

    async def send(self, message: Message) -> None:
        body = self._body
        if message["type"] == "http.response.start":
            if body.is_small and not body.is_given_up:  # it is there, unless someone plays tricks
                await body.drop()
            if not body.is_read:
                MutableHeaders(scope=message)["connection"] = "close"
        elif not (body.is_read or body.is_given_up or message.get("more_body")):
            await self._send({**message, "more_body": True})
            await body.drop()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)
