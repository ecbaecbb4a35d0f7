"""``edgeloop project``: create, list, open to devices, close; categories and formats."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from edgeloop.cli import categories
from edgeloop.cli.categories import category_of
from edgeloop.cli.connecting import connected
from edgeloop.cli.console import stdout
from edgeloop.cli.options import (
    Loop,
    Password,
    Username,
    client_settings,
    find_project,
    split_project,
)
from edgeloop.cli.tables import AsJson, show
from edgeloop.client import LoopClient
from edgeloop.client.calls.projects import create_project, projects, update_project
from edgeloop.client.calls.records import ProjectRecord

app = typer.Typer(help="The projects of a loop.", no_args_is_help=True)
app.add_typer(categories.app, name="category")
Project = Annotated[str, typer.Argument(metavar="ORG/PROJECT")]

_COLUMNS: Mapping[str, Callable[[ProjectRecord], Any]] = {
    "project": lambda project: f"{project.organization}/{project.name}",
    "categories": lambda project: ", ".join(category.name for category in project.categories),
    "inbox": lambda project: project.image_counts.get("inbox", 0),
    "annotate": lambda project: project.image_counts.get("annotate", 0),
    "review": lambda project: project.image_counts.get("review", 0),
    "complete": lambda project: project.image_counts.get("complete", 0),
    "devices": lambda project: "open" if project.open_to_devices else "same host only",
}


@app.command()
def create(
    project: Project,
    category: Annotated[
        list[str], typer.Option(help="A category's name, or NAME:TYPE (box, point). Repeatable.")
    ],
    open_to_devices: Annotated[
        bool, typer.Option(help="Let detectors of other hosts in without a login.")
    ] = False,
    val_split: Annotated[
        bool, typer.Option(help="Put 10 % of the images aside for validation.")
    ] = False,
    loop: Loop = None,
    username: Username = None,
    password: Password = None,
) -> None:
    """Create a project with its categories."""
    organization, name = split_project(project)
    with LoopClient(client_settings(loop, username, password)) as client:
        client.send(
            create_project(
                organization,
                name,
                [category_of(text) for text in category],
                open_to_devices=open_to_devices,
                has_val_split=val_split,
            )
        )
    stdout.print(f"Created {project} with {len(category)} categories.")


@app.command("list")
@connected
def list_projects(client: LoopClient, as_json: AsJson = False) -> None:
    """List all projects with their number of images by state."""
    show(client.send(projects()).items, _COLUMNS, as_json=as_json)


@app.command("open")
def open_project(
    project: Project, loop: Loop = None, username: Username = None, password: Password = None
) -> None:
    """Let detectors of other hosts upload and fetch models without a login."""
    _set_open(project, open_to_devices=True, connection=(loop, username, password))
    stdout.print(f"{project} is open to devices.")


@app.command("close")
def close_project(
    project: Project, loop: Loop = None, username: Username = None, password: Password = None
) -> None:
    """Let only those in who log in, and detectors of the loop's own host."""
    _set_open(project, open_to_devices=False, connection=(loop, username, password))
    stdout.print(f"{project} is closed to devices of other hosts.")


@app.command("formats")
@connected
def want_formats(
    client: LoopClient,
    project: Project,
    formats: Annotated[
        list[str] | None, typer.Argument(metavar="FORMAT...", help="Instead of those before.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Want none any more.")] = False,
) -> None:
    """Say which formats every model shall have; converters make the missing ones."""
    record = find_project(client, project)
    if formats or none:
        record = client.send(update_project(record.id, wanted_formats=formats or []))
    wanted = ", ".join(record.wanted_formats) or "no format in particular"
    stdout.print(f"Every model of {project} shall have {wanted}.", highlight=False)


def _set_open(
    project: str, *, open_to_devices: bool, connection: tuple[str | None, str | None, str | None]
) -> None:
    with LoopClient(client_settings(*connection)) as client:
        record = find_project(client, project)
        client.send(update_project(record.id, open_to_devices=open_to_devices))
