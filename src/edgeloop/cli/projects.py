"""``edgeloop project``: create, list, show, open to devices, close, delete; formats."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import typer

from edgeloop.cli import categories, organizations
from edgeloop.cli.categories import CATEGORY_TYPES, category_of
from edgeloop.cli.connecting import connected
from edgeloop.cli.console import stdout
from edgeloop.cli.options import find_project, split_project
from edgeloop.cli.tables import AsJson, show, show_one
from edgeloop.cli.telling import tell
from edgeloop.client import LoopClient, items
from edgeloop.client.calls.projects import (
    create_project,
    delete_project,
    projects,
    update_project,
)
from edgeloop.client.calls.records import ProjectRecord

app = typer.Typer(help="The projects of a loop.", no_args_is_help=True)
app.add_typer(categories.app, name="category")
app.add_typer(organizations.app, name="organization")
Project = Annotated[str, typer.Argument(metavar="ORG/PROJECT")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

_COLUMNS: Mapping[str, Callable[[ProjectRecord], Any]] = {
    "project": lambda project: f"{project.organization}/{project.name}",
    "categories": lambda project: ", ".join(category.name for category in project.categories),
    "inbox": lambda project: project.image_counts.get("inbox", 0),
    "annotate": lambda project: project.image_counts.get("annotate", 0),
    "review": lambda project: project.image_counts.get("review", 0),
    "complete": lambda project: project.image_counts.get("complete", 0),
    "devices": lambda project: "open" if project.open_to_devices else "same host only",
}
_FACTS: Mapping[str, Callable[[ProjectRecord], Any]] = {
    "id": lambda project: project.id,
    **_COLUMNS,
    "trash": lambda project: project.image_counts.get("trash", 0),
    "validation set": lambda project: project.has_val_split,
    "wanted formats": lambda project: ", ".join(project.wanted_formats),
    "promoted model": lambda project: project.promoted_model_id,
    "created": lambda project: project.created[:19],
}


@app.command()
@connected
def create(
    client: LoopClient,
    project: Project,
    category: Annotated[
        list[str],
        typer.Option(help=f"A category's name, or NAME:TYPE ({CATEGORY_TYPES}). Repeatable."),
    ],
    open_to_devices: Annotated[
        bool, typer.Option(help="Let detectors of other hosts in without a login.")
    ] = False,
    val_split: Annotated[
        bool, typer.Option(help="Put 10 % of the images aside for validation.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Create a project with its categories."""
    organization, name = split_project(project)
    made = client.send(
        create_project(
            organization,
            name,
            [category_of(text) for text in category],
            open_to_devices=open_to_devices,
            has_val_split=val_split,
        )
    )
    tell(made, f"Created {project} with {len(category)} categories.", as_json=as_json)


@app.command("list")
@connected
def list_projects(client: LoopClient, as_json: AsJson = False) -> None:
    """List all projects with their number of images by state."""
    show(list(items(client, projects())), _COLUMNS, as_json=as_json)


@app.command("show")
@connected
def show_project(client: LoopClient, project: Project, as_json: AsJson = False) -> None:
    """Show one project."""
    show_one(find_project(client, project), _FACTS, as_json=as_json)


@app.command("open")
@connected
def open_project(client: LoopClient, project: Project, as_json: AsJson = False) -> None:
    """Let detectors of other hosts upload and fetch models without a login."""
    record = find_project(client, project)
    changed = client.send(update_project(record.id, open_to_devices=True))
    tell(changed, f"{project} is open to devices.", as_json=as_json)


@app.command("close")
@connected
def close_project(client: LoopClient, project: Project, as_json: AsJson = False) -> None:
    """Let only those in who log in, and detectors of the loop's own host."""
    record = find_project(client, project)
    changed = client.send(update_project(record.id, open_to_devices=False))
    tell(changed, f"{project} is closed to devices of other hosts.", as_json=as_json)


@app.command("val-split")
@connected
def split_for_validation(
    client: LoopClient,
    project: Project,
    wanted: Annotated[Literal["on", "off"], typer.Argument(metavar="on|off")],
    as_json: AsJson = False,
) -> None:
    """Put 10 % of the images that come from now on aside for validation, or no more."""
    record = find_project(client, project)
    changed = client.send(update_project(record.id, has_val_split=wanted == "on"))
    share = "10 % of its new images" if changed.has_val_split else "no new images"
    tell(changed, f"{project} puts {share} aside for validation.", as_json=as_json)


@app.command("delete")
@connected
def remove_project(client: LoopClient, project: Project, yes: Yes = False) -> None:
    """Delete a project with its images, trainings and models, for good."""
    record = find_project(client, project)
    if not yes:
        count = sum(record.image_counts.values())
        said = f"Delete {project} for good, with {count} images and all models?"
        typer.confirm(said, abort=True, err=True)
    client.send(delete_project(record.id))
    stdout.print(f"Deleted {project}.", highlight=False)


@app.command("formats")
@connected
def want_formats(
    client: LoopClient,
    project: Project,
    formats: Annotated[
        list[str] | None, typer.Argument(metavar="FORMAT...", help="Instead of those before.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Want none any more.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say which formats every model shall have; converters make the missing ones."""
    record = find_project(client, project)
    if formats or none:
        record = client.send(update_project(record.id, wanted_formats=formats or []))
    wanted = ", ".join(record.wanted_formats) or "no format in particular"
    tell(record, f"Every model of {project} shall have {wanted}.", as_json=as_json)
