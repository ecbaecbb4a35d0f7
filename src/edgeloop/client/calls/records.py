"""What the loop tells people and programs of its resources."""

from typing import Annotated, Any, Literal

from edgeloop.protocol.payloads.categories import CategoryPayload
from edgeloop.protocol.payloads.parsing import Moment, Payload, Text, Uuid, shown
from edgeloop.types import NodeKind, TrainerState

TrainingState = Literal["queued", "running", "finished", "failed", "stopped", "aborted"]
Wish = Literal["stop", "abort"]
ConversionState = Literal["waiting", "leased", "failed"]

_CATEGORY = "3e0f6c2a-7d0b-4b7e-8f43-0b9a2f3d5c61"


class ProjectRecord(Payload):
    """A project."""

    id: Uuid
    organization: Annotated[str, shown("acme")]
    name: Annotated[str, shown("cups")]
    categories: list[CategoryPayload]
    open_to_devices: bool
    has_val_split: bool
    promoted_model_id: Uuid | None = None
    wanted_formats: Annotated[list[str], shown(["onnx"])] = []  # noqa: RUF012 - pydantic copies it
    created: Moment
    image_counts: Annotated[dict[str, int], shown({"inbox": 120, "complete": 410})]

    def category_ids(self) -> dict[str, str]:
        """Category ids by name."""
        return {category.name: category.id for category in self.categories}


class TrainingRecord(Payload):
    """A training; it is ``lost`` while the trainer that runs it is away.

    ``trainer_state`` is what the trainer says of itself: published trainers may know words of their
    own. ``wish`` is what was asked of the training.
    """

    id: Uuid
    project_id: Uuid
    number: Annotated[int, shown(3)]
    state: Annotated[TrainingState, shown("running")]
    variant: Annotated[str, shown("small")]
    model_format: Text = ""
    base_model_id: Uuid | None
    hyperparameters: Annotated[dict[str, Any], shown({"epochs": 50})]
    wanted_trainer_id: Uuid | None = None
    trainer_id: Uuid | None
    trainer_name: Annotated[str, shown("workstation")]
    trainer_state: Annotated[TrainerState | str | None, shown("running")]
    lost: bool = False
    wish: Wish | None = None
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
    promoted: bool = False
    retired: Moment | None = None


class LineageRecord(Payload):
    """The models that a model comes from, the nearest first, and those that come from it.

    ``training`` is the one that made it, None for a model that people brought.
    """

    ancestors: list[ModelRecord]
    children: list[ModelRecord]
    training: TrainingRecord | None


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


class ComparedRecord(EvaluationRecord):
    """The figures of one of two models that are compared."""

    model_id: Uuid
    version: Annotated[str, shown("3.0")]


class ComparisonRecord(Payload):
    """Two models on the same images, in the order in which they were asked for."""

    images: Annotated[int, shown(80)]
    models: list[ComparedRecord]


class DeploymentRecord(Payload):
    """Which model is deployed since when, and by whom; ``restores`` is the id of the deployment
    that a rollback went back to."""

    id: Annotated[int, shown(7)] = 0
    model_id: Uuid
    version: Annotated[str, shown("3.0")]
    created: Moment
    author: Annotated[str, shown("ada")]
    restores: int | None = None


class ConversionRecord(Payload):
    """A format that a model lacks and its project wants.

    ``id`` is that of the last lease, None before the first.
    """

    id: Uuid | None
    project: Annotated[str, shown("acme/cups")]
    model_id: Uuid
    version: Annotated[str, shown("3.0")]
    formats: Annotated[list[str], shown(["torch"])]
    target_format: Annotated[str, shown("onnx")]
    state: Annotated[ConversionState, shown("failed")]
    converter: Annotated[str, shown("converter-1")]
    attempts: Annotated[int, shown(1)]
    error: Annotated[str, shown("The operator grid_sample is not supported.")]
    lease_until: Moment | None


class LeaseRecord(Payload):
    """A conversion that a converter has alone until ``lease_until``."""

    id: Uuid
    project: Annotated[str, shown("acme/cups")]
    model_id: Uuid
    version: Annotated[str, shown("3.0")]
    source_format: Annotated[str, shown("torch")]
    target_format: Annotated[str, shown("onnx")]
    lease_until: Moment


class NodeRecord(Payload):
    """A node that was heard from.

    ``model`` and ``target`` are the versions that a detector runs and shall run, ``outbox_depth``
    is how many frames wait on it, ``status`` all that it said last.
    """

    id: Uuid
    kind: Annotated[NodeKind, shown("detector")]
    name: Annotated[str, shown("cell-1")]
    organization: Annotated[str | None, shown("acme")]
    project: Annotated[str | None, shown("cups")]
    online: Annotated[bool, shown(True)]
    version: Annotated[str | None, shown("edgeloop 0.1.0")] = None
    model: Annotated[str | None, shown("3.0")] = None
    target: Annotated[str | None, shown("3.0")] = None
    outbox_depth: Annotated[int | None, shown(17)] = None
    errors: Annotated[dict[str, str], shown({"upload": "The loop does not answer."})] = {}  # noqa: RUF012 - pydantic copies it
    first_seen: Moment = ""
    last_seen: Moment
    status: Annotated[dict[str, Any], shown({"operation_mode": "idle", "current_model": "3.0"})]


class SvgRecord(Payload):
    """What an annotator draws over an image."""

    svg: Annotated[str, shown('<circle cx="120" cy="64" r="4"/>')]
