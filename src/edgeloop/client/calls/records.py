"""What the loop tells people and programs of its resources."""

from typing import Annotated, Any

from edgeloop.protocol.payloads.categories import CategoryPayload
from edgeloop.protocol.payloads.parsing import Moment, Payload, Text, Uuid, shown

_CATEGORY = "3e0f6c2a-7d0b-4b7e-8f43-0b9a2f3d5c61"


class ProjectRecord(Payload):
    """A project."""

    id: Uuid
    organization: Annotated[str, shown("acme")]
    name: Annotated[str, shown("cups")]
    categories: list[CategoryPayload]
    open_to_devices: bool
    has_val_split: bool
    created: Moment
    image_counts: Annotated[dict[str, int], shown({"inbox": 120, "complete": 410})]

    def category_ids(self) -> dict[str, str]:
        """Category ids by name."""
        return {category.name: category.id for category in self.categories}


class TrainingRecord(Payload):
    """A training; ``state`` is queued, running, finished, failed, stopped or aborted.

    It is ``lost`` while the trainer that runs it is away. ``wish`` is what was asked of it: stop or
    abort.
    """

    id: Uuid
    project_id: Uuid
    number: Annotated[int, shown(3)]
    state: Annotated[str, shown("running")]
    variant: Annotated[str, shown("small")]
    model_format: Text = ""
    base_model_id: Uuid | None
    hyperparameters: Annotated[dict[str, Any], shown({"epochs": 50})]
    wanted_trainer_id: Uuid | None = None
    trainer_id: Uuid | None
    trainer_name: Annotated[str, shown("workstation")]
    trainer_state: Annotated[str | None, shown("running")]
    lost: bool = False
    wish: str | None = None
    progress: Annotated[float | None, shown(0.42)]
    errors: Annotated[dict[str, str], shown({"upload_model": "The loop does not answer."})]
    train_images: Annotated[int | None, shown(330)]
    test_images: Annotated[int | None, shown(80)]
    skipped_images: int
    created: Moment
    started: Moment | None
    ended: Moment | None
    model_id: Uuid | None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state not in {"queued", "running"}


class EpochRecord(Payload):
    """The figures of one epoch."""

    number: Annotated[int, shown(21)]
    of: Annotated[int, shown(50)]
    metrics: Annotated[dict[str, float], shown({"loss": 0.41, "map50": 0.83})]


class LogRecord(Payload):
    """The end of a training's log; ``received`` is None where nothing was told of it."""

    text: Annotated[str, shown("2026-01-02 03:04:05 INFO epoch 21 of 50: loss 0.41\n")]
    received: Moment | None


class WaitingRecord(Payload):
    """A training in the queue; ``position`` counts from 1, ``reason`` says what it waits for."""

    position: Annotated[int, shown(1)]
    project: Annotated[str, shown("acme/cups")]
    reason: Annotated[str, shown("No trainer is online.")]
    training: TrainingRecord


class ModelRecord(Payload):
    """A model; it has no version before its first files have arrived."""

    id: Uuid
    version: Annotated[str | None, shown("3.0")]
    formats: Annotated[list[str], shown(["onnx", "torch"])]
    training_id: Uuid | None
    training_number: Annotated[int | None, shown(3)]
    base_model_id: Uuid | None
    counts: Annotated[dict[str, Any], shown({_CATEGORY: {"tp": 77, "fp": 4, "fn": 6}})]
    metrics: Annotated[dict[str, Any], shown({"map50": 0.91, "map50_95": 0.63, "images": 80})]
    best_epoch: Annotated[int | None, shown(47)]
    train_images: Annotated[int | None, shown(330)]
    test_images: Annotated[int | None, shown(80)]
    comment: Annotated[str, shown("for the night shift")]
    created: Moment
    deployed: bool


class EvaluationRecord(Payload):
    """A model's figures on annotated images, 0..1; None where the images show nothing of it."""

    map50: Annotated[float | None, shown(0.91)]
    map50_95: Annotated[float | None, shown(0.63)]
    images: Annotated[int, shown(80)]
    confidence: Annotated[float | None, shown(0.45)] = None
    per_category: Annotated[
        dict[str, dict[str, float | None]], shown({_CATEGORY: {"ap50": 0.91, "ap50_95": 0.63}})
    ] = {}  # noqa: RUF012 - pydantic copies it
    counts: Annotated[
        dict[str, dict[str, int]], shown({_CATEGORY: {"tp": 77, "fp": 4, "fn": 6}})
    ] = {}  # noqa: RUF012 - pydantic copies it
    confusion: Annotated[list[list[int]], shown([[77, 6], [4, 0]])] = []  # noqa: RUF012 - pydantic copies it


class DeploymentRecord(Payload):
    """Which model is deployed since when, and by whom."""

    model_id: Uuid
    version: Annotated[str, shown("3.0")]
    created: Moment
    author: Annotated[str, shown("ada")]


class NodeRecord(Payload):
    """A node that was heard from."""

    id: Uuid
    kind: Annotated[str, shown("detector")]
    name: Annotated[str, shown("cell-1")]
    organization: Annotated[str | None, shown("acme")]
    project: Annotated[str | None, shown("cups")]
    online: Annotated[bool, shown(True)]
    last_seen: Moment
    status: Annotated[dict[str, Any], shown({"operation_mode": "idle", "current_model": "3.0"})]


class SvgRecord(Payload):
    """What an annotator draws over an image."""

    svg: Annotated[str, shown('<circle cx="120" cy="64" r="4"/>')]
