"""Which images are meant."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, or_, select

from edgeloop.loop.db.expressions import Column, Holds, Tested
from edgeloop.loop.db.tables import DetectionsRow, ImageRow
from edgeloop.types import ImageState, Split


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """Which images are meant; None: no matter which.

    ``tags``: all of these. ``category``: annotated, or detected for sure; its id. ``received_to``
    is not included. With ``model_version`` that model has looked at the image, and confidence and
    category are of what it detected; else of what was detected last.
    """

    state: ImageState | None = None
    split: Split | None = None
    tags: tuple[str, ...] = ()
    category: str | None = None
    camera: str | None = None
    source: str | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None
    min_confidence: float | None = None
    max_confidence: float | None = None
    model_version: str | None = None
    frame_id: str | None = None

    @property
    def is_of_state_alone(self) -> bool:
        """Whether at most the state matters."""
        return self == ImageFilter(self.state)


ALL = ImageFilter()


def conditions(
    project_id: str,
    which: ImageFilter,
    *,
    walked: Column = ImageRow.received,
    is_rare: bool = True,
) -> Sequence[ColumnElement[bool]]:
    """What is true of images that are meant.

    It is tested while the index of one column is ``walked``: no test is a reason to take another
    one, but a state alone in the usual order, which has an index of its own. ``is_rare``: whether
    the model that is named detected what is meant in few images, or all are walked in any case.
    """
    of_project = ImageRow.project_id == project_id
    if which.is_of_state_alone and which.state is not None and walked is ImageRow.received:
        return (of_project, ImageRow.state == which.state)
    if which.model_version is None:
        seen = _seen(which, walked)
    else:
        seen = _seen_by(project_id, which, is_rare=is_rare)
    return (of_project, *_facts(which, walked), *seen)


def conditions_of_model(project_id: str, which: ImageFilter) -> Sequence[ColumnElement[bool]]:
    """What is true of the detections of images that are meant, where a model is named.

    It is tested while the model's detections are walked by their confidence.
    """
    tests = [*detected_by(project_id, which)]
    if facts := [*_facts(which, DetectionsRow.max_confidence)]:
        meant = select(ImageRow.number).where(ImageRow.project_id == project_id, *facts)
        tests.append(Tested(DetectionsRow.number).in_(meant))
    return tests


def detected_by(
    project_id: str, which: ImageFilter, *, walked: Column | None = DetectionsRow.max_confidence
) -> Sequence[ColumnElement[bool]]:
    """What is true of the detections of the model that is named."""
    confidences = (which.min_confidence, which.max_confidence)
    tests: list[ColumnElement[bool]] = [
        DetectionsRow.project_id == project_id,
        DetectionsRow.model_version == which.model_version,
        *_between(DetectionsRow.max_confidence, *confidences, walked=walked),
    ]
    if which.category is not None:
        tests.append(Holds(DetectionsRow.categories, which.category))
    return tests


def _facts(which: ImageFilter, walked: Column) -> Iterator[ColumnElement[bool]]:
    for column, wanted in (
        (ImageRow.state, which.state),
        (ImageRow.split, which.split),
        (ImageRow.camera_id, which.camera),
        (ImageRow.source, which.source),
    ):
        if wanted is not None:
            yield Tested(column) == wanted
    if which.frame_id is not None:
        yield ImageRow.frame_id == which.frame_id  # there is one at most
    yield from (Holds(ImageRow.tags, tag) for tag in which.tags)
    received = _compared(ImageRow.received, walked)
    if which.received_from is not None:
        yield received >= which.received_from
    if which.received_to is not None:
        yield received < which.received_to


def _seen(which: ImageFilter, walked: Column) -> Iterator[ColumnElement[bool]]:
    """What was detected last."""
    confidences = (which.min_confidence, which.max_confidence)
    yield from _between(ImageRow.confidence, *confidences, walked=walked)
    if which.category is not None:
        found = (ImageRow.annotated, ImageRow.detected)
        yield or_(*(Holds(column, which.category) for column in found))


def _seen_by(
    project_id: str, which: ImageFilter, *, is_rare: bool
) -> Iterator[ColumnElement[bool]]:
    """What one model detected.

    Where that is rare its images are gathered first: else many images are tested for each that is
    found. Where it is not the next one is soon found, and gathering would take longer.
    """
    if is_rare:
        detected = detected_by(project_id, which)
        yield Tested(ImageRow.number).in_(select(DetectionsRow.number).where(*detected))
    else:
        detected = detected_by(project_id, which, walked=None)
        yield exists().where(DetectionsRow.number == ImageRow.number, *detected)


def _between(
    column: Column, lowest: float | None, highest: float | None, *, walked: Column | None
) -> Iterator[ColumnElement[bool]]:
    compared = _compared(column, walked)
    if lowest is not None:
        yield compared >= lowest
    if highest is not None:
        yield compared <= highest


def _compared(column: Column, walked: Column | None) -> ColumnElement[Any]:
    return column.expression if column is walked else Tested(column)
