"""``edgeloop node``: who is there, and how they are."""

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from edgeloop.cli.connecting import connected
from edgeloop.cli.console import stdout
from edgeloop.cli.finding import find_node
from edgeloop.cli.options import find_project
from edgeloop.cli.tables import AsJson, show, show_one
from edgeloop.client import LoopClient, items
from edgeloop.client.calls import nodes as calls
from edgeloop.client.calls.records import NodeRecord
from edgeloop.types import NodeKind

app = typer.Typer(help="The nodes of a loop.", no_args_is_help=True)
Node = Annotated[str, typer.Argument(metavar="NODE", help="The node's name, or its id.")]

_COLUMNS: Mapping[str, Callable[[NodeRecord], Any]] = {
    "name": lambda node: node.name,
    "kind": lambda node: node.kind,
    "online": lambda node: node.online,
    "project": lambda node: f"{node.organization}/{node.project}" if node.project else None,
    "state": lambda node: node.status.get("operation_mode") or node.status.get("state"),
    "model": lambda node: _model(node),
    "outbox": lambda node: node.outbox_depth,
    "version": lambda node: node.version,
    "last seen": lambda node: node.last_seen[:19],
    "errors": lambda node: "; ".join(node.errors.values()),
}


@app.command("list")
@connected
def list_nodes(
    client: LoopClient,
    kind: Annotated[NodeKind | None, typer.Option(help="Only these.")] = None,
    project: Annotated[
        str | None, typer.Option(metavar="ORG/PROJECT", help="Works for this project.")
    ] = None,
    online: Annotated[bool | None, typer.Option("--online/--offline", help="Only these.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the nodes that were ever heard from."""
    project_id = find_project(client, project).id if project else None
    found = items(client, calls.nodes(kind=kind, project_id=project_id, online=online))
    show(list(found), _COLUMNS, as_json=as_json)


@app.command("show")
@connected
def show_node(client: LoopClient, node: Node, as_json: AsJson = False) -> None:
    """Show one node, with all that it said last."""
    facts = {
        "id": lambda found: found.id,
        **_COLUMNS,
        "first seen": lambda found: found.first_seen[:19],
        "said": lambda found: json.dumps(found.status, indent=1, ensure_ascii=False),
    }
    show_one(find_node(client, node), facts, as_json=as_json)


@app.command()
@connected
def restart(client: LoopClient, node: Node) -> None:
    """Let a connected node end, so that its supervisor starts it afresh."""
    found = find_node(client, node)
    client.send(calls.restart_node(found.id))
    stdout.print(f"{found.name or found.id} was asked to restart.", highlight=False)


@app.command()
@connected
def forget(client: LoopClient, node: Node) -> None:
    """Forget a node that is away for good."""
    found = find_node(client, node)
    client.send(calls.forget_node(found.id))
    stdout.print(f"{found.name or found.id} is forgotten.", highlight=False)


def _model(node: NodeRecord) -> str | None:
    if node.target and node.target != node.model:
        return f"{node.model or 'none'} -> {node.target}"
    return node.model
