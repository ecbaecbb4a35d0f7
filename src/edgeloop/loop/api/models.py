"""Models: their files up and down, their figures, and what people make of them."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import StreamingResponse

from edgeloop.client.calls.records import (
    ComparisonRecord,
    EvaluationRecord,
    LineageRecord,
    ModelRecord,
)
from edgeloop.evaluation import Evaluation
from edgeloop.loop.api.context import Asking
from edgeloop.loop.api.destinations import AnyModel, TrainedModel
from edgeloop.loop.api.documented import answers, page_of
from edgeloop.loop.api.paging import Limit, Number, page
from edgeloop.loop.api.published import (
    DEVICES,
    MODEL_FILES,
    ClientModels,
    ModelReceipt,
    told,
)
from edgeloop.loop.api.trainings import training_to_json
from edgeloop.loop.services import curation, figures, models, projects, publishing
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.curation import ModelChange
from edgeloop.loop.services.figures import Comparison, Selection
from edgeloop.loop.services.models import Model, ModelFilter
from edgeloop.protocol.payloads.parsing import Payload, shown
from edgeloop.protocol.routes import API, V1
from edgeloop.types import Split

router = APIRouter()
clients = APIRouter()
"""Routes below an organization: registered after all fixed paths."""

MAX_COMMENT = 10_000
PROJECT = f"{API}/{{organization}}/projects/{{name}}"


class ModelChangeBody(Payload):
    """What of a model is to be changed; what is left out stays as it is."""

    comment: Annotated[str | None, shown("for the night shift")] = Field(
        default=None, max_length=MAX_COMMENT
    )
    promoted: Annotated[bool | None, shown(True)] = None
    retired: bool | None = None


@router.get(f"{V1}/projects/{{project_id}}/models", **answers(page_of(ModelRecord)))
async def list_newest_first(  # noqa: PLR0913 - the query's parameters
    asking: Asking,
    project_id: str,
    *,
    model_format: Annotated[str | None, Query(alias="format")] = None,
    training: Number | None = None,
    retired: bool | None = None,
    limit: Limit = 100,
    after: str | None = None,
) -> dict[str, Any]:
    """The models of a project that have files, newest first; by format, training, retired."""
    which = ModelFilter(model_format, training, retired)
    async with asking.read() as workspace:
        await projects.by_id(workspace, project_id)
        found = await models.with_files(workspace, project_id, after=after, which=which)
    return page(found, limit=limit, encode=model_to_json, cursor=lambda model: model.row.id)


@router.get(f"{V1}/models/{{model_id}}", **answers(ModelRecord))
async def get(asking: Asking, model_id: str) -> dict[str, Any]:
    """One model."""
    async with asking.read() as workspace:
        return model_to_json(await models.get(workspace, model_id))


@router.patch(f"{V1}/models/{{model_id}}", **answers(ModelRecord, errors=(409,)))
async def change(asking: Asking, model_id: str, body: ModelChangeBody) -> dict[str, Any]:
    """Comment a model, promote it (new trainings start from it), retire it; or take that back."""
    async with asking.write() as workspace:
        wish = ModelChange(**body.model_dump())
        return model_to_json(await curation.change(workspace, model_id, wish))


@router.get(f"{V1}/models/{{model_id}}/lineage", **answers(LineageRecord))
async def lineage(asking: Asking, model_id: str) -> dict[str, Any]:
    """Which models a model comes from, which come from it, and the training that made it."""
    async with asking.read() as workspace:
        found = await curation.lineage(workspace, model_id)
    return {
        "ancestors": [model_to_json(model) for model in found.ancestors],
        "children": [model_to_json(model) for model in found.children],
        "training": training_to_json(found.training) if found.training else None,
    }


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


@router.get(
    f"{V1}/models/{{model_id}}/comparison/{{other_id}}", **answers(ComparisonRecord, errors=(409,))
)
async def comparison(
    asking: Asking,
    model_id: str,
    other_id: str,
    split: Annotated[Split, Query(alias="set")] = "test",
    tag: str | None = None,
) -> dict[str, Any]:
    """How good two models are on those complete images of a split that both have looked at."""
    found = await figures.compare(
        asking.parts.workspaces,
        asking.caller,
        model_ids=(model_id, other_id),
        selection=Selection(split, tag or None),
    )
    return _comparison_to_json(found)


@clients.get(f"{PROJECT}/models", **told(ClientModels, login="optional"))
async def list_for_clients(
    asking: Asking,
    organization: str,
    name: str,
    model_format: Annotated[str | None, Query(alias="format")] = None,
) -> dict[str, Any]:
    """The models of a project, or those with a format; one without files has no version."""
    async with asking.read() as workspace:
        project = await projects.by_names(
            workspace, organization, name=name, right=Right.LIST_MODELS
        )
        found = await models.in_project(workspace, project.id)
    which = ModelFilter(model_format or None, retired=False)
    return {"models": [_to_client_json(model) for model in found if which.accepts(model)]}


@clients.get(
    f"{PROJECT}/models/{{model_id}}/{{model_format}}/file",
    openapi_extra=DEVICES,
    **answers(media_type="application/zip"),
)
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


@clients.put(
    f"{PROJECT}/trainings/{{number}}/models/latest/{{model_format}}/file",
    **told(ModelReceipt, files=MODEL_FILES, errors=(409, 413, 507)),
)
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


@clients.put(
    f"{PROJECT}/models/{{model_id}}/{{model_format}}/file",
    **told(ModelReceipt, files=MODEL_FILES, errors=(409, 413, 507)),
)
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


def model_to_json(model: Model) -> dict[str, Any]:
    """A model as our own API describes it."""
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
        "promoted": model.promoted,
        "retired": row.retired.isoformat() if row.retired else None,
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


def _comparison_to_json(found: Comparison) -> dict[str, Any]:
    sides = ((found.first, found.of_first), (found.second, found.of_second))
    return {
        "images": found.of_first.images,
        "models": [
            {"model_id": model.id, "version": model.version, **_figures_to_json(of_model)}
            for model, of_model in sides
        ],
    }
