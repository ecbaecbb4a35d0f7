"""Calls about organizations, and about who has which role in them and in projects."""

from urllib.parse import quote

import httpx

from edgeloop.client.call import Call, nothing
from edgeloop.client.calls.account_records import MemberRecord, OrganizationRecord
from edgeloop.client.calls.page import Page, page_parser, paging
from edgeloop.protocol.routes import V1
from edgeloop.types import Role


def organizations(*, after: str | None = None, limit: int = 1000) -> Call[Page[OrganizationRecord]]:
    """The organizations by name."""
    path = f"{V1}/organizations?{paging(after, limit)}"
    return Call("GET", path, page_parser(OrganizationRecord.read))


def create_organization(name: str) -> Call[OrganizationRecord]:
    """Add an organization, for admins of the loop."""
    body = {"name": name}
    path = f"{V1}/organizations"
    return Call("POST", path, lambda answer: OrganizationRecord.read(answer.json()), json=body)


def organization_members(
    organization: str, *, after: str | None = None, limit: int = 1000
) -> Call[Page[MemberRecord]]:
    """Who has which role in an organization as a whole."""
    path = f"{_organization(organization)}?{paging(after, limit)}"
    return Call("GET", path, page_parser(MemberRecord.read))


def put_organization_member(organization: str, username: str, role: Role) -> Call[MemberRecord]:
    """Give an account a role in an organization, instead of the one that it has there."""
    path = f"{_organization(organization)}/{quote(username, safe='')}"
    return Call("PUT", path, _member, json={"role": role})


def remove_organization_member(organization: str, username: str) -> Call[None]:
    """Take an account's role in an organization away."""
    return Call("DELETE", f"{_organization(organization)}/{quote(username, safe='')}", nothing)


def project_members(
    project_id: str, *, after: str | None = None, limit: int = 1000
) -> Call[Page[MemberRecord]]:
    """Who has which role in a project, by its organization too."""
    path = f"{_project(project_id)}?{paging(after, limit)}"
    return Call("GET", path, page_parser(MemberRecord.read))


def put_project_member(project_id: str, username: str, role: Role) -> Call[MemberRecord]:
    """Give an account a role in a project, instead of the one that it has there."""
    path = f"{_project(project_id)}/{quote(username, safe='')}"
    return Call("PUT", path, _member, json={"role": role})


def remove_project_member(project_id: str, username: str) -> Call[None]:
    """Take an account's role in a project away; what it has by the organization stays."""
    return Call("DELETE", f"{_project(project_id)}/{quote(username, safe='')}", nothing)


def _organization(name: str) -> str:
    return f"{V1}/organizations/{quote(name, safe='')}/members"


def _project(project_id: str) -> str:
    return f"{V1}/projects/{project_id}/members"


def _member(answer: httpx.Response) -> MemberRecord:
    return MemberRecord.read(answer.json())
