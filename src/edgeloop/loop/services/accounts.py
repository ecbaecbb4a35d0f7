"""Accounts: who may log in, and who is admin of the whole loop."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from edgeloop.errors import ConfigError, Conflict, NotFound, Unprocessable
from edgeloop.loop.db.tables import AccountRow, MembershipRow, ProjectRow
from edgeloop.loop.services import access, grants, passwords, sessions
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.grants import Grants
from edgeloop.loop.services.passwords import LENGTHS
from edgeloop.loop.services.sessions import Origin
from edgeloop.loop.services.workspace import Caller, Workspace, Workspaces

ADMIN = "admin"
MAX_USERNAME = 100


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in, with the roles by place: ORGANIZATION or ORGANIZATION/PROJECT."""

    id: str
    username: str
    is_admin: bool
    is_disabled: bool
    created: datetime
    roles: Grants


@dataclass(frozen=True, slots=True)
class Change:
    """What of an account is to be changed; None: nothing of that."""

    username: str | None = None
    is_admin: bool | None = None
    is_disabled: bool | None = None


@dataclass(frozen=True, slots=True)
class PasswordChange:
    """One's present password and the wanted one; ``token`` is that of the session that goes on."""

    present: str = field(repr=False)
    wanted: str = field(repr=False)
    token: str = field(repr=False)


async def ensure_admin(workspaces: Workspaces, password: str | None = None) -> str | None:
    """Make the account ``admin`` if there is no account yet.

    Returns the password that was made up where none was given, to be shown once; else None. Raises
    ConfigError for one that is too short or too long.
    """
    async with workspaces.read() as workspace:
        if await workspace.session.scalar(select(AccountRow.id).limit(1)):
            return None
    chosen = password or passwords.made_up()
    if len(chosen) not in LENGTHS:
        raise ConfigError(
            f"The password of {ADMIN} has {len(chosen)} characters: choose one of {LENGTHS[0]} to "
            f"{LENGTHS[-1]} with --admin-password (EDGELOOP_ADMIN_PASSWORD)."
        )
    try:
        await add(workspaces, ADMIN, password=chosen, is_admin=True)
    except Conflict:  # another process was faster
        return None
    return None if password else chosen


async def add(
    workspaces: Workspaces,
    username: str,
    *,
    password: str,
    is_admin: bool = False,
    caller: Caller | None = None,
) -> Account:
    """Add an account, which is for admins of the loop.

    Raises Unprocessable without name or password, Conflict for a taken name.
    """
    if not password:
        raise Unprocessable("An account needs a username and a password.")
    async with workspaces.read(caller) as workspace:  # before the password costs its time
        access.check(workspace.caller, Right.ADMINISTER)
        await _check_name(workspace.session, username)
    password_hash = await workspaces.passwords.hash_of(password)
    async with workspaces.write(caller) as workspace:
        await _check_name(workspace.session, username)
        row = AccountRow(
            id=str(uuid.uuid4()),
            username=username,
            password_hash=password_hash,
            is_admin=is_admin,
            is_disabled=False,
            created=workspace.clock(),
        )
        workspace.session.add(row)
    return _account(row, {})


async def listed(
    workspace: Workspace, *, limit: int, after: str | None = None, username: str | None = None
) -> Sequence[Account]:
    """Up to ``limit`` accounts by username, those behind the name ``after``; for admins."""
    access.check(workspace.caller, Right.ADMINISTER)
    query = select(AccountRow).order_by(AccountRow.username).limit(limit)
    if after is not None:
        query = query.where(AccountRow.username > after)
    if username is not None:
        query = query.where(AccountRow.username == username)
    rows = (await workspace.session.scalars(query)).all()
    return await _described(workspace, rows)


async def by_id(workspace: Workspace, account_id: str) -> Account:
    """One account, for itself and for admins of the loop; raises NotFound, Forbidden."""
    row = await _row(workspace, account_id)
    return (await _described(workspace, [row]))[0]


async def change(
    workspaces: Workspaces, caller: Caller, account_id: str, *, wanted: Change
) -> Account:
    """Rename an account, make it an admin of the loop or no more, disable or enable it.

    A disabled account keeps its roles and its tokens, none of which work. Raises NotFound, and
    Conflict for a taken name and where no admin would be left.
    """
    async with workspaces.write(caller) as workspace:
        access.check(caller, Right.ADMINISTER)
        row = await _row(workspace, account_id)
        if wanted.username not in (None, row.username):
            await _check_name(workspace.session, wanted.username)
        row.username = wanted.username or row.username
        row.is_admin = row.is_admin if wanted.is_admin is None else wanted.is_admin
        row.is_disabled = row.is_disabled if wanted.is_disabled is None else wanted.is_disabled
        await _check_admin_is_left(workspace)
        changed = (await _described(workspace, [row]))[0]
    await workspaces.fleet.look_again()
    return changed


