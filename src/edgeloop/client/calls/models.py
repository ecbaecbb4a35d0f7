"""Calls about models and which of them is deployed."""

import mimetypes
from collections.abc import Sequence
from pathlib import Path

import httpx

from edgeloop.client.call import Call, FilePart
from edgeloop.client.calls.page import Page, page_parser
from edgeloop.client.calls.records import DeploymentRecord, EvaluationRecord, ModelRecord
from edgeloop.protocol import routes
from edgeloop.protocol.payloads.models import DeploymentTargetPayload, ModelListEntryPayload
from edgeloop.types import DeploymentTarget


def models(organization: str, project: str) -> Call[list[ModelListEntryPayload]]:
    """The models of a project as published nodes see them."""
    return Call("GET", routes.models(organization, project), _entries)


def upload_training_model(
    organization: str, project: str, number: int, model_format: str, files: Sequence[Path]
) -> Call[str]:
    """Upload one format of a training's newest model; answers the model's id. May be repeated."""
    path = routes.training_model_file(organization, project, number, model_format)
    parts = [FilePart(file.name, file, _content_type(file)) for file in files]
    return Call("PUT", path, lambda answer: str(answer.json()["id"]), files=parts, timeout_s=600)


def deployment_target(organization: str, project: str) -> Call[DeploymentTarget]:
    """The model that detectors shall run; raises NotFound when none is deployed."""
    path = routes.deployment_target(organization, project)
    return Call("GET", path, lambda a: DeploymentTargetPayload.read(a.json()).to_type())


def project_models(project_id: str) -> Call[Page[ModelRecord]]:
    """The models of a project that have files, newest first."""
    path = f"{routes.V1}/projects/{project_id}/models?limit=1000"
    return Call("GET", path, page_parser(ModelRecord.read))


def evaluation(
    model_id: str, *, split: str = "test", tag: str | None = None
) -> Call[EvaluationRecord]:
    """How good a model is on the annotated images of a split, optionally of one tag."""
    query = httpx.QueryParams({"set": split} | ({"tag": tag} if tag else {}))
    path = f"{routes.V1}/models/{model_id}/evaluation?{query}"
    return Call("GET", path, lambda a: EvaluationRecord.read(a.json()), timeout_s=300)


def deploy(project_id: str, model_id: str) -> Call[DeploymentRecord]:
    """Make a model the one that the project's detectors shall run."""
    path = f"{routes.V1}/projects/{project_id}/deployment"
    body = {"model_id": model_id}
    return Call("PUT", path, lambda a: DeploymentRecord.read(a.json()), json=body)


def _entries(answer: httpx.Response) -> list[ModelListEntryPayload]:
    return [ModelListEntryPayload.read(model) for model in answer.json()["models"]]


def _content_type(file: Path) -> str:
    return mimetypes.guess_type(file.name)[0] or "application/octet-stream"
