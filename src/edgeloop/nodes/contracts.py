"""What a user writes: the contracts of the nodes. Read this first."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from edgeloop.types import Detections, Epoch, ImageArray, LocalModel, TrainingTask


class Detector(ABC):
    """Finds things in images with one loaded model.

    A node makes one instance per model, calls ``load`` once, then ``detect`` or ``detect_batch``,
    always from the same thread, and ``close`` at the end.
    """

    model_format: ClassVar[str]
    """The format of the model files that ``load`` reads, such as ``"onnx"``."""

    max_batch: ClassVar[int] = 1
    """The most images that ``detect_batch`` wants at once."""

    exclusive: ClassVar[bool] = False
    """True where two models do not fit in memory: the old one is closed before the next is
    loaded."""

    def __init__(self, model: LocalModel) -> None:
        self.model = model

    @abstractmethod
    def load(self) -> None:
        """Load the files in ``self.model.path``; an exception says that the model cannot be
        used."""

    @abstractmethod
    def detect(self, image: ImageArray) -> Detections:
        """Find things in ``image``: (height, width, 3) uint8 RGB. Boxes are in its pixels."""

    def detect_batch(self, images: Sequence[ImageArray]) -> list[Detections]:
        """Find things in up to ``max_batch`` images, in order; override it where batches are
        faster."""
        return [self.detect(image) for image in images]

    def close(self) -> None:  # noqa: B027 - optional to override
        """Free what ``load`` took."""


@dataclass(frozen=True, slots=True)
class ModelVariant:
    """A network a trainer can start from scratch or from weights it ships."""

    name: str
    label: str = ""
    description: str = ""


class Trainer(ABC):
    """Trains models from the loop's images.

    A node runs ``train`` in a process of its own: stopping ends that process, and a crash of it is
    repeated with what ``task.output`` still holds.
    """

    formats: ClassVar[tuple[str, ...]]
    """The model formats that a training yields; the first can be trained further."""

    detector: ClassVar[type[Detector]]
    """Labels the project's images with the new model; the same class runs on the edge."""

    variants: ClassVar[tuple[ModelVariant, ...]] = (ModelVariant("default"),)
    """The networks to choose from."""

    Hyperparameters: ClassVar[type | None] = None
    """A frozen dataclass of what can be set, with defaults; None passes the mapping as it came."""

    @abstractmethod
    def train(self, task: TrainingTask) -> Iterator[Epoch]:
        """Train and yield an ``Epoch`` now and then; raise ``TrainingFailed`` where repeating is
        useless."""
