"""``edgeloop image``: list, show, tag and delete images, and the history of their annotations."""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Annotated, Any

import typer

from edgeloop.cli import annotations, transfers
from edgeloop.cli.choosing import choosing
from edgeloop.cli.connecting import connected
from edgeloop.cli.console import stderr
from edgeloop.cli.options import find_project
from edgeloop.cli.tables import AsJson, show, show_json, show_one
from edgeloop.cli.telling import tell
from edgeloop.client import LoopClient, items
from edgeloop.client.calls import annotations as annotation_calls
from edgeloop.client.calls import images as calls
from edgeloop.client.calls.image_queries import EVERYTHING, Chosen, ImageChange, ImageQuery
from edgeloop.client.calls.image_records import AnnotationVersion, BulkOutcome, ImageDetails
from edgeloop.client.calls.images import Sort
from edgeloop.client.calls.records import ProjectRecord
from edgeloop.errors import InputError
from edgeloop.protocol.payloads.detections import detections_to_json
from edgeloop.types import Detections, ImageState, Split

app = typer.Typer(help="The images of a project.", no_args_is_help=True)
app.command("upload")(connected(transfers.upload))
app.command("download")(connected(choosing(transfers.download)))
app.command("annotations")(connected(annotations.list_annotations))
app.command("annotate")(connected(annotations.annotate))

