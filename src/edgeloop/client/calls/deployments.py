"""Calls about which model is deployed."""

import httpx

from edgeloop.client.call import Call
from edgeloop.client.calls.page import Page, page_parser, paging
from edgeloop.client.calls.records import DeploymentRecord
from edgeloop.protocol import routes
from edgeloop.protocol.payloads.models import DeploymentTargetPayload
from edgeloop.types import DeploymentTarget


def deployment_target(organization: str, project: str) -> Call[DeploymentTarget]:
    """The model that detectors shall run; raises NotFound when none is deployed."""
    path = routes.deployment_target(organization, project)
    return Call("GET", path, lambda a: DeploymentTargetPayload.read(a.json()).to_type())


def deployment(project_id: str) -> Call[DeploymentRecord]:
    """Which model is deployed, since when and by whom; raises NotFound where none is."""
    return Call("GET", f"{routes.V1}/projects/{project_id}/deployment", _deployment)


def deploy(project_id: str, model_id: str) -> Call[DeploymentRecord]:
    """Make a model the one that the project's detectors shall run."""
    path = f"{routes.V1}/projects/{project_id}/deployment"
    return Call("PUT", path, _deployment, json={"model_id": model_id})


def roll_back(project_id: str, *, model_id: str | None = None) -> Call[DeploymentRecord]:
    """Go back to the deployment before, again and again, or to the last one of a model."""
    path = f"{routes.V1}/projects/{project_id}/deployment/rollback"
    return Call("POST", path, _deployment, json={"model_id": model_id})


def deployments(
    project_id: str, *, after: str | None = None, limit: int = 1000
) -> Call[Page[DeploymentRecord]]:
    """What was deployed when and by whom, newest first."""
    path = f"{routes.V1}/projects/{project_id}/deployments?{paging(after, limit)}"
    return Call("GET", path, page_parser(DeploymentRecord.read))


def _deployment(answer: httpx.Response) -> DeploymentRecord:
    return DeploymentRecord.read(answer.json())
