"""Calls about nodes."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from edgeloop.client.call import Call, nothing
from edgeloop.client.calls.page import Page, page_parser, paging
from edgeloop.client.calls.records import NodeRecord, SvgRecord
from edgeloop.protocol import routes
from edgeloop.protocol.payloads.nodes import detector_status_to_json
from edgeloop.types import DetectorStatus, NodeKind


def report_detector(organization: str, project: str, status: DetectorStatus) -> Call[None]:
    """A detector's report of itself."""
    path = routes.detectors(organization, project)
    return Call("POST", path, nothing, json=detector_status_to_json(status))


def nodes(
    *,
    kind: NodeKind | None = None,
    project_id: str | None = None,
    online: bool | None = None,
    after: str | None = None,
    limit: int = 1000,
) -> Call[Page[NodeRecord]]:
    """All nodes that were ever heard from, or those of this kind, of this project, online."""
    query = paging(after, limit, kind=kind, project_id=project_id, online=online)
    return Call("GET", f"{routes.V1}/nodes?{query}", page_parser(NodeRecord.read))


def node(node_id: str) -> Call[NodeRecord]:
    """One node."""
    path = f"{routes.V1}/nodes/{quote(node_id, safe='')}"
    return Call("GET", path, lambda answer: NodeRecord.read(answer.json()))


def forget_node(node_id: str) -> Call[None]:
    """Forget a node that is away for good."""
    return Call("DELETE", f"{routes.V1}/nodes/{quote(node_id, safe='')}", nothing)


def restart_node(node_id: str) -> Call[None]:
    """Let a connected node end, so that its supervisor starts it afresh."""
    return Call("POST", f"{routes.V1}/nodes/{quote(node_id, safe='')}/restart", nothing)


def pass_user_input(node_id: str, gesture: Mapping[str, Any]) -> Call[str]:
    """Pass an event of mouse or keyboard on to an annotator; it answers with an SVG.

    ``gesture`` has ``frontend_id``, ``image_id``, ``category_id``, ``event``, ``x`` and ``y``.
    """
    path = f"{routes.V1}/nodes/{quote(node_id, safe='')}/user_input"
    return Call("POST", path, lambda a: SvgRecord.read(a.json()).svg, json=dict(gesture))


def pass_user_logout(node_id: str, frontend_id: str) -> Call[None]:
    """Tell an annotator that the page of a person was closed."""
    path = f"{routes.V1}/nodes/{quote(node_id, safe='')}/user_logout"
    return Call("POST", path, nothing, json={"frontend_id": frontend_id})
