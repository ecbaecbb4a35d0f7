"""Labelled files -> a project: every file is checked before the first one is sent."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from edgeloop.client.calls.images import upload_images
from edgeloop.client.calls.records import ProjectRecord
from edgeloop.client.http import LoopClient
from edgeloop.errors import ImageError, InputError
from edgeloop.formats import LabelledFile
from edgeloop.imaging import verify_jpeg
from edgeloop.types import Annotations, BoxAnnotation, ImageMetadata, ImageState, Split

T = TypeVar("T")
Progress = Callable[[int], None]
_BATCH = 20


@dataclass(frozen=True, slots=True)
class ImportWish:
    """How images enter the project; ``split`` None keeps each file's own, or the loop's choice."""

    state: ImageState = "complete"
    tags: tuple[str, ...] = ()
    split: Split | None = None
    source: str = "import"


def check_files(
    files: Sequence[LabelledFile], project: ProjectRecord, *, on_progress: Progress
) -> list[str]:
    """Decode every image and look up every category; ``on_progress(1)`` after each file.

    Names the boxes that have no pixel in their image: the loop will leave them out. Raises
    InputError where the project lacks a category, ImageError that names the corrupt files.
    """
    known = project.category_ids()
    missing = sorted({box.category for file in files for box in file.boxes} - set(known))
    if missing:
        address = f"{project.organization}/{project.name}"
        raise InputError(
            f"The project {address} has no category {', '.join(missing)}: add it first "
            f"('edgeloop project category add {address} NAME')."
        )
    corrupt: list[str] = []
    faults: list[str] = []
    for file in files:
        try:
            size = verify_jpeg(file.path.read_bytes())
        except ImageError as error:
            corrupt.append(f"{file.path}: {error}")
        else:
            faults += _boxes_outside(file, size)
        on_progress(1)
    if corrupt:
        raise ImageError(
            f"{len(corrupt)} of {len(files)} images cannot be read, so nothing was imported. "
            f"Repair or remove them, then import again. {' '.join(corrupt[:5])}"
        )
    return faults


def import_files(
    client: LoopClient,
    project: ProjectRecord,
    files: Sequence[LabelledFile],
    *,
    wish: ImportWish,
    on_progress: Progress,
) -> list[str]:
    """Upload files with their boxes, 20 at a time; answers the ids that the images have.

    One that is there already stays as it is: this may be repeated after a failure.
    ``on_progress`` is told how many were just uploaded.
    """
    ids = project.category_ids()
    image_ids: list[str] = []
    for batch in batches(files, _BATCH):
        pairs = [_labelled(file, ids, wish) for file in batch]
        call = upload_images(project.organization, project.name, pairs, login=True)
        image_ids += client.send(call)
        on_progress(len(batch))
    return image_ids


def annotations_of(file: LabelledFile, category_ids: Mapping[str, str]) -> Annotations:
    """A file's boxes with the project's category ids."""
    return Annotations(
        boxes=tuple(
            BoxAnnotation(category_ids[box.category], box.x, box.y, box.width, box.height)
            for box in file.boxes
        )
    )


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of at most ``size``."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _boxes_outside(file: LabelledFile, size: tuple[int, int]) -> Iterator[str]:
    for number, box in enumerate(file.boxes, start=1):
        spans = ((box.x, box.width, size[0]), (box.y, box.height, size[1]))
        if not all(_has_pixels(*span) for span in spans):
            picture = f"{size[0]}x{size[1]}"
            yield f"{file.path.name}: box {number} ({box.category}) has no pixel in its {picture}."


def _has_pixels(start: float, length: float, room: int) -> bool:
    return min(round(start + length), room) > max(round(start), 0)


def _labelled(
    file: LabelledFile, category_ids: Mapping[str, str], wish: ImportWish
) -> tuple[ImageMetadata, bytes]:
    image = file.path.read_bytes()
    # Many datasets lie in folders of one name and number their files: names alone would clash.
    content = hashlib.sha256(image).hexdigest()[:16]
    metadata = ImageMetadata(
        frame_id=f"{wish.source}:{file.name}:{content}",
        annotations=annotations_of(file, category_ids),
        tags=wish.tags,
        source=wish.source,
        state=wish.state,
        split=wish.split or file.split,
    )
    return metadata, image
