"""Who may do what: the one place that decides.

A service that is given a ``Project`` trusts that it was asked for with the right that it takes.
"""

from collections.abc import Mapping
from enum import StrEnum

from edgeloop.errors import Forbidden, NotFound, Unauthenticated
from edgeloop.loop.services.workspace import Caller
from edgeloop.types import ROLES, Role


class Right(StrEnum):
    """What can be asked for."""

    READ = "read the project's data"
    ANNOTATE = "annotate"
    TRAIN = "run trainings and report their results"
    MANAGE_MODELS = "manage models"
    DEPLOY = "deploy a model"
    EDIT_PROJECT = "change the project"
    DELETE_DATA = "delete data"
    COMMAND_NODES = "command nodes"
    ADMINISTER = "administer accounts and projects"
    UPLOAD_IMAGES = "upload images"
    LIST_MODELS = "list models"
    DOWNLOAD_MODEL = "download a model"
    READ_DEPLOYMENT = "read the deployment target"
    REPORT_DETECTOR = "report a detector"


LOWEST: Mapping[Right, Role] = {
    Right.READ: "viewer",
    Right.LIST_MODELS: "viewer",
    Right.DOWNLOAD_MODEL: "viewer",
    Right.READ_DEPLOYMENT: "viewer",
    Right.ANNOTATE: "annotator",
    Right.UPLOAD_IMAGES: "annotator",
    Right.TRAIN: "manager",
    Right.MANAGE_MODELS: "manager",
    Right.DEPLOY: "manager",
    Right.EDIT_PROJECT: "manager",
    Right.DELETE_DATA: "manager",
    Right.REPORT_DETECTOR: "manager",
    Right.COMMAND_NODES: "manager",
    Right.ADMINISTER: "admin",
}
"""The lowest role that has a right."""

DEVICE_RIGHTS = frozenset(
    {
        Right.UPLOAD_IMAGES,
        Right.LIST_MODELS,
        Right.DOWNLOAD_MODEL,
        Right.READ_DEPLOYMENT,
        Right.REPORT_DETECTOR,
    }
)
"""What a device may do without an account, where its project is open to devices."""


def role_at(grants: Mapping[str, Role], address: str) -> Role | None:
    """The highest role that is granted at an address or above it."""
    organization = address.partition("/")[0]
    held = [grants[place] for place in {"", organization, address} if place in grants]
    return max(held, key=ROLES.index, default=None)


def may(caller: Caller, right: Right, *, address: str = "", is_open: bool = False) -> bool:
    """Whether ``check`` lets the caller pass."""
    if _suffices(role_at(caller.grants, address), right):
        return True
    if right not in DEVICE_RIGHTS or not address:
        return False
    lent = _suffices(role_at(caller.device_grants, address), right)
    return lent or is_open or caller.is_local


def may_together(caller: Caller, other: Caller, right: Right) -> bool:
    """Whether there is a place where both have this right by a role."""
    places = {*caller.grants, *other.grants}
    return any(
        _suffices(role_at(caller.grants, place), right)
        and _suffices(role_at(other.grants, place), right)
        for place in places
    )


def check(
    caller: Caller, right: Right, *, address: str = "", is_open: bool = False, unseen: str = ""
) -> None:
    """Let the caller pass, or raise.

    ``address`` is ORGANIZATION/PROJECT, ORGANIZATION, or empty: the whole loop. ``is_open``:
    whether that project is open to devices. Raises Unauthenticated without a session, Forbidden
    for a device and for a role that does not suffice, and NotFound, which says ``unseen``, for an
    account without any role there: what one may not see does not exist.
    """
    if may(caller, right, address=address, is_open=is_open):
        return
    if caller.is_device:
        raise _refusal_of_device(caller, right, address=address)
    role = role_at(caller.grants, address)
    if role is None and address and not _has_role_below(caller, address):
        raise NotFound(unseen or f"There is no project {address}.")
    place = address or "the whole loop"
    raise Forbidden(
        f"To {right} takes the role {LOWEST[right]} of {place}: {caller.username} is "
        f"{role or 'nothing'} there. An admin can change that with 'edgeloop user role'."
    )


def check_account(caller: Caller, right: Right = Right.READ) -> None:
    """Let any account pass; what it sees is up to its roles. Raises as ``check`` does."""
    if caller.is_device:
        raise _refusal_of_device(caller, right, address="")


def check_person(caller: Caller) -> None:
    """Let somebody pass who logged in with a password, and tokens that may administer the loop.

    A token must not get itself more than was lent to it. Raises as ``check`` does.
    """
    check_account(caller)
    if caller.token_id is not None and not caller.is_admin:
        raise Forbidden("This takes a login with a username and its password: a token cannot.")


def check_somewhere(caller: Caller, right: Right) -> None:
    """Let an account pass that has this right by a role in some place; raises as ``check``."""
    check_account(caller, right)
    if not any(_suffices(role, right) for role in caller.grants.values()):
        raise Forbidden(
            f"To {right} takes the role {LOWEST[right]} of a project: {caller.username} has it "
            "nowhere. An admin can change that with 'edgeloop user role'."
        )


def _has_role_below(caller: Caller, address: str) -> bool:
    """Whether the caller knows an organization by one of its projects."""
    return any(place.startswith(f"{address}/") for place in caller.grants)


def _suffices(role: Role | None, right: Right) -> bool:
    return role is not None and ROLES.index(role) >= ROLES.index(LOWEST[right])


def _refusal_of_device(
    caller: Caller, right: Right, *, address: str
) -> Forbidden | Unauthenticated:
    error = Forbidden if caller.has_session else Unauthenticated
    if right in DEVICE_RIGHTS and address:
        return error(
            f"The project {address} is not open to devices, so nobody may {right} without a login: "
            f"log in, set LOOP_TOKEN, or open it with 'edgeloop project open {address}'."
        )
    return error(f"To {right} takes an account: log in with a username and its password.")
