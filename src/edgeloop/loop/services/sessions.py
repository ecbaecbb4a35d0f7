"""Sessions: who is logged in, from where, until when."""

import contextlib
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, select, update
from sqlalchemy.orm import InstrumentedAttribute

from edgeloop.errors import EdgeloopError, NotFound, Unauthenticated
from edgeloop.loop.db.tables import (
    AccountRow,
    MembershipRow,
    OrganizationRow,
    ProjectRow,
    SessionRow,
)
from edgeloop.loop.services import access, grants
from edgeloop.loop.services.sightings import Sightings
from edgeloop.loop.services.workspace import Caller, Workspace, Workspaces

MAX_PER_ACCOUNT = 1000
"""A node that logs in again and again ends its own oldest sessions."""
_MAX_AGENT = 200
_OF_DEVICE = "device_"
"""How the tokens of devices begin: there is nothing to be kept of them, and nothing to be gained
by making one up."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a login comes from: the peer's address and what it says it is."""

    address: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """A login that has not ended; ``id`` tells it apart and is no secret."""

    id: str
    created: datetime
    last_seen: datetime
    origin: Origin
    is_present: bool


async def log_in(
    workspaces: Workspaces, username: str, *, password: str, origin: Origin, lifetime: timedelta
) -> str:
    """Begin a session and return its token.

    Raises Unauthenticated, RateLimited after too many failures, and Overloaded where too many log
    in at the same time.
    """
    async with workspaces.read() as workspace:
        account: AccountRow | None = await workspace.session.scalar(
            select(AccountRow).where(AccountRow.username == username)
        )
    await check_password(workspaces, account, password, username=username, origin=origin)
    assert account is not None
    return await _begin(workspaces, account.id, origin=origin, lifetime=lifetime)


async def log_in_unchecked(workspaces: Workspaces, username: str, *, lifetime: timedelta) -> str:
    """Begin a session whatever the password is: for tests alone. Raises Unauthenticated."""
    async with workspaces.read() as workspace:
        named = select(AccountRow.id).where(AccountRow.username == username)
        account_id = await workspace.session.scalar(named)
    if account_id is None:
        raise Unauthenticated(f"There is no account {username!r}.")
    return await _begin(workspaces, account_id, origin=Origin(), lifetime=lifetime)


def log_in_device() -> str:
    """The token of a device without credentials: it lends nothing, so nothing is kept of it."""
    return _OF_DEVICE + secrets.token_urlsafe(24)


async def check_password(
    workspaces: Workspaces,
    account: AccountRow | None,
    password: str,
    *,
    username: str,
    origin: Origin,
) -> None:
    """Raises what ``log_in`` raises; a wrong password and an unknown name are the same."""
    guard, now = workspaces.logins, workspaces.clock()
    is_known = account is not None and not account.is_disabled
    password_hash = account.password_hash if account is not None and is_known else None
    async with workspaces.passwords.turn():
        guard.check(username, origin.address, now=now)  # in turn: what others failed counts
        matches = await workspaces.passwords.matches(password_hash, password)
        if not (is_known and matches):
            guard.failed(username, origin.address, now=now)
            raise Unauthenticated("Wrong username or password: check both and log in again.")
        guard.succeeded(username, origin.address)


async def log_out(workspaces: Workspaces, token: str) -> None:
    """End a session; it is no error if there is none."""
    if token and not token.startswith(_OF_DEVICE):
        await _end(workspaces, SessionRow.token_hash == _hash_of(token))


async def caller_of(workspaces: Workspaces, token: str, *, lifetime: timedelta) -> Caller:
    """Who holds this token; an unknown or expired one counts as none. Prolongs the session."""
    if token.startswith(_OF_DEVICE):
        return Caller(has_session=True)
    token_hash = _hash_of(token)
    login = await _remembered(workspaces, token_hash) if token else None
    if login is None:
        return Caller()
    last_seen = workspaces.recent.sessions.last(token_hash) or login.last_seen
    if last_seen + lifetime < workspaces.clock():
        return Caller()
    await _touch(workspaces, token_hash, written=login.last_seen)
    return login.caller


async def listed(workspace: Workspace, token: str, *, lifetime: timedelta) -> Sequence[Session]:
    """The sessions of the caller that have not ended, the newest first."""
    access.check_person(workspace.caller)
    query = (
        select(SessionRow)
        .where(
            SessionRow.account_id == workspace.caller.account_id,
            SessionRow.last_seen >= workspace.clock() - lifetime,
        )
        .order_by(SessionRow.last_seen.desc(), SessionRow.token_hash)
    )
    present = _hash_of(token)
    return [
        Session(
            id=_id_of(row),
            created=row.created,
            last_seen=workspace.recent.sessions.last(row.token_hash) or row.last_seen,
            origin=Origin(row.address, row.agent),
            is_present=row.token_hash == present,
        )
        for row in await workspace.session.scalars(query)
    ]


