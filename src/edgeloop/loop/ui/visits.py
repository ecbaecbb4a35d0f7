"""Who looks at a page, and what of the loop the page works with."""

import functools
import inspect
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Concatenate, ParamSpec
from urllib.parse import quote

from fastapi import FastAPI
from nicegui import ui
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from edgeloop.errors import EdgeloopError, Unauthenticated
from edgeloop.loop.services.workspace import Caller, Workspace, Workspaces
from edgeloop.loop.ui.frame import framed
from edgeloop.loop.ui.widgets import notice
from edgeloop.protocol.failures import status_of

log = logging.getLogger(__name__)

FRONT = "edgeloop.front"
"""Where the scope of a request keeps the front of its loop."""
BUILD_WITHIN_S = 30.0
_BUG = "Something went wrong in this page: the loop's log says more."

CallerOf = Callable[[HTTPConnection], Awaitable[Caller]]
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Front:
    """What the pages of one loop work with: its app, its workspaces, and who asks."""

    app: FastAPI
    workspaces: Workspaces
    caller_of: CallerOf


@dataclass(frozen=True, slots=True)
class Visit:
    """Someone who looks at a page."""

    front: Front
    connection: HTTPConnection
    caller: Caller

    @property
    def now(self) -> datetime:
        """The loop's time, in UTC."""
        return self.front.workspaces.clock()

    def read(self) -> AbstractAsyncContextManager[Workspace]:
        """A workspace of the visitor that changes nothing."""
        return self.front.workspaces.read(self.caller)

    def every(self, seconds: float, refresh: "Refresh") -> None:
        """Call ``refresh`` again and again while the page is open and the session lasts."""
        timer = ui.timer(seconds, lambda: self._call(refresh, timer), immediate=False)

    def soon(self, refresh: "Refresh") -> None:
        """Call ``refresh`` once, when the browser shows the page."""
        timer = ui.timer(0.01, lambda: self._call(refresh, timer), once=True)

    async def _call(self, refresh: "Refresh", timer: ui.timer) -> None:
        try:
            await refresh(await self._again())
        except Unauthenticated:
            timer.cancel()
            ui.navigate.to("/login")
        except Exception as error:  # noqa: BLE001 - a page says it in a sentence, then rests
            timer.cancel()
            notice(_sentence_of(error, self.connection))

    async def _again(self) -> "Visit":
        """The same visitor now; raises Unauthenticated when the session has ended."""
        caller = await self.front.caller_of(self.connection)
        if caller.is_device:
            raise Unauthenticated("The session has ended: log in again.")
        return Visit(self.front, self.connection, caller)


Refresh = Callable[[Visit], Awaitable[None]]


async def visit_of(request: Request) -> Visit:
    """The visit that a request begins; the caller may be nobody."""
    front: Front = request.scope[FRONT]
    connection = HTTPConnection({**request.scope, "app": front.app})
    return Visit(front, connection, await front.caller_of(connection))


def visited(
    path: str, *, title: str
) -> Callable[[Callable[Concatenate[Visit, P], Awaitable[None]]], Callable[..., Any]]:
    """Make a function the builder of the page at ``path``, for people who are logged in.

    Others are sent to the login. What it raises is shown as a sentence.
    """

    def register(
        build: Callable[Concatenate[Visit, P], Awaitable[None]],
    ) -> Callable[..., Any]:
        async def answer(request: Request, *args: P.args, **kwargs: P.kwargs) -> Response | None:
            visit = await visit_of(request)
            if visit.caller.is_device:
                return RedirectResponse(_login_path(request), status_code=303)
            with framed(visit.caller.username, path=request.url.path) as content:
                try:
                    await build(visit, *args, **kwargs)
                except Exception as error:  # noqa: BLE001 - a page shows a sentence, no traceback
                    content.clear()
                    with content:
                        notice(_sentence_of(error, visit.connection))
                    ui.context.client.status_code = _status_of(error)
            return None

        builder = functools.wraps(build)(answer)
        builder.__signature__ = _with_request(build)  # type: ignore[attr-defined]
        ui.page(path, title=f"{title} · edgeloop", response_timeout=BUILD_WITHIN_S)(builder)
        return build

    return register


def _login_path(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    wanted = f"{request.url.path}{query}"
    return "/login" if wanted == "/" else f"/login?next={quote(wanted, safe='/')}"


def _sentence_of(error: Exception, connection: HTTPConnection) -> str:
    if isinstance(error, EdgeloopError):
        return str(error)
    log.error("The page %s met a bug", connection.url.path, exc_info=error)
    return _BUG


def _status_of(error: Exception) -> int:
    return status_of(error)[0] if isinstance(error, EdgeloopError) else 500


def _with_request(build: Callable[..., Any]) -> inspect.Signature:
    """The builder's parameters as the web framework shall see them: a request for the visit."""
    _visit, *others = inspect.signature(build).parameters.values()
    request = inspect.Parameter(
        "request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request
    )
    return inspect.Signature([request, *others])
