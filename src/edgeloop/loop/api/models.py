"""Models: their files up and down, their figures, and which one is deployed."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from edgeloop.client.calls.records import DeploymentRecord, EvaluationRecord, ModelRecord
from edgeloop.evaluation import Evaluation
from edgeloop.loop.api.context import Asking
from edgeloop.loop.api.destinations import AnyModel, TrainedModel
from edgeloop.loop.api.documented import answers, page_of
from edgeloop.loop.api.paging import Limit, page
from edgeloop.loop.services import deployments, figures, models, projects, publishing
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.deployments import Deployment
from edgeloop.loop.services.figures import Selection
from edgeloop.loop.services.models import Model
from edgeloop.protocol.payloads.parsing import Payload, shown
from edgeloop.protocol.routes import API, V1
from edgeloop.types import Split

router = APIRouter()
clients = APIRouter()
"""Routes below an organization: registered after all fixed paths."""

PROJECT = f"{API}/{{organization}}/projects/{{name}}"


class DeploymentBody(Payload):
    """Which model to deploy."""

    model_id: Annotated[str, shown("0c8a5b5e-6f0e-4a53-9d59-0d2f0b1f7c11")]


@router.get(f"{V1}/projects/{{project_id}}/models", **answers(page_of(ModelRecord)))
async def list_newest_first(
    asking: Asking, project_id: str, limit: Limit = 100, after: str | None = None
) -> dict[str, Any]:
    """The models of a project that have files, newest first."""
    async with asking.read() as workspace:
        await projects.by_id(workspace, project_id)
        found = await models.with_files(workspace, project_id, after=after)
    return page(found, limit=limit, encode=_to_json, cursor=lambda model: model.row.id)


@router.get(f"{V1}/models/{{model_id}}", **answers(ModelRecord))
async def get(asking: Asking, model_id: str) -> dict[str, Any]:
    """One model."""
    async with asking.read() as workspace:
        return _to_json(await models.get(workspace, model_id))


@router.get(f"{V1}/models/{{model_id}}/evaluation", **answers(EvaluationRecord, errors=(409,)))
async def evaluation(
    asking: Asking,
    model_id: str,
    split: Annotated[Split, Query(alias="set")] = "test",
    tag: str | None = None,
) -> dict[str, Any]:
    """How good a model is on the complete images of a split that it has looked at."""
    return _figures_to_json(
        await figures.evaluation(
            asking.parts.workspaces,
            asking.caller,
            model_id=model_id,
            selection=Selection(split, tag or None),
        )
    )


@router.get(f"{V1}/projects/{{project_id}}/deployment", **answers(DeploymentRecord))
async def target(asking: Asking, project_id: str) -> dict[str, Any]:
    """Which model is deployed."""
    async with asking.read() as workspace:
        project = await projects.by_id(workspace, project_id)
        return _deployment_to_json(await deployments.target(workspace, project))


@router.put(f"{V1}/projects/{{project_id}}/deployment", **answers(DeploymentRecord, errors=(409,)))
async def deploy(asking: Asking, project_id: str, body: DeploymentBody) -> dict[str, Any]:
    """Make a model the one that the project's detectors shall run."""
    async with asking.write() as workspace:
        project = await projects.by_id(workspace, project_id, right=Right.DEPLOY)
        made = await deployments.deploy(workspace, project, model_id=body.model_id)
    return _deployment_to_json(made)


@clients.get(f"{PROJECT}/models")
async def list_for_clients(
    asking: Asking,
    organization: str,
    name: str,
    model_format: Annotated[str | None, Query(alias="format")] = None,
) -> dict[str, Any]:
    """All models of a project, or those with a format; one without files has no version."""
    async with asking.read() as workspace:
        project = await projects.by_names(
            workspace, organization, name=name, right=Right.LIST_MODELS
        )
        found = await models.in_project(workspace, project.id)
    fitting = [model for model in found if model_format in (None, "", *model.formats)]
    return {"models": [_to_client_json(model) for model in fitting]}


@clients.get(f"{PROJECT}/models/{{model_id}}/{{model_format}}/file")
async def download(
    asking: Asking, organization: str, name: str, model_id: str, model_format: str
) -> StreamingResponse:
    """A model in one format, as a zip."""
    async with asking.read() as workspace:
        project = await projects.by_names(
            workspace, organization, name=name, right=Right.DOWNLOAD_MODEL
        )
        found = await models.zip_of(
            workspace, project, model_id=model_id, model_format=model_format
        )
    headers = {
        "content-disposition": f'attachment; filename="{found.file_name}"',
        "content-length": str(found.size_bytes),
    }
    chunks = asking.parts.workspaces.storage.stream(found.storage_key)
    return StreamingResponse(chunks, headers=headers, media_type="application/zip")


@clients.put(f"{PROJECT}/trainings/{{number}}/models/latest/{{model_format}}/file")
async def upload_to_training(destination: TrainedModel, number: int) -> dict[str, str]:
    """Add a format to the newest model of a training; it may be repeated."""
    async with destination.received() as upload:
        asking = destination.asking
        model_id = await publishing.publish_newest(
            asking.parts.workspaces,
            asking.caller,
            project=destination.project,
            number=number,
            upload=upload,
        )
    return {"id": model_id}


@clients.put(f"{PROJECT}/models/{{model_id}}/{{model_format}}/file")
async def upload_to_model(destination: AnyModel, model_id: str) -> dict[str, str]:
    """Add a format to a model; it may be repeated."""
    async with destination.received() as upload:
        asking = destination.asking
        await publishing.publish(
            asking.parts.workspaces,
            asking.caller,
            project=destination.project,
            model_id=model_id,
            upload=upload,
        )
    return {"id": model_id}


def _to_json(model: Model) -> dict[str, Any]:
    row = model.row
    return {
        "id": row.id,
        "version": row.version,
        "formats": list(model.formats),
        "training_id": row.training_id,
        "training_number": model.training_number,
        "base_model_id": row.base_model_id,
        "counts": row.counts,
        "metrics": row.metrics,
        "best_epoch": row.best_epoch,
        "train_images": row.train_images,
        "test_images": row.test_images,
        "comment": row.comment,
        "created": row.created.isoformat(),
        "deployed": model.deployed,
    }


def _to_client_json(model: Model) -> dict[str, Any]:
    return {
        "id": model.row.id,
        "version": model.row.version,
        "formats": list(model.formats),
        "created": model.row.created.isoformat(),
        "comment": model.row.comment,
    }


def _figures_to_json(found: Evaluation) -> dict[str, Any]:
    return {
        **figures.metrics_of(found),
        "confidence": found.confidence,
        "per_category": {id_: asdict(score) for id_, score in found.per_category.items()},
        "counts": {id_: asdict(counts) for id_, counts in found.counts.items()},
        "confusion": [list(row) for row in found.confusion],
    }


def _deployment_to_json(made: Deployment) -> dict[str, Any]:
    return {
        "model_id": made.model_id,
        "version": made.version,
        "created": made.created.isoformat(),
        "author": made.author,
    }
