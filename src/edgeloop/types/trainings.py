"""A training: what it is given and what it yields."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeloop.types.categories import Category
from edgeloop.types.images import ImageRecord, Split
from edgeloop.types.models import LocalModel


@dataclass(frozen=True, slots=True)
class CategoryCounts:
    """True positives, false positives and false negatives of one category."""

    tp: int = 0
    fp: int = 0
    fn: int = 0


@dataclass(frozen=True, slots=True)
class DatasetImage:
    """An image of a dataset: the loop's record and its file on disk."""

    record: ImageRecord
    path: Path


@dataclass(frozen=True, slots=True)
class Dataset:
    """The images of a training; all are decodable and lie on disk."""

    images: tuple[DatasetImage, ...]

    def split(self, name: Split) -> tuple[DatasetImage, ...]:
        """The images of one split: ``train``, ``test`` or ``val``."""
        return tuple(image for image in self.images if image.record.split == name)


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """All that ``Trainer.train`` is given.

    ``hyperparameters`` is an instance of the trainer's ``Hyperparameters`` (validated), or the
    plain mapping where the trainer declares none. ``base`` is the model to start from, in the first
    of the trainer's formats; ``None`` means from scratch. ``output`` is a folder of this training's
    own: what lies in it survives a crash, so a checkpoint found there can be continued.
    """

    number: int
    dataset: Dataset
    categories: tuple[Category, ...]
    hyperparameters: Any
    output: Path
    base: LocalModel | None = None
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One step of progress of a training.

    ``number`` counts from 1 to ``of``. ``metrics`` are named figures of this epoch (``loss``,
    ``map50``). ``counts`` are per category id. ``files`` lists, by model format, the files that
    make up the model; the last epoch with files is the one that is uploaded. ``model_json`` holds
    what the trainer adds to the model.json (``resolution``, ``conf_threshold``).
    """

    number: int
    of: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, CategoryCounts] = field(default_factory=dict)
    files: Mapping[str, list[Path]] = field(default_factory=dict)
    model_json: Mapping[str, Any] = field(default_factory=dict)
