"""Which model the detectors of a project shall run, and before."""

from typing import Annotated, Any

from fastapi import APIRouter

from edgeloop.client.calls.records import DeploymentRecord
from edgeloop.loop.api.context import Asking
from edgeloop.loop.api.documented import answers, page_of
from edgeloop.loop.api.paging import Limit, Number, page
from edgeloop.loop.services import deployments, projects
from edgeloop.loop.services.deployments import Deployment
from edgeloop.protocol.payloads.parsing import Payload, shown
from edgeloop.protocol.routes import V1

router = APIRouter()

DEPLOYMENT = f"{V1}/projects/{{project_id}}/deployment"


class DeploymentBody(Payload):
    """Which model to deploy."""

    model_id: Annotated[str, shown("0c8a5b5e-6f0e-4a53-9d59-0d2f0b1f7c11")]


class RollbackBody(Payload):
    """Which model to go back to; none: to the one before."""

    model_id: Annotated[str | None, shown("0c8a5b5e-6f0e-4a53-9d59-0d2f0b1f7c11")] = None


@router.get(DEPLOYMENT, **answers(DeploymentRecord))
async def target(asking: Asking, project_id: str) -> dict[str, Any]:
    """Which model is deployed."""
    async with asking.read() as workspace:
        project = await projects.by_id(workspace, project_id)
        return _to_json(await deployments.target(workspace, project))


@router.put(DEPLOYMENT, **answers(DeploymentRecord, errors=(409,)))
async def deploy(asking: Asking, project_id: str, body: DeploymentBody) -> dict[str, Any]:
    """Make a model the one that the project's detectors shall run."""
    workspaces = asking.parts.workspaces
    return _to_json(
        await deployments.make_target(workspaces, asking.caller, project_id, model_id=body.model_id)
    )


@router.post(f"{DEPLOYMENT}/rollback", **answers(DeploymentRecord, errors=(409,)))
async def roll_back(asking: Asking, project_id: str, body: RollbackBody) -> dict[str, Any]:
    """Go back to the deployment before, again and again, or to the last one of a model."""
    workspaces = asking.parts.workspaces
    return _to_json(
        await deployments.roll_back(workspaces, asking.caller, project_id, model_id=body.model_id)
    )


@router.get(f"{DEPLOYMENT}s", **answers(page_of(DeploymentRecord)))
async def history(
    asking: Asking, project_id: str, limit: Limit = 100, after: Number | None = None
) -> dict[str, Any]:
    """What was deployed when and by whom, newest first."""
    async with asking.read() as workspace:
        project = await projects.by_id(workspace, project_id)
        found = await deployments.history(workspace, project, limit=limit + 1, before=after)
    return page(found, limit=limit, encode=_to_json, cursor=lambda made: str(made.id))


def _to_json(made: Deployment) -> dict[str, Any]:
    return {
        "id": made.id,
        "model_id": made.model_id,
        "version": made.version,
        "created": made.created.isoformat(),
        "author": made.author,
        "restores": made.restores,
    }
