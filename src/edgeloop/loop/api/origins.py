"""Nobody's page but the loop's own makes a browser change something: no request forgery."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from edgeloop.loop.api.failures import failure

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_SOCKETS = ("/ws/", "/_nicegui_ws/")
_OWN = ("same-origin", "none")
"""What browsers say of requests from the loop's pages, and of what was typed by hand."""
_FOREIGN = (
    "The page that sent this is not one of this loop: open the loop's own pages. Behind a proxy, "
    "let it pass the Host header on."
)


class SameOrigin:
    """ASGI middleware that refuses what other sites let a browser send.

    It looks at requests that change something and at sockets. Programs send neither ``Origin`` nor
    ``Sec-Fetch-Site``: they pass.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if not (_matters(scope) and is_foreign(Headers(scope=scope))):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await failure(403, detail=_FOREIGN, code="forbidden")(scope, receive, send)


def is_foreign(headers: Headers) -> bool:
    """Whether a browser sends this for a page of another site."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in _OWN
    origin = headers.get("origin")
    if origin is None:
        return False
    # No page of another site can make a browser send the second one.
    hosts = {headers.get("host", ""), headers.get("x-forwarded-host", "")} - {""}
    return urlsplit(origin).netloc not in hosts


def _matters(scope: Scope) -> bool:
    if scope["type"] == "websocket":
        return True
    if scope["type"] != "http":
        return False
    return scope["method"] not in _READING or scope["path"].startswith(_SOCKETS)
