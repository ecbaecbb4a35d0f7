"""``edgeloop project organization``: what holds projects, and members of all of them."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from edgeloop.cli.connecting import connected
from edgeloop.cli.tables import AsJson, show
from edgeloop.cli.telling import tell
from edgeloop.client import LoopClient, items
from edgeloop.client.calls import members
from edgeloop.client.calls.account_records import OrganizationRecord

app = typer.Typer(help="The organizations that projects are in.", no_args_is_help=True)

_COLUMNS: Mapping[str, Callable[[OrganizationRecord], Any]] = {
    "organization": lambda organization: organization.name,
    "projects": lambda organization: organization.projects,
    "created": lambda organization: organization.created[:19],
}


@app.command("list")
@connected
def list_organizations(client: LoopClient, as_json: AsJson = False) -> None:
    """List the organizations with the number of their projects."""
    show(list(items(client, members.organizations())), _COLUMNS, as_json=as_json)


@app.command()
@connected
def create(
    client: LoopClient,
    name: Annotated[str, typer.Argument(metavar="ORG")],
    as_json: AsJson = False,
) -> None:
    """Create an organization without projects; for admins of the loop."""
    made = client.send(members.create_organization(name))
    tell(made, f"Created the organization {made.name}.", as_json=as_json)
