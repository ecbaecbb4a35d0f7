"""The labelling round: frames from the inbox are answered as a person would answer them."""

from collections.abc import Callable, Mapping, Sequence

from edgeloop.client.calls.annotations import annotate
from edgeloop.client.calls.image_queries import ImageQuery
from edgeloop.client.calls.images import image_detections, images
from edgeloop.client.calls.records import ProjectRecord
from edgeloop.client.importing import annotations_of
from edgeloop.demo.stage import Stage
from edgeloop.formats import LabelledFile
from edgeloop.types import Detections, ImageRecord, ImageState

Progress = Callable[[int], None]


def images_in(stage: Stage, project: ProjectRecord, state: ImageState) -> list[ImageRecord]:
    """All images of a project in one state, oldest first."""
    found: list[ImageRecord] = []
    after: str | None = None
    while True:
        page = stage.send(images(project.id, ImageQuery(state), after=after))
        found.extend(item.to_record() for item in page.items)
        if page.next is None:
            return found
        after = page.next


def most_uncertain(
    stage: Stage,
    waiting: Sequence[ImageRecord],
    *,
    band: tuple[float, float],
    budget: int | None,
) -> list[ImageRecord]:
    """The ``budget`` images with the most detections whose confidence lies in ``band``."""
    if budget is None or len(waiting) <= budget:
        return list(waiting)

    def uncertain_count(image: ImageRecord) -> int:
        seen = stage.send(image_detections(image.id))
        return max((_in_band(detections, band) for detections in seen.values()), default=0)

    return sorted(waiting, key=uncertain_count, reverse=True)[:budget]


def label(
    stage: Stage,
    project: ProjectRecord,
    chosen: Sequence[ImageRecord],
    *,
    truth: Mapping[str, LabelledFile],
    on_progress: Progress,
) -> None:
    """Give each image its true boxes, found by its frame id, and put it into the training split.

    The test split of the story stays the one that no model has ever seen.
    """
    ids = project.category_ids()
    for image in chosen:
        annotations = annotations_of(truth[image.frame_id], ids)
        stage.send(annotate(image.id, annotations, state="complete", split="train"))
        on_progress(1)


def _in_band(detections: Detections, band: tuple[float, float]) -> int:
    low, high = band
    return sum(low <= confidence <= high for confidence in detections.confidences)
