"""The seven steps of a training, in order; each is safe to run twice."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from edgeloop.nodes.trainer.job import StageName, TrainingJob
from edgeloop.nodes.trainer.stages import learning, publishing
from edgeloop.nodes.trainer.stages.epochs import EpochReports
from edgeloop.nodes.trainer.stages.logs import TrainingLog
from edgeloop.nodes.trainer.stages.workbench import Workbench
from edgeloop.types import TrainerState

__all__ = ["EpochReports", "Stage", "TrainingLog", "Workbench", "training_stages"]


@dataclass(frozen=True, slots=True)
class Stage:
    """A step: what it is called in the job, on the wire while it runs and after it, and in errors.

    ``run`` takes a job and returns it changed; it may raise any EdgeloopError.
    """

    name: StageName
    doing: TrainerState
    done: TrainerState
    error_key: str
    run: Callable[[TrainingJob], Awaitable[TrainingJob]]


def training_stages(bench: Workbench) -> tuple[Stage, ...]:
    """The way of a training from an order to a model with its detections."""
    state = TrainerState
    return (
        Stage(
            "download_dataset",
            state.DATA_DOWNLOADING,
            state.DATA_DOWNLOADED,
            "prepare",
            partial(learning.download_dataset, bench),
        ),
        Stage(
            "download_base_model",
            state.TRAIN_MODEL_DOWNLOADING,
            state.TRAIN_MODEL_DOWNLOADED,
            "download_model",
            partial(learning.download_base_model, bench),
        ),
        Stage(
            "train",
            state.RUNNING,
            state.TRAINING_FINISHED,
            "run_training",
            partial(learning.train_model, bench),
        ),
        Stage(
            "report_metrics",
            state.CONFUSION_MATRIX_SYNCING,
            state.CONFUSION_MATRIX_SYNCED,
            "sync_confusion_matrix",
            partial(learning.report_metrics, bench),
        ),
        Stage(
            "upload_model",
            state.TRAIN_MODEL_UPLOADING,
            state.TRAIN_MODEL_UPLOADED,
            "upload_model",
            partial(publishing.upload_model, bench),
        ),
        Stage(
            "detect",
            state.DETECTING,
            state.DETECTED,
            "detecting",
            partial(publishing.detect_images, bench),
        ),
        Stage(
            "upload_detections",
            state.DETECTION_UPLOADING,
            state.READY_FOR_CLEANUP,
            "upload_detections",
            partial(publishing.send_detections, bench),
        ),
    )
