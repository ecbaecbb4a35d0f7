"""``edgeloop deploy``: which model a project's detectors shall run, now and before."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from edgeloop.cli.connecting import connected
from edgeloop.cli.console import stdout
from edgeloop.cli.finding import all_models, find_model
from edgeloop.cli.options import find_project
from edgeloop.cli.tables import AsJson, show, show_json
from edgeloop.client import LoopClient
from edgeloop.client.calls import deployments as calls
from edgeloop.client.calls.records import DeploymentRecord, ProjectRecord
from edgeloop.errors import InputError

Project = Annotated[str, typer.Argument(metavar="ORG/PROJECT")]
_COLUMNS: Mapping[str, Callable[[DeploymentRecord], Any]] = {
    "version": lambda made: made.version,
    "when": lambda made: made.created[:19],
    "by": lambda made: made.author,
    "how": lambda made: "rollback" if made.restores else "deployed",
}


@connected
def deploy(
    client: LoopClient,
    project: Project,
    version: Annotated[
        str | None, typer.Argument(metavar="VERSION", help="The model's version, or its id.")
    ] = None,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Go back to the model before, or to VERSION.")
    ] = False,
    history: Annotated[
        bool, typer.Option("--history", help="Show what was deployed when and by whom.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let the detectors of a project run a model."""
    record = find_project(client, project)
    if history:
        show(client.send(calls.deployments(record.id)).items, _COLUMNS, as_json=as_json)
        return
    if rollback:
        to = find_model(client, record, version).id if version else None
        made = client.send(calls.roll_back(record.id, model_id=to))
    elif version is None:
        raise InputError(_advice(client, record))
    else:
        made = client.send(calls.deploy(record.id, find_model(client, record, version).id))
    if as_json:
        show_json(made.model_dump(mode="json"))
    else:
        stdout.print(f"The detectors of {project} shall run {made.version}.", highlight=False)


def _advice(client: LoopClient, project: ProjectRecord) -> str:
    """What to write instead; the promoted model is what is suggested."""
    address = f"{project.organization}/{project.name}"
    found = all_models(client, project)
    suggested = next((model for model in found if model.promoted), None)
    if suggested is None:
        return f"Which model? Name a VERSION of 'edgeloop model list {address}'."
    state = "deployed already" if suggested.deployed else "not deployed"
    return (
        f"Which model? {suggested.version} is promoted, and {state}: "
        f"edgeloop deploy {address} {suggested.version}"
    )
