"""Which images are meant."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, or_

from edgeloop.loop.db.expressions import Column, Holds, Tested
from edgeloop.loop.db.tables import DetectionsRow, ImageRow
from edgeloop.types import ImageState, Split


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """Which images are meant; None: no matter which.

    ``tags``: all of these. ``category``: annotated, or detected for sure; its id. ``received_to``
    is not included. With ``model_version`` confidence and detections are those of that model, and
    it has looked at the image; else those that came last.
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
    project_id: str, which: ImageFilter, *, walked: Column = ImageRow.received
) -> Sequence[ColumnElement[bool]]:
    """What is true of images that are meant.

    It is tested while the index of one column is ``walked``: no test is a reason to take another
    one, but a state alone in the usual order, which has an index of its own.
    """
    of_project = ImageRow.project_id == project_id
    if which.is_of_state_alone and which.state is not None and walked is ImageRow.received:
        return (of_project, ImageRow.state == which.state)
    return (of_project, *_tests(which, walked), *_seen(project_id, which, walked))


def of_model(
    project_id: str, which: ImageFilter, *, walked: Column
) -> Sequence[ColumnElement[bool]]:
    """What is true of the detections of an image that is meant, where a model is named."""
    confidences = (which.min_confidence, which.max_confidence)
    tests: list[ColumnElement[bool]] = [
        DetectionsRow.project_id == project_id,
        DetectionsRow.model_version == which.model_version,
        *_between(DetectionsRow.max_confidence, *confidences, walked=walked),
    ]
    if which.category is not None:
        found = (ImageRow.annotated, DetectionsRow.categories)
        tests.append(or_(*(Holds(column, which.category) for column in found)))
    return tests


def _tests(which: ImageFilter, walked: Column) -> Iterator[ColumnElement[bool]]:
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


def _seen(project_id: str, which: ImageFilter, walked: Column) -> Iterator[ColumnElement[bool]]:
    if which.model_version is not None:
        if walked is not DetectionsRow.max_confidence:
            of_image = DetectionsRow.number == ImageRow.number
            yield exists().where(of_image, *of_model(project_id, which, walked=walked))
        return
    confidences = (which.min_confidence, which.max_confidence)
    yield from _between(ImageRow.confidence, *confidences, walked=walked)
    if which.category is not None:
        found = (ImageRow.annotated, ImageRow.detected)
        yield or_(*(Holds(column, which.category) for column in found))


def _between(
    column: Column, lowest: float | None, highest: float | None, *, walked: Column
) -> Iterator[ColumnElement[bool]]:
    compared = _compared(column, walked)
    if lowest is not None:
        yield compared >= lowest
    if highest is not None:
        yield compared <= highest


def _compared(column: Column, walked: Column) -> ColumnElement[Any]:
    return column.expression if column is walked else Tested(column)
