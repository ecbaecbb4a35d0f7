"""What people say is in an image: replaced whole, counted by version."""

from dataclasses import dataclass, replace

from edgeloop.errors import Conflict, Unprocessable
from edgeloop.loop.db.tables import AnnotationsRow, ImageRow
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
        if current is not None:
            await workspace.session.delete(current)
            await workspace.session.flush()
        put(workspace, row.id, annotations=annotations, version=present + 1)
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


def put(workspace: Workspace, image_id: str, *, annotations: Annotations, version: int) -> None:
    """Keep these as the annotations of an image that has none."""
    workspace.session.add(
        AnnotationsRow(
            image_id=image_id,
            version=version,
            shapes=annotations_to_json(annotations),
            author=workspace.caller.username,
            updated=workspace.clock(),
        )
    )


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


def _check_categories(annotations: Annotations, project: Project) -> None:
    if of_categories(annotations, project=project) != annotations:
        raise Unprocessable(
            f"A category of the annotations is not one of {project.address}: use the project's ids."
        )
