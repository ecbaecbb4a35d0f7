"""What a model is: who made it, and what it can see."""

from dataclasses import dataclass
from pathlib import Path

from edgeloop.types.categories import Category


@dataclass(frozen=True, slots=True)
class ModelInformation:
    """The content of a ``model.json``; ``categories`` are in the order of the model's class
    indices.

    ``resolution`` is the longer side of the model's input in pixels. ``conf_threshold`` (0..1) is
    the confidence from which a detection counts.
    """

    id: str
    organization: str
    project: str
    version: str
    categories: tuple[Category, ...] = ()
    host: str = ""
    format: str = ""
    resolution: int | None = None
    model_size: str | None = None
    conf_threshold: float | None = None

    def category_at(self, index: int) -> Category:
        """The category of class index ``index``."""
        return self.categories[index]


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model on this machine: its information and the folder that holds its files."""

    info: ModelInformation
    path: Path
