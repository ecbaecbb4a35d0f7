"""The pages in the loop's app: served beside its API, live while the app runs."""

import contextlib
import functools
import hashlib
import importlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import nicegui
from fastapi import FastAPI
from nicegui import ui
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from edgeloop.loop.services.workspace import Workspaces
from edgeloop.loop.ui import missing
from edgeloop.loop.ui.visits import FRONT, CallerOf, Front

PAGES = ("login", "projects", "images", "image", "trainings", "models", "nodes")
"""The modules that have a page each."""
_NOT_PAGES = ("/api/", "/ws/")
_STYLE = Path(__file__).parent / "style.css"
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" '
    'rx="7" fill="#0b6bcb"/><path d="M23 12a8.2 8.2 0 1 0 .9 6.4M24 7v6h-6" fill="none" '
    'stroke="#fff" stroke-width="3" stroke-linecap="round" stroke-linejoin="round"/></svg>'
)
_stage = threading.Lock()


def mount(app: FastAPI, workspaces: Workspaces, *, caller_of: CallerOf) -> None:
    """Serve the pages with ``app``, at all paths that its routes leave.

    ``caller_of`` says who asks. Pages live in one event loop of a process: of several apps that
    run in one process at the same time the first has them, the others answer 503.
    """
    _register_once()
    pages = _Pages(Front(app, workspaces, caller_of), otherwise=app.router.default)
    app.router.default = pages
    without_pages = app.router.lifespan_context

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with without_pages(app), pages.running():
            yield

    app.router.lifespan_context = lifespan


class _Pages:
    """NiceGUI's app below the loop's; tells each request which loop it belongs to."""

    def __init__(self, front: Front, *, otherwise: ASGIApp) -> None:
        self._front = front
        self._otherwise = otherwise
        self._is_live = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a page; what is below the API's paths is none."""
        if _is_of_api(scope["path"]):
            await self._otherwise(scope, receive, send)
        elif self._is_live:
            await nicegui.app({**scope, FRONT: self._front}, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            sentence = "The pages belong to another loop in this process: use the API."
            await PlainTextResponse(sentence, status_code=503)(scope, receive, send)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let the pages live during the block, unless they live elsewhere."""
        if not _stage.acquire(blocking=False):
            yield
            return
        try:
            async with nicegui.app.router.lifespan_context(nicegui.app):
                self._is_live = True
                try:
                    yield
                finally:
                    self._is_live = False
        finally:
            _stage.release()


def _is_of_api(path: str) -> bool:
    return f"{path}/".startswith(_NOT_PAGES)


@functools.cache
def _register_once() -> None:
    # NiceGUI is one app per process; run_with wants an app, but ours host it by themselves.
    ui.run_with(
        FastAPI(),
        title="edgeloop",
        favicon=_ICON,
        dark=None,
        language="en-US",
        tailwind=False,
        reconnect_timeout=10,
        show_welcome_message=False,
    )
    for page in PAGES:
        importlib.import_module(f"edgeloop.loop.ui.{page}")
    nicegui.app.add_exception_handler(404, _missing)
    style = _STYLE.read_bytes()
    path = f"/style-{hashlib.sha256(style).hexdigest()[:12]}.css"
    nicegui.app.add_static_file(local_file=_STYLE, url_path=path)
    ui.add_head_html(f'<link rel="stylesheet" href="{path}">', shared=True)


async def _missing(request: Request, _error: Exception) -> Response:
    return await missing.page(request)
