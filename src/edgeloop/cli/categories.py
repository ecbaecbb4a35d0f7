"""``edgeloop project category``: what there is to be seen in a project's images."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args

import typer

from edgeloop.cli.connecting import connected
from edgeloop.cli.options import find_project
from edgeloop.cli.tables import AsJson, show
from edgeloop.cli.telling import tell
from edgeloop.client import LoopClient
from edgeloop.client.calls.projects import update_project
from edgeloop.errors import Conflict, InputError, NotFound
from edgeloop.protocol.payloads.categories import CategoryPayload
from edgeloop.types import CategoryType

app = typer.Typer(help="The categories of a project.", no_args_is_help=True)
Project = Annotated[str, typer.Argument(metavar="ORG/PROJECT")]
Color = Annotated[str | None, typer.Option(help="Its colour: #RRGGBB.")]
Hotkey = Annotated[str | None, typer.Option(help="The key that chooses it.")]
Description = Annotated[str | None, typer.Option(help="What it is.")]
PointSize = Annotated[int | None, typer.Option(min=0, help="A point's size in pixels.")]
CATEGORY_TYPES = ", ".join(get_args(CategoryType))

_COLUMNS: Mapping[str, Callable[[CategoryPayload], Any]] = {
    "name": lambda category: category.name,
    "type": lambda category: category.type,
    "color": lambda category: category.color,
    "hotkey": lambda category: category.hotkey,
    "point size": lambda category: category.point_size,
    "description": lambda category: category.description,
}


@app.command("list")
@connected
def list_categories(client: LoopClient, project: Project, as_json: AsJson = False) -> None:
    """List the categories of a project, in their order."""
    show(find_project(client, project).categories, _COLUMNS, as_json=as_json)


@app.command()
@connected
def add(
    client: LoopClient,
    project: Project,
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME[:TYPE]...", help=f"TYPE: {CATEGORY_TYPES} [default: box]."),
    ],
    as_json: AsJson = False,
) -> None:
    """Add categories to a project."""
    record = find_project(client, project)
    wishes = [category_of(text) for text in names]
    taken = [wish["name"] for wish in wishes if wish["name"] in record.category_ids()]
    if taken:
        raise Conflict(f"{project} has a category {', '.join(taken)} already.")
    changed = client.send(update_project(record.id, categories=wishes))
    tell(changed, f"{project} has {len(changed.categories)} categories.", as_json=as_json)


@app.command()
@connected
def change(
    client: LoopClient,
    project: Project,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    rename: Annotated[str | None, typer.Option(metavar="NAME", help="Its new name.")] = None,
    color: Color = None,
    hotkey: Hotkey = None,
    description: Description = None,
    point_size: PointSize = None,
    as_json: AsJson = False,
) -> None:
    """Change a category; what is not said stays as it is."""
    record = find_project(client, project)
    if name not in record.category_ids():
        raise NotFound(f"{project} has no category {name}: edgeloop project category list.")
    wishes = {
        "name": rename,
        "color": color,
        "hotkey": hotkey,
        "description": description,
        "point_size": point_size,
    }
    given = {key: value for key, value in wishes.items() if value is not None}
    if not given:
        raise InputError("Nothing is to be changed: say what with a flag (--help lists them).")
    body = {"id": record.category_ids()[name], **given}
    changed = client.send(update_project(record.id, categories=[body]))
    tell(changed, f"{rename or name} is changed.", as_json=as_json)


def category_of(text: str) -> dict[str, str]:
    """``NAME`` or ``NAME:TYPE`` -> a category to be."""
    name, _, kind = text.partition(":")
    return {"name": name, "type": kind or "box"}
