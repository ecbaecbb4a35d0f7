"""API tokens: what a program shows instead of a password; lends some of an account's rights."""

import hashlib
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select

from edgeloop.errors import NotFound, Unauthenticated, Unprocessable
from edgeloop.loop.db.tables import (
    AccountRow,
    MembershipRow,
    OrganizationRow,
    ProjectRow,
    TokenRow,
)
from edgeloop.loop.services import access, grants, projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.grants import Grants
from edgeloop.loop.services.sessions import write_sightings
from edgeloop.loop.services.workspace import Caller, Workspace, Workspaces
from edgeloop.types import ROLES, SCOPES, Scope

PREFIX = "el_"
DEVICE: Scope = "device"
MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to be; ``project`` is ORGANIZATION/PROJECT where it shall count there alone."""

    name: str
    scopes: Sequence[Scope]
    project: str | None = None
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it can be seen, which is without its secret."""

    id: str
    username: str
    name: str
    scopes: tuple[Scope, ...]
    project: str | None
    created: datetime
    expires: datetime | None
    last_used: datetime | None


@dataclass(frozen=True, slots=True)
class MadeToken:
    """A new token, and its secret, which is told this once."""

    token: Token
    secret: str = field(repr=False)


async def create(workspace: Workspace, new: NewToken) -> MadeToken:
    """Make a token for the caller.

    Raises Unprocessable, NotFound for a project that the caller does not see, and Forbidden.
    """
    caller = workspace.caller
    access.check_person(caller)
    _check(new, now=workspace.clock())
    project_id = await _project_id(workspace, new.project) if new.project else None
    secret = PREFIX + secrets.token_urlsafe(32)
    row = TokenRow(
        id=str(uuid.uuid4()),
        account_id=caller.account_id,
        project_id=project_id,
        name=new.name,
        token_hash=_hash_of(secret),
        scopes=list(dict.fromkeys(new.scopes)),
        created=workspace.clock(),
        expires=new.expires,
        last_used=None,
    )
    workspace.session.add(row)
    await workspace.session.flush()
    return MadeToken(_token(row, caller.username, new.project), secret)


