"""Calls about nodes."""

from edgeloop.client.call import Call, nothing
from edgeloop.client.calls.page import Page, page_parser
from edgeloop.client.calls.records import NodeRecord
from edgeloop.protocol import routes
from edgeloop.protocol.payloads.nodes import detector_status_to_json
from edgeloop.types import DetectorStatus


def report_detector(organization: str, project: str, status: DetectorStatus) -> Call[None]:
    """A detector's report of itself."""
    path = routes.detectors(organization, project)
    return Call("POST", path, nothing, json=detector_status_to_json(status))


def nodes() -> Call[Page[NodeRecord]]:
    """All nodes that were ever heard from."""
    return Call("GET", f"{routes.V1}/nodes?limit=1000", page_parser(NodeRecord.read))
