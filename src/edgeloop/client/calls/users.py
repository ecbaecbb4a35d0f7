"""Calls about accounts, one's own and others'."""

from typing import Any
from urllib.parse import quote

import httpx

from edgeloop.client.call import Call, nothing
from edgeloop.client.calls.account_records import (
    MemberRecord,
    MeRecord,
    SessionRecord,
    UserRecord,
)
from edgeloop.client.calls.page import Page, page_parser, paging
from edgeloop.protocol.routes import V1
from edgeloop.types import Role


def me() -> Call[MeRecord]:
    """Who asks, and what it may do."""
    return Call("GET", f"{V1}/me", lambda answer: MeRecord.read(answer.json()))


def change_password(current: str, password: str) -> Call[None]:
    """Choose another password; all other sessions end."""
    body = {"current": current, "password": password}
    return Call("PUT", f"{V1}/me/password", nothing, json=body)


def sessions(*, after: str | None = None, limit: int = 1000) -> Call[Page[SessionRecord]]:
    """One's sessions, the one last seen first."""
    path = f"{V1}/me/sessions?{paging(after, limit)}"
    return Call("GET", path, page_parser(SessionRecord.read))


def end_session(session_id: str) -> Call[None]:
    """End one of one's sessions."""
    return Call("DELETE", f"{V1}/me/sessions/{quote(session_id, safe='')}", nothing)


def users(
    *, username: str | None = None, after: str | None = None, limit: int = 1000
) -> Call[Page[UserRecord]]:
    """All accounts by username, or the one of this name; for admins of the loop."""
    query = paging(after, limit, username=username)
    return Call("GET", f"{V1}/users?{query}", page_parser(UserRecord.read))


def user(user_id: str) -> Call[UserRecord]:
    """One account."""
    return Call("GET", f"{V1}/users/{user_id}", _user)


def add_user(username: str, password: str, *, is_admin: bool = False) -> Call[UserRecord]:
    """Add an account; without a role it sees nothing yet."""
    body = {"username": username, "password": password, "is_admin": is_admin}
    return Call("POST", f"{V1}/users", _user, json=body)


def update_user(
    user_id: str,
    *,
    username: str | None = None,
    is_admin: bool | None = None,
    is_disabled: bool | None = None,
) -> Call[UserRecord]:
    """Rename an account, disable it, make it an admin of the loop; None leaves one as it is."""
    wishes: dict[str, Any] = {
        "username": username,
        "is_admin": is_admin,
        "is_disabled": is_disabled,
    }
    body = {key: value for key, value in wishes.items() if value is not None}
    return Call("PATCH", f"{V1}/users/{user_id}", _user, json=body)


def delete_user(user_id: str) -> Call[None]:
    """Delete an account with its sessions, tokens and roles."""
    return Call("DELETE", f"{V1}/users/{user_id}", nothing)


def set_password(user_id: str, password: str) -> Call[None]:
    """Give an account another password; its sessions end."""
    return Call("PUT", f"{V1}/users/{user_id}/password", nothing, json={"password": password})


def user_roles(user_id: str) -> Call[Page[MemberRecord]]:
    """Where an account has which role."""
    return Call("GET", f"{V1}/users/{user_id}/roles", page_parser(MemberRecord.read))


def give_user_role(user_id: str, place: str, role: Role) -> Call[MemberRecord]:
    """Give an account a role at a place: ORGANIZATION or ORGANIZATION/PROJECT."""
    body = {"place": place, "role": role}
    path = f"{V1}/users/{user_id}/roles"
    return Call("PUT", path, lambda answer: MemberRecord.read(answer.json()), json=body)


def _user(answer: httpx.Response) -> UserRecord:
    return UserRecord.read(answer.json())
