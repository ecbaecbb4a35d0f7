"""What nodes tell the loop of themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

NodeKind = Literal["detector", "trainer", "annotator"]
"""The nodes that report to a loop."""


class TrainerState(StrEnum):
    """Where a trainer is on its way through a training; the values are those of the wire."""

    IDLE = "idle"
    INITIALIZED = "initialized"
    PREPARING = "preparing"
    DATA_DOWNLOADING = "data_downloading"
    DATA_DOWNLOADED = "data_downloaded"
    TRAIN_MODEL_DOWNLOADING = "train_model_downloading"
    TRAIN_MODEL_DOWNLOADED = "train_model_downloaded"
    RUNNING = "running"
    TRAINING_FINISHED = "training_finished"
    CONFUSION_MATRIX_SYNCING = "confusion_matrix_syncing"
    CONFUSION_MATRIX_SYNCED = "confusion_matrix_synced"
    TRAIN_MODEL_UPLOADING = "train_model_uploading"
    TRAIN_MODEL_UPLOADED = "train_model_uploaded"
    DETECTING = "detecting"
    DETECTED = "detected"
    DETECTION_UPLOADING = "detection_uploading"
    READY_FOR_CLEANUP = "ready_for_cleanup"


class OperationMode(StrEnum):
    """What a detector does at the moment."""

    STARTUP = "startup"
    IDLE = "idle"
    DETECTING = "detecting"


@dataclass(frozen=True, slots=True)
class DetectorStatus:
    """A detector's report; ``uptime_s`` counts from its start."""

    id: str
    name: str
    model_format: str
    operation_mode: OperationMode
    uptime_s: float
    state: str = "online"
    current_model: str | None = None
    target_model: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    node_version: str | None = None
    outbox_depth: int = 0


@dataclass(frozen=True, slots=True)
class TrainerStatus:
    """A trainer's report; ``uptime_s`` counts from the training's start, None while idle.

    ``formats`` are those of the models that it makes, ``model_format`` the one that it can start
    from; empty and None where it did not say.
    """

    id: str
    name: str
    state: TrainerState | str
    errors: Mapping[str, str] = field(default_factory=dict)
    uptime_s: float | None = None
    progress: float | None = None
    variants: tuple[tuple[str, str, str], ...] = ()
    architecture: str | None = None
    organization: str | None = None
    project: str | None = None
    model_format: str | None = None
    skipped_images: int = 0
    formats: tuple[str, ...] = ()
    node_version: str | None = None


@dataclass(frozen=True, slots=True)
class AnnotatorStatus:
    """An annotator's report; ``capabilities`` are the kinds of shapes that it can make."""

    id: str
    name: str
    state: str = "online"
    uptime_s: float = 0.0
    errors: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeploymentTarget:
    """The model that the detectors of a project shall run."""

    model_id: str
    version: str
