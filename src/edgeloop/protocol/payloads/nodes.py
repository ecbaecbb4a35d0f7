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

MAX_ID, MAX_WORD, MAX_REMARK = 100, 200, 4000
"""How many characters a report may have for its id, and how many are kept of other texts."""
MAX_ITEMS = 20
"""So many are kept of each list, and of the errors."""


def _identifying(value: str) -> str:
    # It becomes a part of paths.
    if value in ("", ".", "..") or len(value) > MAX_ID or "/" in value or not value.isprintable():
        raise ValueError(f"an id has 1 to {MAX_ID} characters, no / and no control characters")
    return value


def _few(errors: dict[str, str]) -> dict[str, str]:
    kept = list(errors.items())[:MAX_ITEMS]
    return {place[:MAX_WORD]: error[:MAX_REMARK] for place, error in kept}


NodeId = Annotated[str, AfterValidator(_identifying)]
Word = Annotated[Text, AfterValidator(lambda value: value[:MAX_WORD])]
"""A short text; null counts as empty. One that is too long is no reason to refuse a report."""
Said = Annotated[str, AfterValidator(lambda value: value[:MAX_WORD])]
"""A short text that is never null."""
Errors = Annotated[dict[str, str], AfterValidator(_few)]
Words = Annotated[list[Said], AfterValidator(lambda words: words[:MAX_ITEMS])]


class DetectorStatusPayload(Payload):
    """What a detector posts, or says by ``update_detector`` where ``uuid`` is called ``id``.

    ``outbox_depth`` is edgeloop's own.
    """

    uuid: NodeId = Field(validation_alias=AliasChoices("uuid", "id"))
    name: Word = ""
    state: Word = ""
    uptime: Amount = None
    model_format: Word = ""
    current_model: Said | None = None
    target_model: Said | None = None
    errors: Errors = {}
    operation_mode: Word = ""
    node_version: Said | None = None
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

    name: Word = ""
    label: Word = ""
    description: Annotated[Text, AfterValidator(lambda value: value[:MAX_REMARK])] = ""


class ProjectContextPayload(Payload):
    """Which project a trainer works for."""

    organization: Word = ""
    project: Word = ""


class TrainerStatusPayload(Payload):
    """What ``update_trainer`` carries; what stands below ``context`` is edgeloop's own."""

    id: NodeId
    name: Word = ""
    state: Said
    errors: Errors = {}
    uptime: Amount = None
    progress: Amount = None
    pretrained_models: list[VariantPayload] = []
    architecture: Said | None = None
    context: ProjectContextPayload | None = None
    model_format: Said | None = None
    formats: Words = []
    node_version: Said | None = None
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

    id: NodeId
    name: Word = ""
    state: Word = ""
    uptime: Amount = None
    errors: Errors = {}
    capabilities: Words = []

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
