"""Which roles an account has, by address, and what a token lends of them."""

from collections.abc import Iterable, Mapping

from edgeloop.loop.db.tables import AccountRow, MembershipRow
from edgeloop.loop.services.access import role_at
from edgeloop.types import ROLES, Role

Grants = Mapping[str, Role]


def of_account(
    account: AccountRow, roles: Iterable[tuple[MembershipRow | None, str | None]]
) -> Grants:
    """What a session of the account lends; an admin's is the whole loop."""
    return {"": "admin"} if account.is_admin else of_roles(roles)


def of_roles(roles: Iterable[tuple[MembershipRow | None, str | None]]) -> Grants:
    """Roles by address, each given with the name of its project if it is that of one."""
    return {
        place_of(membership.organization_id, project): read_role(membership.role)
        for membership, project in roles
        if membership is not None
    }


def place_of(organization: str, project: str | None) -> str:
    """ORGANIZATION, or ORGANIZATION/PROJECT."""
    return f"{organization}/{project}" if project else organization


def read_role(name: str) -> Role:
    """A role as the database has it."""
    return next(role for role in ROLES if role == name)


def within(grants: Grants, address: str) -> Grants:
    """What of these holds in one project."""
    role = role_at(grants, address)
    return {address: role} if role else {}


def capped(grants: Grants, highest: Role) -> Grants:
    """The same places with no higher a role than this."""
    return {place: min(role, highest, key=ROLES.index) for place, role in grants.items()}
