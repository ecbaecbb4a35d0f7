"""Status, login, logout."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from edgeloop import __version__
from edgeloop.loop.api.context import COOKIE, Asking
from edgeloop.loop.services import accounts
from edgeloop.protocol import routes

router = APIRouter()
_COOKIE_AGE_S = 400 * 24 * 3600
"""As long as browsers allow: the session itself ends when it was not seen for long enough."""


@router.get(routes.STATUS)
async def status() -> dict[str, str]:
    """The loop is here."""
    return {"status": "ok", "version": __version__}


@router.post(routes.LOGIN)
async def log_in(
    asking: Asking,
    request: Request,
    response: Response,
    username: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
) -> dict[str, str]:
    """Begin a session; without username and password that of a device."""
    parts = asking.parts
    workspaces, lifetime = parts.workspaces, parts.session_lifetime
    if parts.settings.test_routes and username == accounts.ADMIN:
        token = await accounts.log_in_unchecked(workspaces, username, lifetime=lifetime)
    else:
        token = await accounts.log_in(workspaces, username, password=password, lifetime=lifetime)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, token, max_age=_COOKIE_AGE_S, httponly=True, secure=secure)
    return {"username": username}


@router.post(routes.LOGOUT)
async def log_out(asking: Asking, response: Response) -> dict[str, str]:
    """End the session."""
    await accounts.log_out(asking.parts.workspaces, asking.token)
    response.delete_cookie(COOKIE, httponly=True)
    return {}
