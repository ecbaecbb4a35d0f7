"""Members: who has which role in an organization or in a project."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, delete, or_, select

from edgeloop.errors import NotFound
from edgeloop.loop.db.tables import AccountRow, MembershipRow, ProjectRow
from edgeloop.loop.services import accounts, grants, organizations, projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.workspace import Caller, Workspace, Workspaces
from edgeloop.types import Role


@dataclass(frozen=True, slots=True)
class Member:
    """The role of an account at a place: ORGANIZATION or ORGANIZATION/PROJECT."""

    id: str
    account_id: str
    username: str
    place: str
    role: Role


async def of_project(
    workspace: Workspace, project_id: str, *, limit: int, after: str | None = None
) -> Sequence[Member]:
    """Who has a role in a project, its organization's members included, behind the id ``after``.

    Admins of the loop, who may do everything, are not among them. Raises as ``projects.by_id``.
    """
    project = await projects.by_id(workspace, project_id)
    here = or_(MembershipRow.project_id == project.id, _of_organization(project.organization))
    return await _listed(workspace, here, limit=limit, after=after)


async def of_organization(
    workspace: Workspace, organization: str, *, limit: int, after: str | None = None
) -> Sequence[Member]:
    """Who has a role in an organization as a whole, behind the id ``after``; raises NotFound."""
    await organizations.check(workspace, organization, right=Right.READ)
    here = _of_organization(organization)
    return await _listed(workspace, here, limit=limit, after=after)


async def of_account(workspace: Workspace, account_id: str) -> Sequence[Member]:
    """Where an account has which role, for itself and for admins of the loop; raises NotFound."""
    await accounts.by_id(workspace, account_id)
    here = MembershipRow.account_id == account_id
    return await _listed(workspace, here, limit=None, after=None)


async def grant(
    workspaces: Workspaces, caller: Caller, place: str, *, username: str, role: Role
) -> Member:
    """Give an account a role at a place, instead of the one that it has there.

    That takes an admin of the place. Raises NotFound for a place or an account.
    """
    async with workspaces.write(caller) as workspace:
        spot = await _spot(workspace, place)
        account = await _account(workspace, username)
        await workspace.session.execute(delete(MembershipRow).where(_at(spot, account)))
        row = MembershipRow(
            id=str(uuid.uuid4()),
            account_id=account.id,
            organization_id=spot.organization,
            project_id=spot.project_id,
            role=role,
            created=workspace.clock(),
        )
        workspace.session.add(row)
    await workspaces.fleet.look_again()
    return Member(row.id, account.id, account.username, place, role)


async def withdraw(workspaces: Workspaces, caller: Caller, place: str, *, username: str) -> None:
    """Take an account's role at a place away, which takes an admin of the place.

    Raises NotFound for a place, an account, or where it has no role.
    """
    async with workspaces.write(caller) as workspace:
        spot = await _spot(workspace, place)
        account = await _account(workspace, username)
        found = await workspace.session.scalar(select(MembershipRow).where(_at(spot, account)))
        if found is None:
            raise NotFound(f"{username} has no role of its own in {place}.")
        await workspace.session.delete(found)
    await workspaces.fleet.look_again()


async def address_of(workspace: Workspace, project_id: str) -> str:
    """The place that a project is, for its admins; raises as ``projects.by_id``."""
    return (await projects.by_id(workspace, project_id, right=Right.ADMINISTER)).address


@dataclass(frozen=True, slots=True)
class _Spot:
    organization: str
    project_id: str | None


async def _spot(workspace: Workspace, place: str) -> _Spot:
    """The place for its admins."""
    organization, slash, name = place.partition("/")
    if not slash:
        await organizations.check(workspace, organization, right=Right.ADMINISTER)
        return _Spot(organization, None)
    project = await projects.by_names(workspace, organization, name=name, right=Right.ADMINISTER)
    return _Spot(organization, project.id)


async def _account(workspace: Workspace, username: str) -> AccountRow:
    account = await accounts.named(workspace.session, username)
    if account is None:
        raise NotFound(f"There is no account {username!r}.")
    return account


def _at(spot: _Spot, account: AccountRow) -> ColumnElement[bool]:
    here = MembershipRow.project_id == spot.project_id
    place = here if spot.project_id else _of_organization(spot.organization)
    return and_(MembershipRow.account_id == account.id, place)


def _of_organization(name: str) -> ColumnElement[bool]:
    return and_(MembershipRow.organization_id == name, MembershipRow.project_id.is_(None))


async def _listed(
    workspace: Workspace, which: ColumnElement[bool], *, limit: int | None, after: str | None
) -> Sequence[Member]:
    query = (
        select(MembershipRow, AccountRow.username, ProjectRow.name)
        .join(AccountRow, MembershipRow.account_id == AccountRow.id)
        .outerjoin(ProjectRow, MembershipRow.project_id == ProjectRow.id)
        .where(which)
        .order_by(MembershipRow.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(MembershipRow.id > after)
    rows = await workspace.session.execute(query)
    return [
        Member(
            id=row.id,
            account_id=row.account_id,
            username=username,
            place=grants.place_of(row.organization_id, project),
            role=grants.read_role(row.role),
        )
        for row, username, project in rows
    ]
