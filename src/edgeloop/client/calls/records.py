"""What the loop tells people and programs of its resources."""

from typing import Any

from edgeloop.protocol.payloads.categories import CategoryPayload
from edgeloop.protocol.payloads.parsing import Payload


class ProjectRecord(Payload):
    """A project."""

    id: str
    organization: str
    name: str
    categories: list[CategoryPayload]
    open_to_devices: bool
    has_val_split: bool
    created: str
    image_counts: dict[str, int]

    def category_ids(self) -> dict[str, str]:
        """Category ids by name."""
        return {category.name: category.id for category in self.categories}


class TrainingRecord(Payload):
    """A training; ``state`` is queued, running, finished, failed, stopped or aborted."""

    id: str
    project_id: str
    number: int
    state: str
    variant: str
    base_model_id: str | None
    hyperparameters: dict[str, Any]
    trainer_id: str | None
    trainer_name: str
    trainer_state: str | None
    progress: float | None
    errors: dict[str, str]
    train_images: int | None
    test_images: int | None
    skipped_images: int
    created: str
    started: str | None
    ended: str | None
    model_id: str | None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state not in {"queued", "running"}


class EpochRecord(Payload):
    """The figures of one epoch."""

    number: int
    of: int
    metrics: dict[str, float]


class ModelRecord(Payload):
    """A model with files."""

    id: str
    version: str
    formats: list[str]
    training_id: str | None
    training_number: int | None
    base_model_id: str | None
    counts: dict[str, Any]
    metrics: dict[str, Any]
    best_epoch: int | None
    train_images: int | None
    test_images: int | None
    comment: str
    created: str
    deployed: bool


class EvaluationRecord(Payload):
    """A model's figures on annotated images, 0..1; None where the images show nothing of it."""

    map50: float | None
    map50_95: float | None
    images: int
    per_category: dict[str, dict[str, float | None]] = {}  # noqa: RUF012 - pydantic copies it
    counts: dict[str, dict[str, int]] = {}  # noqa: RUF012 - pydantic copies it


class DeploymentRecord(Payload):
    """Which model is deployed since when, and by whom."""

    model_id: str
    version: str
    created: str
    author: str


class NodeRecord(Payload):
    """A node that was heard from."""

    id: str
    kind: str
    name: str
    organization: str | None
    project: str | None
    online: bool
    last_seen: str
    status: dict[str, Any]
