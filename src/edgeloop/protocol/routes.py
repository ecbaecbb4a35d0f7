"""REST paths of the loop, as functions of their parameters."""

from collections.abc import Iterable
from urllib.parse import quote

API = "/api"
V1 = "/api/v1"
STATUS = f"{API}/status"
LOGIN = f"{API}/login"
LOGOUT = f"{API}/logout"
SOCKET = "/ws/socket.io"
RESOURCES = frozenset(
    {"categories", "data", "deployment", "detections", "detectors", "images", "models", "trainings"}
)
"""Names below a project: no format of models is called like them."""


def project(organization: str, name: str) -> str:
    """The published clients' resource of a project."""
    return f"{API}/{_part(organization)}/projects/{_part(name)}"


def data(organization: str, name: str, *, state: str | None = None) -> str:
    """Ids of the images of a project, of one state or of all."""
    query = f"?state={_part(state)}" if state else ""
    return f"{project(organization, name)}/data{query}"


def images(organization: str, name: str) -> str:
    """Where images are uploaded, and described by id."""
    return f"{project(organization, name)}/images"


def images_by_id(organization: str, name: str, image_ids: Iterable[str]) -> str:
    """The records of up to 100 images."""
    return f"{images(organization, name)}?ids={','.join(image_ids)}"


def image_file(organization: str, name: str, image_id: str) -> str:
    """The bytes of one image."""
    return f"{images(organization, name)}/{_part(image_id)}/main"


def detections(organization: str, name: str) -> str:
    """Where a trainer puts what its model saw."""
    return f"{project(organization, name)}/detections"


def models(organization: str, name: str) -> str:
    """The models of a project."""
    return f"{project(organization, name)}/models"


def model_file(organization: str, name: str, model_id: str, model_format: str) -> str:
    """A model in one format, as a zip."""
    return f"{models(organization, name)}/{_part(model_id)}/{_part(model_format)}/file"


def training_model_file(organization: str, name: str, number: int, model_format: str) -> str:
    """Where the files of a training's newest model go, one format at a time."""
    trainings = f"{project(organization, name)}/trainings"
    return f"{trainings}/{number}/models/latest/{_part(model_format)}/file"


def deployment_target(organization: str, name: str) -> str:
    """The model that the detectors of a project shall run."""
    return f"{project(organization, name)}/deployment/target"


def detectors(organization: str, name: str) -> str:
    """Where a detector reports its status."""
    return f"{project(organization, name)}/detectors"


def _part(text: str) -> str:
    return quote(text, safe="")
