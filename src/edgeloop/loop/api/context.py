"""What a route works with: who asks, the loop's settings, and workspaces to ask in."""

import ipaddress
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, FastAPI
from starlette.requests import HTTPConnection

from edgeloop.loop.services import sessions, tokens
from edgeloop.loop.services.sessions import Origin
from edgeloop.loop.services.throttles import Rate
from edgeloop.loop.services.workspace import Caller, Workspace, Workspaces
from edgeloop.loop.settings import LoopSettings

COOKIE = "edgeloop_session"
_NOT_LOCAL = (
    "x-forwarded-for",
    "forwarded",
    "x-real-ip",
    "via",
    "origin",
    "sec-fetch-site",
    "accept-language",
)
"""A proxy may speak for anybody, a browser for any page that is open in it.

Of a page whose name was pointed at this host later, only ``accept-language`` shows a browser.
"""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a running loop that its routes use.

    ``on_training`` is to be called when a training waits for something: a trainer, or its end.
    ``uploads`` bounds what devices without a login send.
    """

    workspaces: Workspaces
    settings: LoopSettings
    on_training: Callable[[], None]
    uploads: Rate = field(default_factory=lambda: Rate(per_minute=0))

    @property
    def session_lifetime(self) -> timedelta:
        """How long a session lasts after it was last seen."""
        return timedelta(days=self.settings.session_days)


@dataclass(frozen=True, slots=True)
class Context:
    """One request: the parts, who asks, and with which token."""

    parts: Parts
    caller: Caller
    token: str

    def read(self) -> AbstractAsyncContextManager[Workspace]:
        """A workspace of the caller that changes nothing."""
        return self.parts.workspaces.read(self.caller)

    def write(self) -> AbstractAsyncContextManager[Workspace]:
        """A workspace of the caller; what changed is kept when the block ends."""
        return self.parts.workspaces.write(self.caller)

    def count_upload(self) -> None:
        """Somebody uploads; raises RateLimited for a device of another host that does it too often.

        Who shows a login or a token is not counted.
        """
        if self.caller.is_stranger:
            self.parts.uploads.take(self.caller.peer, now=self.parts.workspaces.clock())


def provide(app: FastAPI, parts: Parts) -> None:
    """Let the routes of ``app`` work with these parts."""
    app.state.parts = parts


async def context_of(connection: HTTPConnection) -> Context:
    """The context of a request or of a socket's handshake: a session's cookie, or an API token.

    Raises Unauthenticated for a token that is unknown or has ended.
    """
    parts: Parts = connection.app.state.parts
    token = connection.cookies.get(COOKIE, "")
    scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        caller = await tokens.caller_of(parts.workspaces, secret.strip())
    else:
        lifetime = parts.session_lifetime
        caller = await sessions.caller_of(parts.workspaces, token, lifetime=lifetime)
    peer = origin_of(connection).address
    trusted = parts.settings.local_devices and is_local(connection)
    caller = replace(caller, is_local=trusted, peer=peer)
    connection.state.account = caller.username  # for the log
    return Context(parts, caller, token)


def origin_of(connection: HTTPConnection) -> Origin:
    """Where a request comes from."""
    address = connection.client.host if connection.client else ""
    return Origin(address, connection.headers.get("user-agent", ""))


Asking = Annotated[Context, Depends(context_of)]


def is_local(connection: HTTPConnection) -> bool:
    """Whether a program on the same host asks: a loopback peer, not a proxy and no browser.

    A proxy that adds no header cannot be told from one: see ``LoopSettings.local_devices``.
    """
    if connection.client is None or any(name in connection.headers for name in _NOT_LOCAL):
        return False
    try:
        address = ipaddress.ip_address(connection.client.host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
