"""What OpenAPI says of the published clients' routes: shapes, files, and who needs a login.

The routes answer as ever; here stands only what is told of them.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel

from edgeloop.client.calls.image_records import UploadReceipt
from edgeloop.protocol.payloads.categories import CategoryPayload
from edgeloop.protocol.payloads.detections import DetectionsPayload
from edgeloop.protocol.payloads.images import ImageRecordPayload
from edgeloop.protocol.payloads.parsing import Moment, Payload, Text, Uuid, shown

_FILES = {
    "type": "object",
    "required": ["files"],
    "properties": {
        "files": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}
    },
}
IMAGES = (
    "JPEGs, and for each a file NAME.json that says what is known of it: detections, annotations, "
    "tags, created, source, state, frame_id, camera_id, set."
)
MODEL_FILES = "The files of the model in this format, without a model.json."
NEW_MODEL = "The files of the model, or one zip with them."
DEVICES: dict[str, Any] = {"security": [{"session": []}, {"token": []}, {}]}
"""For ``openapi_extra``: devices need no login where the project was opened to them."""
ANYBODY: dict[str, Any] = {"security": []}
"""For ``openapi_extra``: nobody needs a login."""


class StatusRecord(Payload):
    """The loop is here."""

    status: Annotated[str, shown("ok")]
    version: Annotated[str, shown("0.1.0")]


class HealthRecord(Payload):
    """The loop is alive."""

    status: Annotated[str, shown("ok")]


class ReadyRecord(Payload):
    """What the loop needs for its work, by name."""

    status: Annotated[str, shown("ready")]
    checks: Annotated[
        dict[str, str], shown({"database": "ok", "migrations": "ok", "storage": "ok"})
    ]


class NotReadyRecord(Payload):
    """What is wrong, and with what."""

    detail: Annotated[str, shown("storage: there is no space left.")]
    code: Annotated[str, shown("not_ready")]
    checks: Annotated[
        dict[str, str],
        shown({"database": "ok", "migrations": "ok", "storage": "there is no space left."}),
    ]


class LoginRecord(Payload):
    """Who logged in; empty for a device. The session is a cookie."""

    username: Annotated[str, shown("ann")]


class ClientProject(Payload):
    """A project."""

    organization_id: Annotated[str, shown("acme")]
    project_id: Annotated[str, shown("cups")]
    resource: Annotated[str, shown("/acme/projects/cups")]
    categories: list[CategoryPayload]


class ClientProjects(Payload):
    """All projects that one may see."""

    projects: list[ClientProject]


class ClientData(Payload):
    """The ids of images, and the categories of their project."""

    image_ids: list[Uuid]
    categories: list[CategoryPayload]


class ClientImage(ImageRecordPayload, DetectionsPayload):
    """An image, its annotations, and what one model saw in it."""

    resource: Annotated[str, shown("/acme/projects/cups/images/6f1c0a4e/main")]
    thumbnail: Annotated[str, shown("/acme/projects/cups/images/6f1c0a4e/thumb")]


class ClientImages(Payload):
    """Those images of which there are any."""

    images: list[ClientImage]


class Receipts(Payload):
    """Where the images are, in the order in which they came."""

    items: list[UploadReceipt]


class TakenImages(Payload):
    """Of how many images something was kept."""

    images: Annotated[int, shown(100)]


class ClientModel(Payload):
    """A model; without files it has no version."""

    id: Uuid
    version: Annotated[str | None, shown("3.0")]
    formats: Annotated[list[str], shown(["onnx", "torch"])]
    created: Moment
    comment: Text


class ClientModels(Payload):
    """The models of a project."""

    models: list[ClientModel]


class ChartPoint(Payload):
    """A model of a training."""

    model_id: Uuid
    version: Annotated[str, shown("3.0")]
    confusion_matrix: Annotated[
        dict[str, Any],
        shown({"3e0f6c2a-7d0b-4b7e-8f43-0b9a2f3d5c61": {"tp": 77, "fp": 4, "fn": 6}}),
    ]
    created: Moment


class Chart(Payload):
    """A training and its models."""

    training_number: Annotated[int, shown(3)]
    data: list[ChartPoint]


class ClientTrainer(Payload):
    """A trainer that is here."""

    id: Annotated[str, shown("workstation")]
    name: Annotated[str, shown("workstation")]
    state: Annotated[str, shown("idle")]


class Charts(Payload):
    """What was trained, and who could train."""

    charts: list[Chart]
    trainers: list[ClientTrainer]


class ModelReceipt(Payload):
    """Which model has the files now."""

    id: Uuid


class NewModelReceipt(ModelReceipt):
    """A new model."""

    version: Annotated[str, shown("4.0")]


class ClientTarget(Payload):
    """The model that detectors shall run."""

    model_uuid: Uuid
    version: Annotated[str, shown("3.0")]


def told(
    record: type[BaseModel],
    *,
    files: str = "",
    login: Literal["needed", "optional", "none"] = "needed",
    errors: Sequence[int] = (),
) -> dict[str, Any]:
    """Arguments for a route's decorator that change what is said of it, not what it does.

    ``files`` says which files it takes, as a multipart body. ``login`` is optional where devices
    may come in without one. ``errors`` are those beside the usual ones.
    """
    extra = {"needed": {}, "optional": DEVICES, "none": ANYBODY}[login]
    if files:
        content = {"multipart/form-data": {"schema": _FILES}}
        extra = {
            **extra,
            "requestBody": {"required": True, "description": files, "content": content},
        }
    said: dict[int, dict[str, Any]] = {200: {"model": record}, **{code: {} for code in errors}}
    return {"responses": said, "openapi_extra": extra}
