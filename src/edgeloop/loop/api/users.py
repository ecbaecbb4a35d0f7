"""Accounts, for admins of the loop: list, add, change, delete, give a password, give roles."""

from typing import Annotated, Any

from fastapi import APIRouter

from edgeloop.client.calls.account_records import (
    GivenRole,
    MemberRecord,
    Place,
    Username,
    UserRecord,
)
from edgeloop.loop.api.context import Asking
from edgeloop.loop.api.documented import Nothing, answers, page_of
from edgeloop.loop.api.me import Password
from edgeloop.loop.api.members import member_to_json
from edgeloop.loop.api.paging import Limit, page
from edgeloop.loop.services import accounts, members
from edgeloop.loop.services.accounts import Account, Change
from edgeloop.protocol.payloads.parsing import Payload, shown
from edgeloop.protocol.routes import V1

router = APIRouter()


class NewUserBody(Payload):
    """An account to be."""

    username: Username
    password: Password
    is_admin: bool = False


class UserChangeBody(Payload):
    """What of an account is to be changed."""

    username: Username | None = None
    is_admin: Annotated[bool | None, shown(True)] = None
    is_disabled: Annotated[bool | None, shown(False)] = None

    def to_type(self) -> Change:
        """The change as a value."""
        return Change(**self.model_dump())


class PasswordBody(Payload):
    """A new password."""

    password: Password


class PlacedRoleBody(Payload):
    """A role for a place: ORGANIZATION or ORGANIZATION/PROJECT."""

    place: Place
    role: GivenRole


@router.get(f"{V1}/users", **answers(page_of(UserRecord)))
async def list_by_name(
    asking: Asking, username: str | None = None, limit: Limit = 100, after: str | None = None
) -> dict[str, Any]:
    """All accounts by username, or the one of this name."""
    async with asking.read() as workspace:
        found = await accounts.listed(workspace, limit=limit + 1, after=after, username=username)
    return page(found, limit=limit, encode=_to_json, cursor=lambda account: account.username)


@router.post(f"{V1}/users", **answers(UserRecord, errors=(409, 503)))
async def add(asking: Asking, body: NewUserBody) -> dict[str, Any]:
    """Add an account; without a role it sees nothing yet."""
    account = await accounts.add(
        asking.parts.workspaces,
        body.username,
        password=body.password.get_secret_value(),
        is_admin=body.is_admin,
        caller=asking.caller,
    )
    return _to_json(account)


@router.get(f"{V1}/users/{{user_id}}", **answers(UserRecord))
async def get(asking: Asking, user_id: str) -> dict[str, Any]:
    """One account, for itself and for admins of the loop."""
    async with asking.read() as workspace:
        return _to_json(await accounts.by_id(workspace, user_id))


@router.patch(f"{V1}/users/{{user_id}}", **answers(UserRecord, errors=(409,)))
async def change(asking: Asking, user_id: str, body: UserChangeBody) -> dict[str, Any]:
    """Rename an account, disable it, make it an admin of the loop or no more."""
    workspaces = asking.parts.workspaces
    return _to_json(
        await accounts.change(workspaces, asking.caller, user_id, wanted=body.to_type())
    )


@router.delete(f"{V1}/users/{{user_id}}", **answers(Nothing, errors=(409,)))
async def delete(asking: Asking, user_id: str) -> dict[str, Any]:
    """Delete an account with its sessions, tokens and roles; what it made stays."""
    await accounts.delete(asking.parts.workspaces, asking.caller, user_id)
    return {}


@router.put(f"{V1}/users/{{user_id}}/password", **answers(Nothing, errors=(503,)))
async def set_password(asking: Asking, user_id: str, body: PasswordBody) -> dict[str, Any]:
    """Give an account another password; its sessions end."""
    await accounts.replace_password(
        asking.parts.workspaces,
        asking.caller,
        user_id,
        password=body.password.get_secret_value(),
    )
    return {}


@router.get(f"{V1}/users/{{user_id}}/roles", **answers(page_of(MemberRecord)))
async def list_roles(asking: Asking, user_id: str) -> dict[str, Any]:
    """Where an account has which role, for itself and for admins of the loop."""
    async with asking.read() as workspace:
        found = await members.of_account(workspace, user_id)
    return {"items": [member_to_json(member) for member in found], "next": None}


@router.put(f"{V1}/users/{{user_id}}/roles", **answers(MemberRecord))
async def give_role(asking: Asking, user_id: str, body: PlacedRoleBody) -> dict[str, Any]:
    """Give an account a role at a place, instead of the one that it has there."""
    async with asking.read() as workspace:
        account = await accounts.by_id(workspace, user_id)
    member = await members.grant(
        asking.parts.workspaces,
        asking.caller,
        body.place,
        username=account.username,
        role=body.role,
    )
    return member_to_json(member)


def _to_json(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "username": account.username,
        "is_admin": account.is_admin,
        "is_disabled": account.is_disabled,
        "created": account.created.isoformat(),
        "roles": [{"place": place, "role": role} for place, role in account.roles.items()],
    }
