"""``edgeloop import``: datasets in files -> a project."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from edgeloop.cli.connecting import connected
from edgeloop.cli.console import progress_bar, stderr
from edgeloop.cli.options import find_project
from edgeloop.cli.tables import AsJson
from edgeloop.cli.telling import tell
from edgeloop.client import LoopClient
from edgeloop.client.calls.images import image_ids
from edgeloop.client.importing import ImportWish, check_files, import_files
from edgeloop.formats import LabelledFolder, read_voc

app = typer.Typer(help="Bring labelled images into a project.", no_args_is_help=True)


@app.callback()
def choose() -> None:
    """Bring labelled images into a project."""


@app.command()
@connected
def voc(
    client: LoopClient,
    folder: Annotated[Path, typer.Argument(help="A Pascal VOC folder.")],
    project: Annotated[str, typer.Option(metavar="ORG/PROJECT")],
    tag: Annotated[list[str] | None, typer.Option(help="A tag for all images.")] = None,
    as_json: AsJson = False,
) -> None:
    """Import a Pascal VOC folder; its images become complete with their boxes."""
    dataset = read_voc(folder)
    wish = ImportWish(tags=tuple(tag or ()), source=folder.resolve().name)
    record = find_project(client, project)
    with progress_bar() as bar:
        checking = bar.add_task("checking", total=len(dataset.images))
        outside = check_files(
            dataset.images, record, on_progress=lambda n: bar.advance(checking, n)
        )
        sending = bar.add_task("uploading", total=len(dataset.images))
        before = set(client.send(image_ids(record.organization, record.name)))
        sent = import_files(
            client,
            record,
            dataset.images,
            wish=wish,
            on_progress=lambda n: bar.advance(sending, n),
        )
    _report(dataset, project, outside, known=len(before.intersection(sent)), as_json=as_json)


def _report(
    dataset: LabelledFolder, project: str, outside: Sequence[str], *, known: int, as_json: bool
) -> None:
    faults = [*dataset.faults, *outside]
    boxes = sum(len(image.boxes) for image in dataset.images) - len(outside)
    empty = sum(not image.boxes for image in dataset.images)
    said = [f"Imported {len(dataset.images)} images with {boxes} boxes into {project}."]
    if known:
        said.append(f"{known} of them were there already and stay as they are.")
    if empty:
        said.append(f"{empty} images have no box: they count as showing nothing.")
    counts = {"images": len(dataset.images), "boxes": boxes, "repeated": known, "empty": empty}
    tell({**counts, "faults": faults}, "\n".join(said), as_json=as_json)
    if faults and not as_json:
        stderr.print(f"Left out {len(faults)} broken parts:")
        for fault in faults:
            stderr.print(f"  {fault}", highlight=False, markup=False, soft_wrap=True)
