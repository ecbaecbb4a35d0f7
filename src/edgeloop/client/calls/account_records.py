"""What the loop tells of accounts, roles, sessions and tokens."""

from typing import Annotated

from edgeloop.protocol.payloads.parsing import Moment, Payload, Uuid, shown
from edgeloop.types import Role, Scope

Username = Annotated[str, shown("ann")]
Place = Annotated[str, shown("acme/cups")]
"""ORGANIZATION, ORGANIZATION/PROJECT, or empty: the whole loop."""
GivenRole = Annotated[Role, shown("annotator")]


class RoleRecord(Payload):
    """A role at a place."""

    place: Place
    role: GivenRole


class MeRecord(Payload):
    """Who asks, and what it may do now: a token may lend less than its account has."""

    id: Uuid
    username: Username
    is_admin: bool
    roles: list[RoleRecord]
    token_id: Uuid | None


class UserRecord(Payload):
    """An account; an admin of the loop needs no roles."""

    id: Uuid
    username: Username
    is_admin: bool
    is_disabled: bool
    created: Moment
    roles: list[RoleRecord]


class MemberRecord(Payload):
    """Somebody's role at a place."""

    id: Uuid
    user_id: Uuid
    username: Username
    place: Place
    role: GivenRole


class OrganizationRecord(Payload):
    """An organization with the number of its projects that can be seen."""

    name: Annotated[str, shown("acme")]
    projects: Annotated[int, shown(3)]
    created: Moment


class SessionRecord(Payload):
    """A login that has not ended."""

    id: Annotated[str, shown("0f3c9a7be1d24c55")]
    created: Moment
    last_seen: Moment
    address: Annotated[str, shown("203.0.113.9")]
    agent: Annotated[str, shown("Mozilla/5.0")]
    is_present: bool


class TokenRecord(Payload):
    """An API token, without its secret."""

    id: Uuid
    username: Username
    name: Annotated[str, shown("belt 3")]
    scopes: Annotated[list[Scope], shown(["device"])]
    project: Place | None
    created: Moment
    expires: Moment | None
    last_used: Moment | None


class MadeTokenRecord(TokenRecord):
    """A new token with its secret, which is shown this once."""

    secret: Annotated[str, shown("el_...")]
