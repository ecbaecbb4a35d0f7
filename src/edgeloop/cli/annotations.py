"""``edgeloop image annotations|annotate``: what people say is in an image, out and in."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, TypeAlias

import typer

from edgeloop.cli.options import find_project
from edgeloop.cli.tables import AsJson, show
from edgeloop.cli.telling import tell
from edgeloop.client import LoopClient
from edgeloop.client.calls import annotations as calls
from edgeloop.client.calls.records import ProjectRecord
from edgeloop.errors import InputError
from edgeloop.protocol.payloads.annotations import AnnotationsPayload
from edgeloop.types import Annotations, ImageState, Split

Project = Annotated[str, typer.Argument(metavar="ORG/PROJECT")]
ImageId = Annotated[str, typer.Argument(metavar="IMAGE_ID")]
Line: TypeAlias = tuple[str, str, str]
_COLUMNS: Mapping[str, Callable[[Line], Any]] = {
    "kind": lambda line: line[0],
    "category": lambda line: line[1],
    "where": lambda line: line[2],
}


def list_annotations(
    client: LoopClient, project: Project, image_id: ImageId, as_json: AsJson = False
) -> None:
    """Show what people say is in an image; as JSON just what annotate takes."""
    names = {category.id: category.name for category in find_project(client, project).categories}
    found = client.send(calls.annotations(image_id))
    if as_json:
        tell(found, "", as_json=True)
    else:
        show(list(_lines(found.to_annotations(), names)), _COLUMNS, as_json=False)


def annotate(
    client: LoopClient,
    project: Project,
    image_id: ImageId,
    file: Annotated[
        typer.FileText, typer.Argument(help="JSON as annotations writes it, or - for stdin.")
    ],
    state: Annotated[ImageState | None, typer.Option(help="The image's new state.")] = None,
    split: Annotated[Split | None, typer.Option("--set", help="Its new set.")] = None,
    as_json: AsJson = False,
) -> None:
    """Replace the annotations of an image by those of a file.

    Categories are said by category_id or category_name. Where the file has a version, it must
    still be the newest: nothing that others did meanwhile is lost.
    """
    record = find_project(client, project)
    document = _document(file)
    made = _annotations(document, record)
    call = calls.annotate(image_id, made, state=state, split=split, version=document.get("version"))
    image = client.send(call)
    sentence = f"Version {image.annotation_version} has {len(made)} annotations."
    tell(image, sentence, as_json=as_json)


def _document(file: typer.FileText) -> dict[str, Any]:
    try:
        found = json.load(file)
    except ValueError as error:
        raise InputError(f"{file.name} is not JSON ({error}).") from error
    if not isinstance(found, dict):
        raise InputError(f'{file.name} is no object: write {{"box_annotations": [...]}}.')
    return found


def _annotations(document: Mapping[str, Any], project: ProjectRecord) -> Annotations:
    """The annotations of a file; raises InputError where a category is none of the project."""
    sent = AnnotationsPayload.read(document)
    shapes = [*sent.box_annotations, *sent.point_annotations, *sent.segmentation_annotations]
    whole = sent.classification_annotation
    ids = project.category_ids()
    for item in [*shapes, *([whole] if whole else [])]:
        if (item.category_id or ids.get(item.category_name)) not in ids.values():
            said = item.category_id or item.category_name or "none"
            known = ", ".join(ids)
            raise InputError(f"The project has no category {said}: name one of {known}.")
    return sent.to_annotations(ids)


def _lines(made: Annotations, names: Mapping[str, str]) -> Iterator[Line]:
    for box in made.boxes:
        place = f"{box.x:g}, {box.y:g}, {box.width:g} x {box.height:g}"
        yield "box", names.get(box.category_id, box.category_id), place
    for point in made.points:
        yield "point", names.get(point.category_id, point.category_id), f"{point.x:g}, {point.y:g}"
    for shape in made.segmentations:
        place = f"{len(shape.points)} corners"
        yield "segmentation", names.get(shape.category_id, shape.category_id), place
    if made.classification:
        yield "classification", names.get(made.classification, made.classification), ""
