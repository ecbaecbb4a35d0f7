"""Trainings."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter

from edgeloop.client.calls.records import EpochRecord, LogRecord, TrainingRecord
from edgeloop.loop.api.context import Asking
from edgeloop.loop.api.documented import answers, page_of
from edgeloop.loop.api.paging import Limit, Number, page
from edgeloop.loop.api.published import Charts, told
from edgeloop.loop.services import models, nodes, projects, trainings
from edgeloop.loop.services.models import Model
from edgeloop.loop.services.nodes import KnownTrainer
from edgeloop.loop.services.trainings import PROMOTED, Training, TrainingRequest
from edgeloop.protocol.payloads.parsing import JsonObject, Payload, Text, shown
from edgeloop.protocol.routes import API, V1

router = APIRouter()
clients = APIRouter()
"""Routes below an organization: registered after all fixed paths."""


class TrainingBody(Payload):
    """A training to be; without a trainer any that offers the variant and the format may have it.

    It starts from the promoted model unless another one is named; null is from scratch.
    """

    hyperparameters: Annotated[JsonObject, shown({"epochs": 50})] = {}  # noqa: RUF012 - pydantic copies it
    variant: Annotated[Text, shown("small")] = ""
    model_format: Annotated[Text, shown("onnx")] = ""
    base_model_id: Annotated[str | None, shown(PROMOTED)] = PROMOTED
    trainer_id: str | None = None


@router.post(f"{V1}/projects/{{project_id}}/trainings", **answers(TrainingRecord))
async def begin(asking: Asking, project_id: str, body: TrainingBody) -> dict[str, Any]:
    """Queue a training."""
    async with asking.write() as workspace:
        request = TrainingRequest(**body.model_dump())
        training = await trainings.begin(workspace, project_id, request)
    asking.parts.on_training()
    return training_to_json(training)


@router.get(f"{V1}/projects/{{project_id}}/trainings", **answers(page_of(TrainingRecord)))
async def list_newest_first(
    asking: Asking, project_id: str, limit: Limit = 100, after: Number | None = None
) -> dict[str, Any]:
    """The trainings of a project, newest first."""
    async with asking.read() as workspace:
        found = await trainings.list_newest_first(
            workspace, project_id, limit=limit + 1, before=after
        )
    return page(
        found, limit=limit, encode=training_to_json, cursor=lambda item: str(item.row.number)
    )


@router.get(f"{V1}/trainings/{{training_id}}", **answers(TrainingRecord))
async def get(asking: Asking, training_id: str) -> dict[str, Any]:
    """One training."""
    async with asking.read() as workspace:
        return training_to_json(await trainings.get(workspace, training_id))


@router.get(f"{V1}/trainings/{{training_id}}/epochs", **answers(page_of(EpochRecord)))
async def epochs(
    asking: Asking, training_id: str, limit: Limit = 100, after: Number = 0
) -> dict[str, Any]:
    """The figures of a training, epoch by epoch."""
    async with asking.read() as workspace:
        found = await trainings.epochs(workspace, training_id, limit=limit + 1, after=after)
    return page(
        found,
        limit=limit,
        encode=lambda row: {"number": row.number, "of": row.of, "metrics": row.metrics},
        cursor=lambda row: str(row.number),
    )


@router.get(f"{V1}/trainings/{{training_id}}/log", **answers(LogRecord))
async def log(asking: Asking, training_id: str) -> dict[str, Any]:
    """The end of a training's log, as its trainer told it."""
    async with asking.read() as workspace:
        found = await trainings.log_of(workspace, training_id)
    return {
        "text": found.text if found else "",
        "received": _time(found.received if found else None),
    }


@router.post(f"{V1}/trainings/{{training_id}}/stop", **answers(TrainingRecord, errors=(409,)))
async def stop(asking: Asking, training_id: str) -> dict[str, Any]:
    """End a training early and keep its model."""
    async with asking.write() as workspace:
        training = await trainings.stop(workspace, training_id)
    asking.parts.on_training()
    return training_to_json(training)


@router.post(f"{V1}/trainings/{{training_id}}/abort", **answers(TrainingRecord, errors=(409,)))
async def abort(asking: Asking, training_id: str) -> dict[str, Any]:
    """End a training and discard what it made; asked twice, whatever its trainer does."""
    async with asking.write() as workspace:
        training = await trainings.abort(workspace, training_id)
    asking.parts.on_training()
    return training_to_json(training)


@router.delete(f"{V1}/trainings/{{training_id}}/wish", **answers(TrainingRecord, errors=(409,)))
async def take_back(asking: Asking, training_id: str) -> dict[str, Any]:
    """Ask no more that a training stops or aborts; what its trainer was told, it may still do."""
    async with asking.write() as workspace:
        return training_to_json(await trainings.take_back(workspace, training_id))


@clients.get(f"{API}/{{organization}}/projects/{{name}}/trainings", **told(Charts))
async def charts(asking: Asking, organization: str, name: str) -> dict[str, Any]:
    """One chart per training with its models, both newest first, and the trainers that are here."""
    async with asking.read() as workspace:
        project = await projects.by_names(workspace, organization, name=name)
        found = await models.in_project(workspace, project.id)
        trainers = await nodes.trainers_online(workspace)
    numbers = {model.training_number for model in found if model.training_number is not None}
    charts = [_chart(number, found) for number in sorted(numbers, reverse=True)]
    return {"charts": charts, "trainers": [_trainer_to_json(trainer) for trainer in trainers]}


def _chart(number: int, found: Sequence[Model]) -> dict[str, Any]:
    points = [
        {
            "model_id": model.row.id,
            "version": model.row.version,
            "confusion_matrix": model.row.counts,
            "created": model.row.created.isoformat(),
        }
        for model in found
        if model.training_number == number and model.row.version is not None
    ]
    return {"training_number": number, "data": points}


def _trainer_to_json(trainer: KnownTrainer) -> dict[str, Any]:
    return {"id": trainer.id, "name": trainer.name, "state": trainer.state}


def training_to_json(training: Training) -> dict[str, Any]:
    """A training as our own API describes it."""
    row = training.row
    return {
        "id": row.id,
        "project_id": row.project_id,
        "number": row.number,
        "state": row.state,
        "variant": row.variant,
        "model_format": row.model_format,
        "base_model_id": row.base_model_id,
        "hyperparameters": row.hyperparameters,
        "wanted_trainer_id": row.wanted_trainer_id,
        "trainer_id": row.trainer_id,
        "trainer_name": row.trainer_name,
        "trainer_state": row.trainer_state,
        "lost": training.is_lost,
        "wish": row.wish,
        "progress": row.progress,
        "errors": row.errors,
        "train_images": row.train_images,
        "test_images": row.test_images,
        "skipped_images": row.skipped_images,
        "created": row.created.isoformat(),
        "started": _time(row.started),
        "ended": _time(row.ended),
        "model_id": training.model_id,
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
