"""Models on the wire: ``model.json`` and the list of a project's models."""

from typing import Any

from edgeloop.protocol.payloads.categories import CategoryPayload, category_to_json
from edgeloop.protocol.payloads.parsing import Payload, Text
from edgeloop.types import DeploymentTarget, ModelInformation


class ModelInformationPayload(Payload):
    """The content of a ``model.json``."""

    id: str
    organization: str
    project: str
    version: str
    host: Text = ""
    format: Text = ""
    categories: list[CategoryPayload] = []
    resolution: int | None = None
    model_size: str | None = None
    conf_threshold: float | None = None

    def to_type(self) -> ModelInformation:
        """The information as a value."""
        return ModelInformation(
            id=self.id,
            organization=self.organization,
            project=self.project,
            version=self.version,
            categories=tuple(category.to_type() for category in self.categories),
            host=self.host,
            format=self.format,
            resolution=self.resolution,
            model_size=self.model_size,
            conf_threshold=self.conf_threshold,
        )


def read_model_information(value: Any) -> ModelInformation:
    """JSON -> model information; raises InputError."""
    return ModelInformationPayload.read(value).to_type()


def model_information_to_json(info: ModelInformation) -> dict[str, Any]:
    """The content of a ``model.json``."""
    return {
        "host": info.host,
        "organization": info.organization,
        "project": info.project,
        "version": info.version,
        "id": info.id,
        "format": info.format,
        "categories": [category_to_json(category) for category in info.categories],
        "resolution": info.resolution,
        "model_size": info.model_size,
        "conf_threshold": info.conf_threshold,
    }


class ModelListEntryPayload(Payload):
    """One entry of a project's models; ``version`` is null while it has no files."""

    id: str
    version: str | None = None
    formats: list[str] = []
    created: Text = ""
    comment: Text = ""


class DeploymentTargetPayload(Payload):
    """``{model_uuid, version}``."""

    model_uuid: str
    version: str

    def to_type(self) -> DeploymentTarget:
        """The target as a value."""
        return DeploymentTarget(model_id=self.model_uuid, version=self.version)


def announced_target_to_json(target: DeploymentTarget) -> dict[str, str]:
    """The target as the answer to ``update_detector`` carries it."""
    return {"target_model_id": target.model_id, "target_model_version": target.version}