async def end(workspaces: Workspaces, caller: Caller, session_id: str) -> None:
    """End one of the caller's sessions; raises NotFound."""
    access.check_person(caller)
    async with workspaces.read() as workspace:
        query = select(SessionRow).where(SessionRow.account_id == caller.account_id)
        rows = (await workspace.session.scalars(query)).all()
    found = [row.token_hash for row in rows if _id_of(row) == session_id]
    if not found:
        raise NotFound(f"You have no session {session_id}.")
    await _end(workspaces, SessionRow.token_hash.in_(found))


async def end_all(workspaces: Workspaces, account_id: str, *, but: str = "") -> None:
    """End the sessions of an account, except that of the token ``but``."""
    is_other = SessionRow.token_hash != _hash_of(but)
    await _end(workspaces, and_(SessionRow.account_id == account_id, is_other))


async def _end(workspaces: Workspaces, which: ColumnElement[bool]) -> None:
    async with workspaces.write() as workspace:
        await workspace.session.execute(delete(SessionRow).where(which))
    await workspaces.fleet.look_again()


async def _begin(
    workspaces: Workspaces, account_id: str, *, origin: Origin, lifetime: timedelta
) -> str:
    token = secrets.token_urlsafe(32)
    async with workspaces.write() as workspace:
        now = workspace.clock()
        workspace.session.add(
            SessionRow(
                token_hash=_hash_of(token),
                account_id=account_id,
                address=origin.address,
                agent=origin.agent[:_MAX_AGENT],
                created=now,
                last_seen=now,
            )
        )
        await workspace.session.flush()
        await _forget_old(workspace, account_id, before=now - lifetime)
    return token


async def _forget_old(workspace: Workspace, account_id: str, *, before: datetime) -> None:
    session = workspace.session
    await session.execute(delete(SessionRow).where(SessionRow.last_seen < before))
    surplus = (
        select(SessionRow.token_hash)
        .where(SessionRow.account_id == account_id)
        .order_by(SessionRow.last_seen.desc(), SessionRow.created.desc())
        .offset(MAX_PER_ACCOUNT)
    )
    hashes = (await session.scalars(surplus)).all()
    await session.execute(delete(SessionRow).where(SessionRow.token_hash.in_(hashes)))


@dataclass(frozen=True, slots=True)
class _Login:
    """A session of an account that may log in, as it is written down."""

    caller: Caller
    last_seen: datetime


async def _remembered(workspaces: Workspaces, token_hash: str) -> _Login | None:
    tables = (SessionRow, AccountRow, MembershipRow, ProjectRow, OrganizationRow)
    return await workspaces.database.memory.get(
        ("session", token_hash), tables, lambda: _login_of(workspaces, token_hash)
    )


async def _login_of(workspaces: Workspaces, token_hash: str) -> _Login | None:
    async with workspaces.read() as workspace:
        rows = await _rows_of(workspace, token_hash)
    if not rows or rows[0].AccountRow.is_disabled:
        return None
    account: AccountRow = rows[0].AccountRow
    caller = Caller(
        account_id=account.id,
        username=account.username,
        grants=grants.of_account(account, [(row.MembershipRow, row.project) for row in rows]),
        has_session=True,
    )
    return _Login(caller, rows[0].SessionRow.last_seen)


async def _rows_of(workspace: Workspace, token_hash: str) -> Sequence[Any]:
    """The session, its account and a row for each of the account's roles, in one query."""
    query = (
        select(SessionRow, AccountRow, MembershipRow, ProjectRow.name.label("project"))
        .join(AccountRow, SessionRow.account_id == AccountRow.id)
        .outerjoin(MembershipRow, MembershipRow.account_id == AccountRow.id)
        .outerjoin(ProjectRow, MembershipRow.project_id == ProjectRow.id)
        .where(SessionRow.token_hash == token_hash)
    )
    return (await workspace.session.execute(query)).all()


async def _touch(workspaces: Workspaces, token_hash: str, *, written: datetime) -> None:
    seen, now = workspaces.recent.sessions, workspaces.clock()
    if seen.note(token_hash, now=now, written=written):
        await write_sightings(workspaces, seen, SessionRow.token_hash, SessionRow.last_seen)


async def write_sightings(
    workspaces: Workspaces,
    seen: Sightings,
    identity: InstrumentedAttribute[str],
    when: InstrumentedAttribute[Any],
) -> None:
    """Write all of them down, where the rows with this ``identity`` have ``when``."""
    table = identity.class_.__table__
    statement = (
        update(table)
        .where(identity.expression == bindparam("who"))
        .values({when.key: bindparam("at", type_=when.type)})
    )
    with contextlib.suppress(EdgeloopError):  # who only reads goes on when the disk is full
        async with workspaces.write() as workspace:
            if rows := [{"who": who, "at": at} for who, at in seen.take().items()]:
                await (await workspace.session.connection()).execute(statement, rows)


def _id_of(row: SessionRow) -> str:
    return row.token_hash[:16]


def _hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
