"""Organizations, and the members of organizations and projects."""

from typing import Annotated, Any

from fastapi import APIRouter

from edgeloop.client.calls.account_records import GivenRole, MemberRecord, OrganizationRecord
from edgeloop.loop.api.context import Asking
from edgeloop.loop.api.documented import Nothing, answers, page_of
from edgeloop.loop.api.paging import Limit, page
from edgeloop.loop.services import members, organizations
from edgeloop.loop.services.members import Member
from edgeloop.loop.services.organizations import Organization
from edgeloop.protocol.payloads.parsing import Payload, shown
from edgeloop.protocol.routes import V1

router = APIRouter()

ORGANIZATION = f"{V1}/organizations/{{organization}}"
PROJECT = f"{V1}/projects/{{project_id}}"


class NewOrganizationBody(Payload):
    """An organization to be."""

    name: Annotated[str, shown("acme")]


class RoleBody(Payload):
    """A role."""

    role: GivenRole


@router.get(f"{V1}/organizations", **answers(page_of(OrganizationRecord)))
async def list_by_name(
    asking: Asking, limit: Limit = 100, after: str | None = None
) -> dict[str, Any]:
    """The organizations by name, with their projects counted."""
    async with asking.read() as workspace:
        found = await organizations.listed(workspace, limit=limit + 1, after=after)
    return page(found, limit=limit, encode=_to_json, cursor=lambda organization: organization.name)


@router.post(f"{V1}/organizations", **answers(OrganizationRecord, errors=(409,)))
async def create(asking: Asking, body: NewOrganizationBody) -> dict[str, Any]:
    """Add an organization, for admins of the loop."""
    async with asking.write() as workspace:
        return _to_json(await organizations.create(workspace, body.name))


@router.get(f"{ORGANIZATION}/members", **answers(page_of(MemberRecord)))
async def list_in_organization(
    asking: Asking, organization: str, limit: Limit = 100, after: str | None = None
) -> dict[str, Any]:
    """Who has which role in an organization as a whole."""
    async with asking.read() as workspace:
        found = await members.of_organization(workspace, organization, limit=limit + 1, after=after)
    return page(found, limit=limit, encode=member_to_json, cursor=lambda member: member.id)


@router.put(f"{ORGANIZATION}/members/{{username}}", **answers(MemberRecord))
async def give_role_in_organization(
    asking: Asking, organization: str, username: str, body: RoleBody
) -> dict[str, Any]:
    """Give an account a role in an organization, instead of the one that it has there."""
    member = await members.grant(
        asking.parts.workspaces, asking.caller, organization, username=username, role=body.role
    )
    return member_to_json(member)


@router.delete(f"{ORGANIZATION}/members/{{username}}", **answers(Nothing))
async def take_role_in_organization(
    asking: Asking, organization: str, username: str
) -> dict[str, Any]:
    """Take an account's role in an organization away."""
    await members.withdraw(asking.parts.workspaces, asking.caller, organization, username=username)
    return {}


@router.get(f"{PROJECT}/members", **answers(page_of(MemberRecord)))
async def list_in_project(
    asking: Asking, project_id: str, limit: Limit = 100, after: str | None = None
) -> dict[str, Any]:
    """Who has which role in a project, by its organization too; admins of the loop not counted."""
    async with asking.read() as workspace:
        found = await members.of_project(workspace, project_id, limit=limit + 1, after=after)
    return page(found, limit=limit, encode=member_to_json, cursor=lambda member: member.id)


@router.put(f"{PROJECT}/members/{{username}}", **answers(MemberRecord))
async def give_role_in_project(
    asking: Asking, project_id: str, username: str, body: RoleBody
) -> dict[str, Any]:
    """Give an account a role in a project, instead of the one that it has there."""
    async with asking.read() as workspace:
        place = await members.address_of(workspace, project_id)
    member = await members.grant(
        asking.parts.workspaces, asking.caller, place, username=username, role=body.role
    )
    return member_to_json(member)


@router.delete(f"{PROJECT}/members/{{username}}", **answers(Nothing))
async def take_role_in_project(asking: Asking, project_id: str, username: str) -> dict[str, Any]:
    """Take an account's role in a project away; what it has by the organization stays."""
    async with asking.read() as workspace:
        place = await members.address_of(workspace, project_id)
    await members.withdraw(asking.parts.workspaces, asking.caller, place, username=username)
    return {}


def member_to_json(member: Member) -> dict[str, Any]:
    """Somebody's role as it is told."""
    return {
        "id": member.id,
        "user_id": member.account_id,
        "username": member.username,
        "place": member.place,
        "role": member.role,
    }


def _to_json(organization: Organization) -> dict[str, Any]:
    return {
        "name": organization.name,
        "projects": organization.projects,
        "created": organization.created.isoformat(),
    }
