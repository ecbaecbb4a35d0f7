"""What all dataset formats read into: image files with boxes whose categories have names."""

from dataclasses import dataclass
from pathlib import Path

from edgeloop.types import Split


@dataclass(frozen=True, slots=True)
class NamedBox:
    """A box by category name: top-left corner, width and height in pixels."""

    category: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """An image file with its boxes; ``split`` is None where the dataset names none."""

    name: str
    path: Path
    boxes: tuple[NamedBox, ...]
    split: Split | None = None


@dataclass(frozen=True, slots=True)
class LabelledFolder:
    """A dataset in a folder; ``faults`` says, in a sentence each, what had to be left out."""

    folder: Path
    images: tuple[LabelledFile, ...]
    faults: tuple[str, ...] = ()

    @property
    def categories(self) -> tuple[str, ...]:
        """The names of all categories, sorted."""
        return tuple(sorted({box.category for image in self.images for box in image.boxes}))

    def split(self, name: Split | None) -> tuple[LabelledFile, ...]:
        """The images of one split, in the dataset's order."""
        return tuple(image for image in self.images if image.split == name)
