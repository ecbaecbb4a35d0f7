"""Organizations: groups of projects, and of the people who work in all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import false, func, or_, select, true

from edgeloop.errors import Conflict, NotFound
from edgeloop.loop.db.tables import OrganizationRow, ProjectRow
from edgeloop.loop.services import access, projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization with the number of its projects that the caller may see."""

    name: str
    projects: int
    created: datetime


async def listed(
    workspace: Workspace, *, limit: int, after: str | None = None
) -> Sequence[Organization]:
    """Up to ``limit`` organizations by name, those behind ``after``, of which the caller sees
    something."""
    caller = workspace.caller
    access.check_account(caller)
    seen = projects.visible(caller)
    everything = true() if "" in caller.grants else false()
    query = (
        select(OrganizationRow, func.count(ProjectRow.id))
        .outerjoin(ProjectRow, (ProjectRow.organization_id == OrganizationRow.id) & seen)
        .where(or_(everything, OrganizationRow.id.in_([*caller.grants]), seen))
        .group_by(OrganizationRow.id)
        .order_by(OrganizationRow.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(OrganizationRow.id > after)
    rows = await workspace.session.execute(query)
    return [Organization(row.id, count, row.created) for row, count in rows]


async def create(workspace: Workspace, name: str) -> Organization:
    """Add an organization, which takes an admin of the loop; raises Unprocessable, Conflict."""
    access.check(workspace.caller, Right.ADMINISTER)
    projects.check_organization(name)
    if await workspace.session.get(OrganizationRow, name):
        raise Conflict(f"There is an organization {name} already.")
    row = OrganizationRow(id=name, created=workspace.clock())
    workspace.session.add(row)
    return Organization(name, 0, row.created)


async def check(workspace: Workspace, name: str, *, right: Right) -> None:
    """Raises NotFound, Unauthenticated or Forbidden unless the caller has the right there."""
    unseen = f"There is no organization {name}."
    access.check(workspace.caller, right, address=name, unseen=unseen)
    if await workspace.session.get(OrganizationRow, name) is None:
        raise NotFound(unseen)
