"""Nodes, and what detectors ask: their target, and to be remembered."""

from typing import Annotated, Any

from fastapi import APIRouter

from edgeloop.client.calls.records import NodeRecord, SvgRecord
from edgeloop.loop.api.context import Asking
from edgeloop.loop.api.documented import Nothing, answers, page_of
from edgeloop.loop.api.paging import Limit, page
from edgeloop.loop.api.published import ClientTarget, told
from edgeloop.loop.services import commands, deployments, hearing, nodes, projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.commands import Gesture
from edgeloop.loop.services.nodes import KnownNode, NodeFilter
from edgeloop.protocol.payloads.nodes import DetectorStatusPayload
from edgeloop.protocol.payloads.parsing import Payload, Uuid, shown
from edgeloop.protocol.routes import API, V1
from edgeloop.types import NodeKind, UserEvent

router = APIRouter()
clients = APIRouter()
"""Routes below an organization: registered after all fixed paths."""


class GestureBody(Payload):
    """What a person did on an image, at whole pixels."""

    frontend_id: Annotated[str, shown("page-7")]
    image_id: Uuid
    category_id: Uuid
    event: UserEvent
    x: Annotated[int, shown(120)]
    y: Annotated[int, shown(64)]
    key_up: str | None = None
    key_down: str | None = None
    epsilon: float | None = None
    is_shift_pressed: bool | None = None

    def to_type(self) -> Gesture:
        """The gesture as a value."""
        return Gesture(**self.model_dump())


class LeaveBody(Payload):
    """Which page was closed."""

    frontend_id: Annotated[str, shown("page-7")]


@router.get(f"{V1}/nodes", **answers(page_of(NodeRecord)))
async def list_all(  # noqa: PLR0913 - the query's parameters
    asking: Asking,
    *,
    kind: NodeKind | None = None,
    project_id: str | None = None,
    online: bool | None = None,
    limit: Limit = 100,
    after: str | None = None,
) -> dict[str, Any]:
    """All nodes that were ever heard from; by kind, project, online."""
    which = NodeFilter(kind, project_id, online)
    async with asking.read() as workspace:
        found = await nodes.list_by_id(workspace, limit=limit + 1, after=after, which=which)
    return page(found, limit=limit, encode=_to_json, cursor=lambda node: node.row.id)


@router.get(f"{V1}/nodes/{{node_id}}", **answers(NodeRecord))
async def get(asking: Asking, node_id: str) -> dict[str, Any]:
    """One node."""
    async with asking.read() as workspace:
        return _to_json(await nodes.get(workspace, node_id))


@router.delete(f"{V1}/nodes/{{node_id}}", **answers(Nothing, errors=(409,)))
async def forget(asking: Asking, node_id: str) -> dict[str, Any]:
    """Forget a node that is away for good."""
    async with asking.write() as workspace:
        await nodes.forget(workspace, node_id)
    return {}


@router.post(f"{V1}/nodes/{{node_id}}/restart", **answers(Nothing, errors=(409, 503)))
async def restart(asking: Asking, node_id: str) -> dict[str, Any]:
    """Let a connected node end, so that its supervisor starts it afresh."""
    await commands.restart(asking.parts.workspaces, asking.caller, node_id=node_id)
    return {}


@router.post(f"{V1}/nodes/{{node_id}}/user_input", **answers(SvgRecord, errors=(400, 409, 503)))
async def handle_user_input(asking: Asking, node_id: str, body: GestureBody) -> dict[str, str]:
    """Pass an event of mouse or keyboard on to an annotator; it answers with an SVG."""
    workspaces = asking.parts.workspaces
    svg = await commands.gesture(workspaces, asking.caller, node_id=node_id, made=body.to_type())
    return {"svg": svg}


@router.post(f"{V1}/nodes/{{node_id}}/user_logout", **answers(Nothing, errors=(409, 503)))
async def log_user_out(asking: Asking, node_id: str, body: LeaveBody) -> dict[str, Any]:
    """Tell an annotator that the page of a person was closed."""
    workspaces = asking.parts.workspaces
    await commands.leave(workspaces, asking.caller, node_id=node_id, frontend_id=body.frontend_id)
    return {}


@clients.post(
    f"{API}/{{organization}}/projects/{{name}}/detectors",
    **told(Nothing, login="optional", errors=(409,)),
)
async def hear_detector(
    asking: Asking, organization: str, name: str, body: DetectorStatusPayload
) -> dict[str, Any]:
    """Remember a detector's report."""
    async with asking.read() as workspace:
        project = await projects.by_names(
            workspace, organization, name=name, right=Right.REPORT_DETECTOR
        )
    await hearing.hear_detector(asking.parts.workspaces, asking.caller, project, body.to_type())
    return {}


@clients.get(
    f"{API}/{{organization}}/projects/{{name}}/deployment/target",
    **told(ClientTarget, login="optional"),
)
async def deployment_target(asking: Asking, organization: str, name: str) -> dict[str, Any]:
    """The model that detectors shall run; 404 where there is none."""
    async with asking.read() as workspace:
        project = await projects.by_names(
            workspace, organization, name=name, right=Right.READ_DEPLOYMENT
        )
        target = await deployments.target(workspace, project)
    return {"model_uuid": target.model_id, "version": target.version}


def _to_json(node: KnownNode) -> dict[str, Any]:
    return {
        "id": node.row.id,
        "kind": node.row.kind,
        "name": node.row.name,
        "organization": node.organization,
        "project": node.project,
        "online": node.is_online,
        "version": node.version,
        "model": node.model,
        "target": node.target,
        "outbox_depth": node.outbox_depth,
        "errors": node.errors,
        "first_seen": node.row.first_seen.isoformat(),
        "last_seen": node.row.last_seen.isoformat(),
        "status": node.row.status,
    }
