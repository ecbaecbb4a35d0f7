"""One's own account: what one may do, one's sessions, one's password."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import AfterValidator, Field, SecretStr

from edgeloop.client.calls.account_records import MeRecord, SessionRecord
from edgeloop.loop.api.context import Asking, origin_of
from edgeloop.loop.api.documented import Nothing, answers, page_of
from edgeloop.loop.api.paging import Limit, behind, page
from edgeloop.loop.services import access, accounts, sessions
from edgeloop.loop.services.accounts import PasswordChange
from edgeloop.loop.services.passwords import LENGTHS
from edgeloop.loop.services.sessions import Session
from edgeloop.protocol.payloads.parsing import Payload
from edgeloop.protocol.routes import V1

router = APIRouter()


def _long_enough(password: SecretStr) -> SecretStr:
    if len(password) not in LENGTHS:
        raise ValueError(f"a password has {LENGTHS[0]} to {LENGTHS[-1]} characters")
    return password


Password = Annotated[
    SecretStr,
    AfterValidator(_long_enough),
    Field(
        examples=["correct horse"],
        json_schema_extra={"minLength": LENGTHS[0], "maxLength": LENGTHS[-1]},
    ),
]


class OwnPasswordBody(Payload):
    """A new password, and the present one, so that nobody else can choose it."""

    current: Annotated[SecretStr, Field(examples=["battery staple"])]
    password: Password


@router.get(f"{V1}/me", **answers(MeRecord))
async def get(asking: Asking) -> dict[str, Any]:
    """Who asks, and what it may do."""
    caller = asking.caller
    access.check_account(caller)
    return {
        "id": caller.account_id,
        "username": caller.username,
        "is_admin": caller.is_admin,
        "roles": [{"place": place, "role": role} for place, role in caller.grants.items()],
        "token_id": caller.token_id,
    }


@router.put(f"{V1}/me/password", **answers(Nothing, errors=(429, 503)))
async def set_password(asking: Asking, request: Request, body: OwnPasswordBody) -> dict[str, Any]:
    """Choose another password; all other sessions end."""
    change = PasswordChange(
        present=body.current.get_secret_value(),
        wanted=body.password.get_secret_value(),
        token=asking.token,
    )
    await accounts.change_password(
        asking.parts.workspaces, asking.caller, change, origin=origin_of(request)
    )
    return {}


@router.get(f"{V1}/me/sessions", **answers(page_of(SessionRecord)))
async def list_sessions(
    asking: Asking, limit: Limit = 100, after: str | None = None
) -> dict[str, Any]:
    """One's sessions, the one last seen first."""
    lifetime = asking.parts.session_lifetime
    async with asking.read() as workspace:
        found = await sessions.listed(workspace, asking.token, lifetime=lifetime)
    rest = behind(found, after, cursor=_cursor)
    return page(rest, limit=limit, encode=_to_json, cursor=_cursor)


@router.delete(f"{V1}/me/sessions/{{session_id}}", **answers(Nothing))
async def end_session(asking: Asking, session_id: str) -> dict[str, Any]:
    """End one of one's sessions; its sockets close."""
    await sessions.end(asking.parts.workspaces, asking.caller, session_id)
    return {}


def _cursor(session: Session) -> str:
    return session.id


def _to_json(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "created": session.created.isoformat(),
        "last_seen": session.last_seen.isoformat(),
        "address": session.origin.address,
        "agent": session.origin.agent,
        "is_present": session.is_present,
    }