Project = Annotated[str, typer.Argument(metavar="ORG/PROJECT")]
ImageId = Annotated[str, typer.Argument(metavar="IMAGE_ID")]
TagNames = Annotated[list[str], typer.Argument(metavar="TAG...")]
Ids = Annotated[
    list[str] | None, typer.Option("--id", help="This image, whatever the filters. Repeatable.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_COLUMNS: Mapping[str, Callable[[ImageDetails], Any]] = {
    "id": lambda image: image.id,
    "state": lambda image: image.state,
    "set": lambda image: image.set,
    "camera": lambda image: image.camera_id,
    "source": lambda image: image.source,
    "received": lambda image: image.received[:19],
    "confidence": lambda image: image.confidence,
    "tags": lambda image: ", ".join(image.tags),
    "frame": lambda image: image.frame_id,
}
_MORE: Mapping[str, Callable[[ImageDetails], Any]] = {
    "created": lambda image: image.created,
    "size": lambda image: f"{image.width} x {image.height} pixels, {image.size_bytes} bytes",
    "novelty": lambda image: image.novelty,
    "annotations": lambda image: len(image.annotations),
    "version": lambda image: image.annotation_version,
}
_VERSION_COLUMNS: Mapping[str, Callable[[AnnotationVersion], Any]] = {
    "version": lambda version: version.version,
    "author": lambda version: version.author,
    "created": lambda version: version.created[:19],
    "shapes": lambda version: len(version.to_annotations()),
}


@app.command("list")
@connected
@choosing
def list_images(
    client: LoopClient,
    project: Project,
    query: ImageQuery,
    sort: Annotated[
        Sort, typer.Option(help="The order; with a minus newest or highest first.")
    ] = "received",
    limit: Annotated[int, typer.Option(min=1, help="Up to so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List images, the oldest first unless sorted otherwise."""
    record = find_project(client, project)
    found = list(transfers.images_of(client, record.id, query, sort=sort, limit=limit))
    show(found, _COLUMNS, as_json=as_json)
    if not as_json and len(found) == limit:
        total = client.send(calls.image_count(record.id, query))
        if total > limit:
            stderr.print(f"{limit} of {total} images; --limit shows more.", highlight=False)


@app.command()
@connected
@choosing
def facets(
    client: LoopClient, project: Project, query: ImageQuery, as_json: AsJson = False
) -> None:
    """Count images by state, set, tag, source, camera and model."""
    record = find_project(client, project)
    found = client.send(calls.image_facets(record.id, query))
    rows = [
        {"kind": kind, "value": value, "images": count}
        for kind, counts in found.model_dump().items()
        for value, count in sorted(counts.items(), key=lambda item: -int(item[1]))
    ]
    show(rows, {name: itemgetter(name) for name in ("kind", "value", "images")}, as_json=as_json)


@app.command("show")
@connected
def show_image(client: LoopClient, image_id: ImageId, as_json: AsJson = False) -> None:
    """Show all that is known of one image."""
    shown = client.send(calls.image(image_id))
    seen = client.send(calls.image_detections(image_id))
    if as_json:
        detections = [
            {"model_version": version, **detections_to_json(found)}
            for version, found in seen.items()
        ]
        show_json({**shown.model_dump(mode="json"), "detections": detections})
        return
    detected = {f"detected by {version}": _number_of(found) for version, found in seen.items()}
    show_one(shown, {**_COLUMNS, **_MORE, **detected}, as_json=False)


@app.command()
@connected
@choosing
def tag(
    client: LoopClient,
    project: Project,
    names: TagNames,
    query: ImageQuery,
    ids: Ids = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Add tags to the images that are chosen."""
    selection = _Selection(client, project, query, ids)
    selection.change(
        f"get {', '.join(names)}", ImageChange(add_tags=tuple(names)), yes=yes, as_json=as_json
    )


@app.command()
@connected
@choosing
def untag(
    client: LoopClient,
    project: Project,
    names: TagNames,
    query: ImageQuery,
    ids: Ids = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove tags from the images that are chosen."""
    selection = _Selection(client, project, query, ids)
    selection.change(
        f"lose {', '.join(names)}", ImageChange(remove_tags=tuple(names)), yes=yes, as_json=as_json
    )


@app.command("state")
@connected
@choosing
def set_state(
    client: LoopClient,
    project: Project,
    new_state: Annotated[ImageState, typer.Argument(metavar="STATE")],
    query: ImageQuery,
    ids: Ids = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Move the images that are chosen to another state."""
    selection = _Selection(client, project, query, ids)
    selection.change(f"move to {new_state}", ImageChange(state=new_state), yes=yes, as_json=as_json)


@app.command("set")
@connected
@choosing
def set_split(
    client: LoopClient,
    project: Project,
    new_set: Annotated[Split, typer.Argument(metavar="SET")],
    query: ImageQuery,
    ids: Ids = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Move the images that are chosen to another set: train, test or val."""
    selection = _Selection(client, project, query, ids)
    selection.change(
        f"move to the set {new_set}", ImageChange(split=new_set), yes=yes, as_json=as_json
    )


@app.command()
@connected
@choosing
def delete(
    client: LoopClient,
    project: Project,
    query: ImageQuery,
    ids: Ids = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete the images that are chosen for good; the state trash is a softer way."""
    selection = _Selection(client, project, query, ids)
    chosen = selection.confirmed("are deleted for good", yes=yes)
    outcome = client.send(calls.delete_images(selection.project.id, chosen))
    _report(outcome, "Deleted", as_json=as_json)


@app.command("history")
@connected
def history(
    client: LoopClient,
    image_id: ImageId,
    restore: Annotated[
        int | None, typer.Option(metavar="VERSION", help="Make this version the newest again.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the versions of an image's annotations, or restore one."""
    if restore is not None:
        image = client.send(annotation_calls.restore_annotations(image_id, restore))
        said = f"Version {restore} is version {image.annotation_version} now."
        tell(image, said, as_json=as_json)
        return
    found = items(client, annotation_calls.annotation_history(image_id, limit=1000))
    show(list(found), _VERSION_COLUMNS, as_json=as_json)


class _Selection:
    """The images that a command is about."""

    def __init__(
        self, client: LoopClient, project: str, query: ImageQuery, ids: list[str] | None
    ) -> None:
        if ids is None and query == EVERYTHING:
            raise InputError("Which images? Name them by --id, or by a filter such as --state.")
        self.project: ProjectRecord = find_project(client, project)
        self._client = client
        self._query = query
        self._ids = ids

    def change(self, what: str, change: ImageChange, *, yes: bool, as_json: bool) -> None:
        """Change them, if the user agrees."""
        chosen = self.confirmed(what, yes=yes)
        outcome = self._client.send(calls.change_images(self.project.id, chosen, change))
        _report(outcome, "Changed", as_json=as_json)

    def confirmed(self, what: str, *, yes: bool) -> Chosen:
        """The images, after the user was asked about a number that he could not know."""
        if self._ids is not None:
            return Chosen(tuple(self._ids))
        count = self._client.send(calls.image_count(self.project.id, self._query))
        if count and not yes:
            typer.confirm(f"{count} images {what}. Go on?", abort=True, err=True)
        return Chosen(None, self._query, count)


def _number_of(detections: Detections) -> Callable[[ImageDetails], int]:
    return lambda _: len(detections)


def _report(outcome: BulkOutcome, done: str, *, as_json: bool) -> None:
    said = f"{done} {outcome.changed} images."
    if outcome.unchanged:
        said += f"\n{outcome.unchanged} were so already."
    tell(outcome, said, as_json=as_json)
    if outcome.missing:
        raise InputError(f"There is no image {', '.join(outcome.missing)}.")
