"""Accounts and their sessions: who may log in, and who is logged in."""

import asyncio
import contextlib
import functools
import hashlib
import secrets
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import argon2
from sqlalchemy import Row, Select, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from edgeloop.errors import Conflict, EdgeloopError, NotFound, Unauthenticated, Unprocessable
from edgeloop.loop.db.tables import AccountRow, MembershipRow, ProjectRow, SessionRow
from edgeloop.loop.services.workspace import Caller, Workspaces
from edgeloop.types import Role

ADMIN = "admin"
_TOUCH_AFTER = timedelta(minutes=1)
HASHER = argon2.PasswordHasher()
"""Argon2id, as costly as its authors recommend."""


async def ensure_admin(workspaces: Workspaces, password: str | None = None) -> str | None:
    """Make the account ``admin`` if there is no account yet.

    Returns the password that was made up where none was given, to be shown once; else None.
    """
    async with workspaces.read() as workspace:
        if await workspace.session.scalar(select(AccountRow.id).limit(1)):
            return None
    chosen = password or _new_password()
    try:
        await add(workspaces, ADMIN, password=chosen, is_admin=True)
    except Conflict:  # another process was faster
        return None
    return None if password else chosen


async def add(
    workspaces: Workspaces, username: str, *, password: str, is_admin: bool = False
) -> None:
    """Add an account; raises Unprocessable without name or password, Conflict for a taken name."""
    if not username or not password:
        raise Unprocessable("An account needs a username and a password.")
    password_hash = await asyncio.to_thread(HASHER.hash, password)
    async with workspaces.write() as workspace:
        if await _account(workspace.session, username):
            raise Conflict(f"There is an account {username!r} already: choose another username.")
        workspace.session.add(
            AccountRow(
                id=str(uuid.uuid4()),
                username=username,
                password_hash=password_hash,
                is_admin=is_admin,
                created=workspace.clock(),
            )
        )


async def reset_password(
    workspaces: Workspaces, username: str, *, password: str | None = None
) -> str:
    """Give an account a new password and end its sessions; returns it. Raises NotFound."""
    chosen = password or _new_password()
    password_hash = await asyncio.to_thread(HASHER.hash, chosen)
    async with workspaces.write() as workspace:
        account = await _account(workspace.session, username)
        if account is None:
            raise NotFound(f"There is no account {username!r}.")
        account.password_hash = password_hash
        await workspace.session.execute(
            delete(SessionRow).where(SessionRow.account_id == account.id)
        )
    return chosen


async def log_in(
    workspaces: Workspaces, username: str, *, password: str, lifetime: timedelta
) -> str:
    """Begin a session and return its token; raises Unauthenticated.

    Neither username nor password: the session of a device, which may do what a device may.
    """
    account_id = await _checked(workspaces, username, password) if username or password else None
    return await _begin_session(workspaces, account_id, lifetime=lifetime)


async def log_in_unchecked(workspaces: Workspaces, username: str, *, lifetime: timedelta) -> str:
    """Begin a session whatever the password is: for tests alone. Raises Unauthenticated."""
    async with workspaces.read() as workspace:
        account = await _account(workspace.session, username)
    if account is None:
        raise Unauthenticated(f"There is no account {username!r}.")
    return await _begin_session(workspaces, account.id, lifetime=lifetime)


async def _begin_session(
    workspaces: Workspaces, account_id: str | None, *, lifetime: timedelta
) -> str:
    token = secrets.token_urlsafe(32)
    async with workspaces.write() as workspace:
        now = workspace.clock()
        await workspace.session.execute(
            delete(SessionRow).where(SessionRow.last_seen < now - lifetime)
        )
        workspace.session.add(
            SessionRow(
                token_hash=_hash_of(token), account_id=account_id, created=now, last_seen=now
            )
        )
    return token


async def log_out(workspaces: Workspaces, token: str) -> None:
    """End a session; it is no error if there is none."""
    async with workspaces.write() as workspace:
        await workspace.session.execute(
            delete(SessionRow).where(SessionRow.token_hash == _hash_of(token))
        )


async def caller_of(
    workspaces: Workspaces, token: str, *, lifetime: timedelta, is_local: bool = False
) -> Caller:
    """Who holds this token; an unknown or expired one counts as none. Prolongs the session."""
    nobody = Caller(is_local=is_local)
    if not token:
        return nobody
    async with workspaces.read() as workspace:
        found = (await workspace.session.execute(_session_query(token))).all()
    if not found or found[0].SessionRow.last_seen + lifetime < workspaces.clock():
        return nobody
    login, account = found[0].SessionRow, found[0].AccountRow
    await _touch(workspaces, login.token_hash, last_seen=login.last_seen)
    if account is None:
        return Caller(is_local=is_local, has_session=True)
    return Caller(
        account_id=account.id,
        username=account.username,
        grants=_grants(account, found),
        is_local=is_local,
        has_session=True,
    )


def _session_query(token: str) -> Select[SessionRow, AccountRow, str, str, str]:
    """A session, its account and the account's roles, a row for each; in one query."""
    return (
        select(
            SessionRow,
            AccountRow,
            MembershipRow.organization_id,
            ProjectRow.name.label("project"),
            MembershipRow.role,
        )
        .outerjoin(AccountRow, SessionRow.account_id == AccountRow.id)
        .outerjoin(MembershipRow, MembershipRow.account_id == AccountRow.id)
        .outerjoin(ProjectRow, MembershipRow.project_id == ProjectRow.id)
        .where(SessionRow.token_hash == _hash_of(token))
    )


def _grants(
    account: AccountRow, rows: Sequence[Row[SessionRow, AccountRow, str, str, str]]
) -> Mapping[str, Role]:
    if account.is_admin:
        return {"": "admin"}
    return {
        f"{row.organization_id}/{row.project}" if row.project else row.organization_id: row.role
        for row in rows
        if row.role
    }


async def _checked(workspaces: Workspaces, username: str, password: str) -> str:
    async with workspaces.read() as workspace:
        account = await _account(workspace.session, username)
    password_hash = account.password_hash if account else None
    matches = await asyncio.to_thread(_matches, password_hash, password)
    if account is None or not matches:
        raise Unauthenticated("Wrong username or password: check both and log in again.")
    return account.id


def _matches(password_hash: str | None, password: str) -> bool:
    try:
        return HASHER.verify(password_hash or _decoy(), password)
    except argon2.exceptions.VerifyMismatchError:
        return False


@functools.cache
def _decoy() -> str:
    # An unknown username takes as long as a wrong password.
    return HASHER.hash(secrets.token_urlsafe())


async def _touch(workspaces: Workspaces, token_hash: str, *, last_seen: datetime) -> None:
    now = workspaces.clock()
    if now - last_seen < _TOUCH_AFTER:
        return
    with contextlib.suppress(EdgeloopError):  # who only reads goes on when the disk is full
        async with workspaces.write() as workspace:
            await workspace.session.execute(
                update(SessionRow).where(SessionRow.token_hash == token_hash).values(last_seen=now)
            )


async def _account(session: AsyncSession, username: str) -> AccountRow | None:
    found: AccountRow | None = await session.scalar(
        select(AccountRow).where(AccountRow.username == username)
    )
    return found


def _new_password() -> str:
    return secrets.token_urlsafe(12)


def _hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