async def delete(workspaces: Workspaces, caller: Caller, account_id: str) -> None:
    """Delete an account with its sessions, tokens and roles; what it made stays.

    Raises NotFound, and Conflict where no admin would be left.
    """
    async with workspaces.write(caller) as workspace:
        access.check(caller, Right.ADMINISTER)
        await workspace.session.delete(await _row(workspace, account_id))
        await workspace.session.flush()
        await _check_admin_is_left(workspace)
    await workspaces.fleet.look_again()


async def set_password(
    workspaces: Workspaces, caller: Caller, account_id: str, *, password: str, token: str = ""
) -> None:
    """Give an account a new password; its sessions end, except that of ``token``.

    For the account itself and for admins of the loop. Raises NotFound, Unprocessable.
    """
    if not password:
        raise Unprocessable("An account needs a password.")
    async with workspaces.read(caller) as workspace:
        await _row(workspace, account_id)
    password_hash = await workspaces.passwords.hash_of(password)
    async with workspaces.write(caller) as workspace:
        (await _row(workspace, account_id)).password_hash = password_hash
    await sessions.end_all(workspaces, account_id, but=token)


async def replace_password(
    workspaces: Workspaces, caller: Caller, account_id: str, *, password: str
) -> None:
    """Give an account a new password without the present one, for admins of the loop."""
    access.check(caller, Right.ADMINISTER)
    await set_password(workspaces, caller, account_id, password=password)


async def change_password(
    workspaces: Workspaces, caller: Caller, change: PasswordChange, *, origin: Origin
) -> None:
    """Give the caller's account a new password; its other sessions end.

    Raises as a login does where the present password is wrong, and Forbidden for a token.
    """
    access.check_person(caller)
    async with workspaces.read() as workspace:
        row = await workspace.session.get(AccountRow, caller.account_id)
    name = caller.username
    await sessions.check_password(workspaces, row, change.present, username=name, origin=origin)
    own = caller.account_id or ""
    await set_password(workspaces, caller, own, password=change.wanted, token=change.token)


async def reset_password(
    workspaces: Workspaces, username: str, *, password: str | None = None
) -> str:
    """Give an account a new password and end its sessions; returns it. Raises NotFound."""
    chosen = password or passwords.made_up()
    async with workspaces.read() as workspace:
        caller = workspace.caller
        row = await named(workspace.session, username)
    if row is None:
        raise NotFound(f"There is no account {username!r}.")
    await set_password(workspaces, caller, row.id, password=chosen)
    return chosen


async def named(session: AsyncSession, username: str) -> AccountRow | None:
    """The account of this name."""
    found: AccountRow | None = await session.scalar(
        select(AccountRow).where(AccountRow.username == username)
    )
    return found


async def _row(workspace: Workspace, account_id: str) -> AccountRow:
    access.check_account(workspace.caller, Right.ADMINISTER)
    if workspace.caller.account_id != account_id:
        access.check(workspace.caller, Right.ADMINISTER)
    row = await workspace.session.get(AccountRow, account_id)
    if row is None:
        raise NotFound(f"There is no account with the id {account_id}.")
    return row


async def _check_name(session: AsyncSession, username: str) -> None:
    is_plain = username.isprintable() and "/" not in username and username == username.strip()
    if not (username and is_plain and len(username) <= MAX_USERNAME):
        raise Unprocessable(
            f"An account needs a username of up to {MAX_USERNAME} printable characters, without a "
            "slash and without spaces around it."
        )
    if await named(session, username):
        raise Conflict(f"There is an account {username!r} already: choose another username.")


async def _check_admin_is_left(workspace: Workspace) -> None:
    await workspace.session.flush()
    query = select(func.count()).where(AccountRow.is_admin, ~AccountRow.is_disabled)
    if not await workspace.session.scalar(query):
        raise Conflict("This is the last admin of the loop: make somebody else an admin first.")


async def _described(workspace: Workspace, rows: Sequence[AccountRow]) -> Sequence[Account]:
    query = (
        select(MembershipRow, ProjectRow.name)
        .outerjoin(ProjectRow, MembershipRow.project_id == ProjectRow.id)
        .where(MembershipRow.account_id.in_([row.id for row in rows]))
    )
    roles: dict[str, list[tuple[MembershipRow, str | None]]] = defaultdict(list)
    for membership, project in await workspace.session.execute(query):
        roles[membership.account_id].append((membership, project))
    return [_account(row, grants.of_roles(roles[row.id])) for row in rows]


def _account(row: AccountRow, roles: Grants) -> Account:
    return Account(
        id=row.id,
        username=row.username,
        is_admin=row.is_admin,
        is_disabled=row.is_disabled,
        created=row.created,
        roles=roles,
    )
