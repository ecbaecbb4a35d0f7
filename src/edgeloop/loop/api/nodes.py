"""Nodes, and what detectors ask: their target, and to be remembered."""

from typing import Any

from fastapi import APIRouter

from edgeloop.loop.api.context import Asking
from edgeloop.loop.api.paging import Limit, page
from edgeloop.loop.services import deployments, nodes, projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.nodes import KnownNode
from edgeloop.protocol.payloads.nodes import DetectorStatusPayload
from edgeloop.protocol.routes import API, V1

router = APIRouter()
clients = APIRouter()
"""Routes below an organization: registered after all fixed paths."""


@router.get(f"{V1}/nodes")
async def list_all(asking: Asking, limit: Limit = 100, after: str | None = None) -> dict[str, Any]:
    """All nodes that were ever heard from."""
    async with asking.read() as workspace:
        found = await nodes.list_by_id(workspace, limit=limit + 1, after=after)
    return page(found, limit=limit, encode=_to_json, cursor=lambda node: node.row.id)


@clients.post(f"{API}/{{organization}}/projects/{{name}}/detectors")
async def hear_detector(
    asking: Asking, organization: str, name: str, body: DetectorStatusPayload
) -> dict[str, Any]:
    """Remember a detector's report."""
    async with asking.write() as workspace:
        project = await projects.by_names(
            workspace, organization, name=name, right=Right.REPORT_DETECTOR
        )
        await nodes.heard_from_detector(workspace, project.id, body.to_type())
    return {}


@clients.get(f"{API}/{{organization}}/projects/{{name}}/deployment/target")
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
        "last_seen": node.row.last_seen.isoformat(),
        "status": node.row.status,
    }
