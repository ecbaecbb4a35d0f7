"""Who may do what."""

import logging
from enum import StrEnum

from edgeloop.errors import Forbidden, Unauthenticated
from edgeloop.loop.services.workspace import Caller

log = logging.getLogger(__name__)


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


def check(caller: Caller, right: Right, *, address: str = "", is_open: bool = False) -> None:
    """Let the caller pass, or raise Unauthenticated (no session) or Forbidden (a device's).

    ``address`` is ORGANIZATION/PROJECT, ``is_open`` whether that project is open to devices.
    """
    if not caller.is_device:
        return  # every account may do everything: roles are to be asked here
    if right in DEVICE_RIGHTS and address and (is_open or caller.is_local):
        return
    error = Forbidden if caller.has_session else Unauthenticated
    if right in DEVICE_RIGHTS and address:
        raise error(_closed(right, address))
    raise error(f"To {right} takes an account: log in with a username and its password.")


def _closed(right: Right, address: str) -> str:
    refusal = (
        f"The project {address} is not open to devices, so nobody may {right} without a login: "
        f"log in, or open it with 'edgeloop project open {address}'."
    )
    log.warning(refusal)
    return refusal
