"""What people say is in an image: replaced whole, counted by version, kept in its history."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import insert

from edgeloop.errors import Conflict, Unprocessable
from edgeloop.loop.db.tables import AnnotationHistoryRow, AnnotationsRow, ImageRow
from edgeloop.loop.services import images
from edgeloop.loop.services.images import Image
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.shapes import Canvas
from edgeloop.loop.services.workspace import Workspace
from edgeloop.protocol.payloads.annotations import annotations_to_json
from edgeloop.types import Annotations, ImageState, SegmentationAnnotation, Split


@dataclass(frozen=True, slots=True)
class Change:
    """What of an image is to be changed; ``version`` is that of the annotations one has seen."""

    annotations: Annotations | None = None
    state: ImageState | None = None
    split: Split | None = None
    version: int | None = None


async def annotate(
    workspace: Workspace, project: Project, *, image: Image, change: Change
) -> Image:
    """Change an image of the project.

    Raises Conflict where somebody else has changed its annotations meanwhile, Unprocessable for a
    category that the project does not have.
    """
    row = await workspace.session.get_one(ImageRow, image.record.id)
    current = await workspace.session.get(AnnotationsRow, row.id)
    present = current.version if current else 0
    if change.version is not None and change.version != present:
        raise Conflict(
            f"The annotations of image {row.id} have version {present}, not {change.version}: "
            "load the image again."
        )
    if change.annotations is not None:
        _check_categories(change.annotations, project)
        annotations = Canvas(row.width, row.height).cut_annotations(change.annotations)
        _replace(workspace, row.id, current, annotations)
        row.annotated = categories_of(annotations)
    row.state = change.state or row.state
    row.split = change.split or row.split
    await workspace.session.flush()
    return await images.by_id(workspace, row.id)


async def put_segmentation(
    workspace: Workspace, project: Project, *, image_id: str, made: SegmentationAnnotation
) -> Image:
    """Add a polygon to an image of the project, or put it in the place of the one with its id.

    Without an area it takes that one away. Raises NotFound, and Unprocessable as ``annotate`` does.
    """
    image = await images.in_project(workspace, project, image_id=image_id)
    present = image.record.annotations
    kept = tuple(s for s in present.segmentations if not made.id or s.id != made.id)
    new = (made,) if len(made.points) > 2 else ()
    if kept + new == present.segmentations:
        return image
    changed = replace(present, segmentations=kept + new)
    return await annotate(workspace, project, image=image, change=Change(changed))


async def add(workspace: Workspace, annotations: Mapping[str, Annotations]) -> None:
    """Keep annotations of images that have none, by image id."""
    if not annotations:
        return
    now = workspace.clock()
    rows = [
        {
            "image_id": image_id,
            "version": 1,
            "shapes": annotations_to_json(found),
            "author": workspace.caller.username,
            "updated": now,
        }
        for image_id, found in annotations.items()
    ]
    await workspace.session.execute(insert(AnnotationsRow), rows)


def categories_of(annotations: Annotations) -> tuple[str, ...]:
    """The ids of the categories that occur, each once."""
    found = {
        *(box.category_id for box in annotations.boxes),
        *(point.category_id for point in annotations.points),
        *(polygon.category_id for polygon in annotations.segmentations),
    }
    whole = {annotations.classification} if annotations.classification else set()
    return tuple(sorted(found | whole))


def of_categories(annotations: Annotations, *, project: Project) -> Annotations:
    """Only the annotations of categories that the project has."""
    known = {category.id for category in project.categories}
    return replace(
        annotations,
        boxes=tuple(box for box in annotations.boxes if box.category_id in known),
        points=tuple(point for point in annotations.points if point.category_id in known),
        segmentations=tuple(s for s in annotations.segmentations if s.category_id in known),
        classification=annotations.classification if annotations.classification in known else None,
    )


def _replace(
    workspace: Workspace, image_id: str, current: AnnotationsRow | None, new: Annotations
) -> None:
    row = current or AnnotationsRow(image_id=image_id, version=0)
    workspace.session.add(row)
    if current is not None:
        workspace.session.add(
            AnnotationHistoryRow(
                image_id=image_id,
                version=current.version,
                shapes=current.shapes,
                author=current.author,
                updated=current.updated,
            )
        )
    row.version += 1
    row.shapes = annotations_to_json(new)
    row.author = workspace.caller.username
    row.updated = workspace.clock()


def _check_categories(annotations: Annotations, project: Project) -> None:
    if of_categories(annotations, project=project) != annotations:
        raise Unprocessable(
            f"A category of the annotations is not one of {project.address}: use the project's ids."
        )
