"""User code in a process of its own: training, and detection with the new model."""

from edgeloop.nodes.trainer.worker.checkpoints import MODEL_JSON, drop, drop_others
from edgeloop.nodes.trainer.worker.detecting import DetectionPlan, detect
from edgeloop.nodes.trainer.worker.hyperparameters import (
    ignored_hyperparameters,
    read_hyperparameters,
)
from edgeloop.nodes.trainer.worker.journal import earlier_epochs
from edgeloop.nodes.trainer.worker.process import KILL_AFTER_S
from edgeloop.nodes.trainer.worker.records import write_records
from edgeloop.nodes.trainer.worker.training import TrainingPlan, train

__all__ = [
    "KILL_AFTER_S",
    "MODEL_JSON",
    "DetectionPlan",
    "TrainingPlan",
    "detect",
    "drop",
    "drop_others",
    "earlier_epochs",
    "ignored_hyperparameters",
    "read_hyperparameters",
    "train",
    "write_records",
]
