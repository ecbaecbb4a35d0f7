"""Status reports of nodes on the wire."""

from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, Field

from edgeloop.protocol.payloads.parsing import Payload, Text
from edgeloop.types import AnnotatorStatus, DetectorStatus, OperationMode, TrainerStatus

_FAR = 1e10  # some 300 years in seconds


def _plausible(value: float | None) -> float | None:
    # A clock that jumped is no reason to refuse a report.
    return value if value is not None and 0 <= value < _FAR else None


Amount = Annotated[float | None, AfterValidator(_plausible)]
"""A number; one that is negative, not finite or absurdly large counts as none."""


class DetectorStatusPayload(Payload):
    """What a detector posts, or says by ``update_detector`` where ``uuid`` is called ``id``.

    ``outbox_depth`` is edgeloop's own.
    """

    uuid: str = Field(validation_alias=AliasChoices("uuid", "id"))
    name: Text = ""
    state: Text = ""
    uptime: Amount = None
    model_format: Text = ""
    current_model: str | None = None
    target_model: str | None = None
    errors: dict[str, str] = {}
    operation_mode: Text = ""
    node_version: str | None = None
    outbox_depth: int = 0

    def to_type(self) -> DetectorStatus:
        """The status as a value; an unknown mode counts as idle."""
        modes = {mode.value: mode for mode in OperationMode}
        return DetectorStatus(
            id=self.uuid,
            name=self.name,
            model_format=self.model_format,
            operation_mode=modes.get(self.operation_mode, OperationMode.IDLE),
            uptime_s=self.uptime or 0.0,
            state=self.state or "online",
            current_model=self.current_model,
            target_model=self.target_model,
            errors=self.errors,
            node_version=self.node_version,
            outbox_depth=self.outbox_depth,
        )


def detector_status_to_json(status: DetectorStatus) -> dict[str, Any]:
    """What a detector posts to the loop."""
    return {
        "uuid": status.id,
        "name": status.name,
        "state": status.state,
        "uptime": status.uptime_s,
        "model_format": status.model_format,
        "current_model": status.current_model,
        "target_model": status.target_model,
        "errors": dict(status.errors),
        "operation_mode": status.operation_mode.value,
        "node_version": status.node_version,
        "outbox_depth": status.outbox_depth,
    }


class VariantPayload(Payload):
    """A network that a trainer offers."""

    name: Text = ""
    label: Text = ""
    description: Text = ""


class ProjectContextPayload(Payload):
    """Which project a trainer works for."""

    organization: Text = ""
    project: Text = ""


class TrainerStatusPayload(Payload):
    """What ``update_trainer`` carries; what stands below ``context`` is edgeloop's own."""

    id: str
    name: Text = ""
    state: str
    errors: dict[str, str] = {}
    uptime: Amount = None
    progress: Amount = None
    pretrained_models: list[VariantPayload] = []
    architecture: str | None = None
    context: ProjectContextPayload | None = None
    model_format: str | None = None
    formats: list[str] = []
    node_version: str | None = None
    skipped_image_count: int | None = None

    def to_type(self) -> TrainerStatus:
        """The status as a value."""
        return TrainerStatus(
            id=self.id,
            name=self.name,
            state=self.state,
            errors=self.errors,
            uptime_s=self.uptime,
            progress=self.progress,
            variants=tuple((v.name, v.label, v.description) for v in self.pretrained_models),
            architecture=self.architecture,
            organization=self.context.organization if self.context else None,
            project=self.context.project if self.context else None,
            model_format=self.model_format,
            formats=tuple(self.formats),
            node_version=self.node_version,
            skipped_images=self.skipped_image_count or 0,
        )


def trainer_status_to_json(status: TrainerStatus) -> dict[str, Any]:
    """What a trainer reports to the loop."""
    context = {"organization": status.organization, "project": status.project}
    return {
        "id": status.id,
        "name": status.name,
        "state": str(status.state),
        "errors": dict(status.errors),
        "uptime": status.uptime_s,
        "progress": status.progress,
        "pretrained_models": [
            {"name": name, "label": label, "description": description}
            for name, label, description in status.variants
        ],
        "architecture": status.architecture,
        "context": context if status.project else None,
        "model_format": status.model_format,
        "formats": list(status.formats),
        "node_version": status.node_version,
        "skipped_image_count": status.skipped_images,
    }


class AnnotatorStatusPayload(Payload):
    """What ``update_annotation_node`` carries."""

    id: str
    name: Text = ""
    state: Text = ""
    uptime: Amount = None
    errors: dict[str, str] = {}
    capabilities: list[str] = []

    def to_type(self) -> AnnotatorStatus:
        """The status as a value."""
        return AnnotatorStatus(
            id=self.id,
            name=self.name,
            state=self.state or "online",
            uptime_s=self.uptime or 0.0,
            errors=self.errors,
            capabilities=tuple(self.capabilities),
        )


def annotator_status_to_json(status: AnnotatorStatus) -> dict[str, Any]:
    """What an annotator reports to the loop."""
    return {
        "id": status.id,
        "name": status.name,
        "state": status.state,
        "uptime": status.uptime_s,
        "errors": dict(status.errors),
        "capabilities": list(status.capabilities),
    }


def acknowledgement(
    *, success: bool = True, error: str | None = None, payload: Any = None
) -> dict[str, Any]:
    """The answer that both sides give to a Socket.IO event."""
    return {"success": success, "error_msg": error, "payload": payload}


class AcknowledgementPayload(Payload):
    """The other side's answer to a Socket.IO event."""

    success: bool = False
    error_msg: str | None = None
    payload: Any = None
