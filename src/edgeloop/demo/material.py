"""The demo's images: what is labelled at the start, what the field sends, what tests the models."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeloop.demo.scenes import CATEGORIES, Scene, draw_scenes
from edgeloop.errors import InputError
from edgeloop.formats import LabelledFile, NamedBox, read_voc, write_voc
from edgeloop.imaging import encode_jpeg

START_LIKE, FIELD_LIKE = "start-like", "field-like"
"""Tags of the two parts of the test split, where the demo draws its scenes itself."""

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class SceneCounts:
    """How many scenes are drawn for each purpose; ``test`` of each kind."""

    start: int = 60
    field: int = 180
    test: int = 40
    shifted_share: float = 0.4

    @property
    def total(self) -> int:
        """All scenes."""
        return self.start + self.field + 2 * self.test


@dataclass(frozen=True, slots=True)
class Material:
    """The images of a story; ``test`` by tag, the tag is "" where there is only one part."""

    categories: tuple[str, ...]
    start: tuple[LabelledFile, ...]
    field: tuple[LabelledFile, ...]
    test: dict[str, tuple[LabelledFile, ...]]

    @property
    def images(self) -> tuple[LabelledFile, ...]:
        """All images."""
        return (*self.start, *self.field, *(image for part in self.test.values() for image in part))


def drawn_material(
    folder: Path, counts: SceneCounts, *, seed: int, on_progress: Progress
) -> Material:
    """Draw all scenes into ``folder`` as Pascal VOC, and read them back."""
    parts = {
        "start": draw_scenes(counts.start, seed=seed, shifted_share=0.0, prefix="start"),
        "field": draw_scenes(
            counts.field,
            seed=seed + 1_000_003,
            shifted_share=counts.shifted_share,
            prefix="field",
        ),
        START_LIKE: draw_scenes(
            counts.test, seed=seed + 2_000_003, shifted_share=0.0, prefix="test-start"
        ),
        FIELD_LIKE: draw_scenes(
            counts.test, seed=seed + 3_000_017, shifted_share=1.0, prefix="test-field"
        ),
    }
    files = {
        name: tuple(_write_scenes(folder / name, scenes, on_progress))
        for name, scenes in parts.items()
    }
    test = {tag: files[tag] for tag in (START_LIKE, FIELD_LIKE)}
    return Material(tuple(CATEGORIES), files["start"], files["field"], test)


def voc_material(folder: Path, *, start_count: int = 50) -> Material:
    """A Pascal VOC folder as the story's images, unaltered.

    The first ``start_count`` of ``train.txt`` are the start and its rest the field, ``val.txt`` is
    the test. Without lists a stable fifth, chosen by name, is the test. Raises InputError where
    one of the three is empty.
    """
    dataset = read_voc(folder)
    train, test = dataset.split("train"), dataset.split("val") or dataset.split("test")
    if not train or not test:
        test = tuple(image for image in dataset.images if _is_test(image.name))
        train = tuple(image for image in dataset.images if not _is_test(image.name))
    start, field = train[:start_count], train[start_count:]
    if not field or not test:
        raise InputError(
            f"{folder} has {len(train)} images to train on and {len(test)} to test: the story "
            f"needs more than {start_count} and at least one. Take a larger dataset."
        )
    return Material(dataset.categories, start, field, {"": test})


def _write_scenes(
    folder: Path, scenes: Iterator[Scene], on_progress: Progress
) -> Iterator[LabelledFile]:
    for scene in scenes:
        boxes = tuple(
            NamedBox(box.category, box.x, box.y, box.width, box.height) for box in scene.boxes
        )
        height, width = scene.image.shape[:2]
        jpeg = encode_jpeg(scene.image, quality=scene.jpeg_quality)
        write_voc(folder, scene.name, jpeg=jpeg, size=(width, height), boxes=boxes)
        on_progress(1)
        yield LabelledFile(scene.name, folder / "images" / f"{scene.name}.jpg", boxes)


def _is_test(name: str) -> bool:
    return hashlib.sha256(name.encode()).digest()[0] < 256 // 5
