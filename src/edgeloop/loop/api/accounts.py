"""Status, login, logout."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from edgeloop import __version__
from edgeloop.errors import Unauthenticated
from edgeloop.loop.api.context import COOKIE, Asking, origin_of
from edgeloop.loop.api.documented import Nothing
from edgeloop.loop.api.published import LoginRecord, StatusRecord, told
from edgeloop.loop.services import accounts, sessions
from edgeloop.loop.settings import LoopSettings
from edgeloop.protocol import routes

router = APIRouter()
_COOKIE_AGE_S = 400 * 24 * 3600
"""As long as browsers allow: the session itself ends when it was not seen for long enough."""


@router.head(routes.STATUS, include_in_schema=False)
@router.get(routes.STATUS, **told(StatusRecord, login="none"))
async def status() -> dict[str, str]:
    """The loop is here."""
    return {"status": "ok", "version": __version__}


@router.post(routes.LOGIN, **told(LoginRecord, login="none", errors=(401, 422, 429, 503)))
async def log_in(
    asking: Asking,
    request: Request,
    response: Response,
    username: Annotated[str, Form(examples=["ann"])] = "",
    password: Annotated[str, Form(examples=["correct horse"])] = "",
) -> dict[str, str]:
    """Begin a session; without username and password that of a device.

    After too many failures 429, with Retry-After.
    """
    parts = asking.parts
    workspaces, lifetime = parts.workspaces, parts.session_lifetime
    if parts.settings.test_routes and username == accounts.ADMIN:
        token = await sessions.log_in_unchecked(workspaces, username, lifetime=lifetime)
    elif not (username or password):
        token = _device(parts.settings)
    else:
        token = await sessions.log_in(
            workspaces,
            username,
            password=password,
            origin=origin_of(request),
            lifetime=lifetime,
        )
    response.set_cookie(
        COOKIE,
        token,
        max_age=_COOKIE_AGE_S,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return {"username": username}


@router.post(routes.LOGOUT, **told(Nothing, login="none", errors=(401,)))
async def log_out(asking: Asking, response: Response) -> dict[str, str]:
    """End the session."""
    await sessions.log_out(asking.parts.workspaces, asking.token)
    response.delete_cookie(COOKIE, httponly=True)
    return {}


def _device(settings: LoopSettings) -> str:
    if not settings.device_logins:
        raise Unauthenticated(
            "This loop lets no devices log in without a username: set LOOP_USERNAME and "
            "LOOP_PASSWORD, or LOOP_TOKEN."
        )
    return sessions.log_in_device()
