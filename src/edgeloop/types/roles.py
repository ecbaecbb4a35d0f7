"""What an account may be in an organization or in a project."""

from typing import Literal, get_args

Role = Literal["viewer", "annotator", "manager", "admin"]
Scope = Literal[Role, "device"]
"""What a token lends: a role at most, or what a device may."""
ROLES: tuple[Role, ...] = get_args(Role)
"""The lowest first: each may do what those before it may."""
SCOPES: tuple[Scope, ...] = (*ROLES, "device")
