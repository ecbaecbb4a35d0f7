"""Trainings on the wire: the order to begin, the progress, the epochs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgeloop.protocol.payloads.categories import CategoryPayload, category_to_json
from edgeloop.protocol.payloads.parsing import Payload, Text
from edgeloop.types import Category, CategoryCounts, Epoch, TrainerState

BUSY_STATES = frozenset(TrainerState) - {TrainerState.IDLE}


@dataclass(frozen=True, slots=True)
class TrainingOrder:
    """What ``begin_training`` asks of a trainer."""

    organization: str
    project: str
    number: int
    categories: tuple[Category, ...]
    hyperparameters: Mapping[str, Any]
    variant: str = ""
    base_model_id: str | None = None


class TrainingDetailsPayload(Payload):
    """The details of ``begin_training`` as clients from 0.12 read them."""

    categories: list[CategoryPayload]
    training_number: int
    hyperparameters: dict[str, Any] = {}
    model_variant: Text = ""
    base_model_uuid: str | None = None


def read_training_order(organization: str, project: str, details: Any) -> TrainingOrder:
    """Arguments of ``begin_training`` -> order; raises InputError."""
    payload = TrainingDetailsPayload.read(details)
    return TrainingOrder(
        organization=organization,
        project=project,
        number=payload.training_number,
        categories=tuple(category.to_type() for category in payload.categories),
        hyperparameters=payload.hyperparameters,
        variant=payload.model_variant,
        base_model_id=payload.base_model_uuid,
    )


def training_order_to_json(order: TrainingOrder) -> dict[str, Any]:
    """One superset that all published versions of trainers understand."""
    parameters = dict(order.hyperparameters)
    return {
        "categories": [category_to_json(category) for category in order.categories],
        "training_number": order.number,
        "id": order.base_model_id or order.variant,
        "resolution": _whole(parameters.get("resolution")),
        "flip_rl": bool(parameters.get("flip_rl", False)),
        "flip_ud": bool(parameters.get("flip_ud", False)),
        "hyperparameters": parameters,
        "model_variant": order.variant,
        "base_model_uuid": order.base_model_id,
    }


def _whole(value: Any) -> int:
    """Hyperparameters are free: what is no number is the trainer's to complain about."""
    try:
        return int(value or 0)
    except (TypeError, ValueError, OverflowError):
        return 0


class CountsPayload(Payload):
    """``{tp, fp, fn}`` of one category."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def to_type(self) -> CategoryCounts:
        """The counts as a value."""
        return CategoryCounts(self.tp, self.fp, self.fn)


class TrainingProgressPayload(Payload):
    """What ``update_training`` carries when a new best model exists."""

    trainer_id: str
    trainer_name: Text = ""
    confusion_matrix: dict[str, CountsPayload] = {}
    train_image_count: int | None = None
    test_image_count: int | None = None
    hyperparameters: dict[str, Any] | None = None
    best_epoch: int | None = None
    metrics: dict[str, float] = {}


def counts_to_json(counts: Mapping[str, CategoryCounts]) -> dict[str, Any]:
    """The wire's ``confusion_matrix``: tp, fp and fn by category id."""
    return {
        category: {"tp": count.tp, "fp": count.fp, "fn": count.fn}
        for category, count in counts.items()
    }


class EpochPayload(Payload):
    """An epoch as ``update_epoch`` carries it."""

    number: int
    of: int
    metrics: dict[str, float] = {}


class EpochReportPayload(Payload):
    """What ``update_epoch`` carries: which training, and its epoch."""

    training_number: int
    epoch: EpochPayload


MAX_LOG_CHARS = 32_768
"""How much of the end of a log is told and kept."""


class LogReportPayload(Payload):
    """What ``update_log`` carries: the end of a training's log; it replaces what was told before.

    Of more than ``MAX_LOG_CHARS`` characters the last count.
    """

    training_number: int
    text: Text = ""


def epoch_to_json(epoch: Epoch) -> dict[str, Any]:
    """Number, total and figures of an epoch; its files stay where they are."""
    return {"number": epoch.number, "of": epoch.of, "metrics": dict(epoch.metrics)}