async def listed(
    workspace: Workspace, *, limit: int, after: str | None = None, account_id: str | None = None
) -> Sequence[Token]:
    """Up to ``limit`` tokens by id, those behind ``after``: the caller's or, for admins, another's.

    Those that have expired are among them. Raises Forbidden.
    """
    caller = workspace.caller
    access.check_person(caller)
    if account_id not in (None, caller.account_id):
        access.check(caller, Right.ADMINISTER)
    query = (
        select(TokenRow, AccountRow.username, ProjectRow)
        .join(AccountRow, TokenRow.account_id == AccountRow.id)
        .outerjoin(ProjectRow, TokenRow.project_id == ProjectRow.id)
        .where(TokenRow.account_id == (account_id or caller.account_id))
        .order_by(TokenRow.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(TokenRow.id > after)
    rows = await workspace.session.execute(query)
    return [
        replace(
            _token(row, username, _address(project)),
            last_used=workspace.recent.tokens.last(row.id) or row.last_used,
        )
        for row, username, project in rows
    ]


async def revoke(workspaces: Workspaces, caller: Caller, token_id: str) -> None:
    """End a token for good: the caller's or, for admins, anybody's. Raises NotFound.

    A token may end itself.
    """
    access.check_account(caller)
    if caller.token_id != token_id:
        access.check_person(caller)
    async with workspaces.write(caller) as workspace:
        row = await workspace.session.get(TokenRow, token_id)
        is_admin = access.may(caller, Right.ADMINISTER)
        if row is None or not (row.account_id == caller.account_id or is_admin):
            raise NotFound(f"There is no token with the id {token_id}.")
        await workspace.session.execute(delete(TokenRow).where(TokenRow.id == token_id))
    await workspaces.fleet.look_again()


async def caller_of(workspaces: Workspaces, secret: str) -> Caller:
    """Who shows this token; raises Unauthenticated for one that is unknown or has ended."""
    tables = (TokenRow, AccountRow, MembershipRow, ProjectRow, OrganizationRow)
    token_hash = _hash_of(secret)
    pass_ = await workspaces.database.memory.get(
        ("token", token_hash), tables, lambda: _pass_of(workspaces, token_hash)
    )
    now = workspaces.clock()
    if pass_ is None:
        raise Unauthenticated("This token is not known, or was revoked: set LOOP_TOKEN anew.")
    if pass_.expires is not None and pass_.expires <= now:
        when = f"{pass_.expires:%Y-%m-%d %H:%M} UTC"
        raise Unauthenticated(f"The token {pass_.name!r} has expired at {when}: make a new one.")
    seen = workspaces.recent.tokens
    if seen.note(pass_.id, now=now, written=pass_.last_used):
        await write_sightings(workspaces, seen, TokenRow.id, TokenRow.last_used)
    return pass_.caller


@dataclass(frozen=True, slots=True)
class _Pass:
    """A token of an account that may log in."""

    id: str
    name: str
    expires: datetime | None
    last_used: datetime | None
    caller: Caller


async def _pass_of(workspaces: Workspaces, token_hash: str) -> _Pass | None:
    async with workspaces.read() as workspace:
        rows = await _rows_of(workspace, token_hash)
        if not rows or rows[0].AccountRow.is_disabled:
            return None
        token: TokenRow = rows[0].TokenRow
        account: AccountRow = rows[0].AccountRow
        held = grants.of_account(account, [(row.MembershipRow, row.project) for row in rows])
        if token.project_id is not None:
            project = await workspace.session.get_one(ProjectRow, token.project_id)
            held = grants.within(held, f"{project.organization_id}/{project.name}")
    return _Pass(
        token.id, token.name, token.expires, token.last_used, _caller(token, account, held)
    )


def _caller(token: TokenRow, account: AccountRow, held: Grants) -> Caller:
    roles = [role for role in ROLES if role in token.scopes]
    nothing: Grants = {}
    return Caller(
        account_id=account.id if roles else None,
        username=account.username,
        grants=grants.capped(held, roles[-1]) if roles else nothing,
        device_grants=held if DEVICE in token.scopes else nothing,
        token_id=token.id,
        has_session=True,
    )


def _check(new: NewToken, *, now: datetime) -> None:
    if not new.name or len(new.name) > MAX_NAME or not new.name.isprintable():
        raise Unprocessable(f"A token needs a name of up to {MAX_NAME} printable characters.")
    if not new.scopes:
        raise Unprocessable(f"A token needs a scope: one of {', '.join(SCOPES)}.")
    if new.expires is not None and new.expires <= now:
        raise Unprocessable(f"The token would have expired already ({new.expires.isoformat()}).")


async def _project_id(workspace: Workspace, address: str) -> str:
    organization, _, name = address.partition("/")
    return (await projects.by_names(workspace, organization, name=name)).id


async def _rows_of(workspace: Workspace, token_hash: str) -> Sequence[Any]:
    """The token, its account and a row for each of the account's roles."""
    query = (
        select(TokenRow, AccountRow, MembershipRow, ProjectRow.name.label("project"))
        .join(AccountRow, TokenRow.account_id == AccountRow.id)
        .outerjoin(MembershipRow, MembershipRow.account_id == AccountRow.id)
        .outerjoin(ProjectRow, MembershipRow.project_id == ProjectRow.id)
        .where(TokenRow.token_hash == token_hash)
    )
    return (await workspace.session.execute(query)).all()


def _token(row: TokenRow, username: str, project: str | None) -> Token:
    scopes: Mapping[str, Scope] = {name: name for name in SCOPES}
    return Token(
        id=row.id,
        username=username,
        name=row.name,
        scopes=tuple(scopes[name] for name in row.scopes),
        project=project,
        created=row.created,
        expires=row.expires,
        last_used=row.last_used,
    )


def _address(project: ProjectRow | None) -> str | None:
    return grants.place_of(project.organization_id, project.name) if project else None


def _hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
