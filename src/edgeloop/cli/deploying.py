"""``edgeloop deploy``: which model a project's detectors shall run, now and before."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from edgeloop.cli.connecting import connected
from edgeloop.cli.console import stderr
from edgeloop.cli.finding import all_models, find_model
from edgeloop.cli.options import find_project
from edgeloop.cli.tables import AsJson, show, show_one
from edgeloop.cli.telling import tell
from edgeloop.client import LoopClient, items
from edgeloop.client.calls import deployments as calls
from edgeloop.client.calls.records import DeploymentRecord, ProjectRecord
from edgeloop.errors import InputError, NotFound

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
    """Let the detectors of a project run a model; without one, show which they shall run."""
    record = find_project(client, project)
    if history:
        show(list(items(client, calls.deployments(record.id))), _COLUMNS, as_json=as_json)
        return
    if rollback:
        to = find_model(client, record, version).id if version else None
        made = client.send(calls.roll_back(record.id, model_id=to))
    elif version is None:
        _show_present(client, record, as_json=as_json)
        return
    else:
        made = client.send(calls.deploy(record.id, find_model(client, record, version).id))
    tell(made, f"The detectors of {project} shall run {made.version}.", as_json=as_json)


def _show_present(client: LoopClient, project: ProjectRecord, *, as_json: bool) -> None:
    """What is deployed, and what might be; raises InputError where nothing is."""
    suggested = next((model for model in all_models(client, project) if model.promoted), None)
    address = f"{project.organization}/{project.name}"
    advice = f"Name a VERSION of 'edgeloop model list {address}'."
    if suggested is not None:
        command = f"edgeloop deploy {address} {suggested.version}"
        advice = f"{suggested.version} is promoted, and not deployed: {command}"
    try:
        present = client.send(calls.deployment(project.id))
    except NotFound as error:
        raise InputError(f"Which model? {advice}") from error
    show_one(present, _COLUMNS, as_json=as_json)
    if suggested is not None and not suggested.deployed and not as_json:
        stderr.print(advice, markup=False, highlight=False, soft_wrap=True)
