"""The trainer that ships: a compact detector that learns from scratch on a laptop."""

from collections.abc import Iterator
from typing import ClassVar

from edgeloop.nodes.contracts import Detector, ModelVariant, Trainer
from edgeloop.types import Epoch, TrainingTask
from edgeloop.vision.detector import OnnxDetector
from edgeloop.vision.extras import needs_extra
from edgeloop.vision.hyperparameters import CompactHyperparameters


class CompactTrainer(Trainer):
    """Trains the anchor-free network of ``vision.network`` on boxes and points.

    With a validation split, the best epoch by its mAP50:95 is the model; without one, the moving
    average of the last epoch is. The test split is scored once at the end, for the report alone.
    A training that was cut off goes on from the checkpoint in its output folder and yields its
    last epoch with files again.
    """

    formats: ClassVar[tuple[str, ...]] = ("torch", "onnx")
    detector: ClassVar[type[Detector]] = OnnxDetector
    variants: ClassVar[tuple[ModelVariant, ...]] = (
        ModelVariant("w0.5", "compact", "0.5 M parameters: minutes on two cores"),
        ModelVariant("w0.75", "medium", "1.1 M parameters"),
        ModelVariant("w1", "large", "1.9 M parameters"),
    )
    Hyperparameters: ClassVar[type | None] = CompactHyperparameters

    def train(self, task: TrainingTask) -> Iterator[Epoch]:
        """Train; raises TrainingFailed where there is nothing to learn from."""
        with needs_extra("torch"):
            from edgeloop.vision.training import train
        return train(task)
