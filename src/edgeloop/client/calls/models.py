"""Calls about models."""

import mimetypes
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import httpx

from edgeloop.client.call import Call, FilePart
from edgeloop.client.calls.page import Page, page_parser, paging
from edgeloop.client.calls.records import (
    ComparisonRecord,
    EvaluationRecord,
    LineageRecord,
    ModelRecord,
)
from edgeloop.protocol import routes
from edgeloop.protocol.payloads.models import ModelListEntryPayload


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


def project_models(  # noqa: PLR0913 - the filters
    project_id: str,
    *,
    model_format: str | None = None,
    training: int | None = None,
    retired: bool | None = None,
    after: str | None = None,
    limit: int = 1000,
) -> Call[Page[ModelRecord]]:
    """The models of a project that have files, newest first.

    ``training`` is the number of the one that made them; None: no matter which.
    """
    number = str(training) if training is not None else None
    query = paging(after, limit, format=model_format, training=number, retired=retired)
    path = f"{routes.V1}/projects/{project_id}/models?{query}"
    return Call("GET", path, page_parser(ModelRecord.read))


def model(model_id: str) -> Call[ModelRecord]:
    """One model."""
    return Call("GET", f"{routes.V1}/models/{model_id}", _model)


def change_model(
    model_id: str,
    *,
    comment: str | None = None,
    promoted: bool | None = None,
    retired: bool | None = None,
) -> Call[ModelRecord]:
    """Comment a model, promote it (new trainings start from it), retire it; or take that back."""
    wishes = {"comment": comment, "promoted": promoted, "retired": retired}
    body = {key: value for key, value in wishes.items() if value is not None}
    return Call("PATCH", f"{routes.V1}/models/{model_id}", _model, json=body)


def lineage(model_id: str) -> Call[LineageRecord]:
    """Which models a model comes from, which come from it, and the training that made it."""
    path = f"{routes.V1}/models/{model_id}/lineage"
    return Call("GET", path, lambda answer: LineageRecord.read(answer.json()))


def evaluation(
    model_id: str, *, split: str = "test", tag: str | None = None
) -> Call[EvaluationRecord]:
    """How good a model is on the annotated images of a split, optionally of one tag."""
    query = httpx.QueryParams({"set": split} | ({"tag": tag} if tag else {}))
    path = f"{routes.V1}/models/{model_id}/evaluation?{query}"
    return Call("GET", path, lambda a: EvaluationRecord.read(a.json()), timeout_s=300)


def comparison(
    model_id: str, other_id: str, *, split: str = "test", tag: str | None = None
) -> Call[ComparisonRecord]:
    """How good two models are on those annotated images that both have looked at."""
    query = httpx.QueryParams({"set": split} | ({"tag": tag} if tag else {}))
    path = f"{routes.V1}/models/{model_id}/comparison/{other_id}?{query}"
    return Call("GET", path, lambda a: ComparisonRecord.read(a.json()), timeout_s=300)


def model_file(organization: str, project: str, model_id: str, model_format: str) -> Call[bytes]:
    """A model in one format, as a zip; best stored by a client's ``download``."""
    path = routes.model_file(organization, project, model_id, model_format)
    return Call("GET", path, lambda answer: answer.content, timeout_s=120)


def upload_model(
    organization: str,
    project: str,
    model_format: str,
    files: Sequence[Path],
    *,
    model_id: str | None = None,
) -> Call[str]:
    """Add a format to a model, or make a new one of these files; answers the model's id."""
    if model_id is None:
        method, path = "POST", f"{routes.models(organization, project)}/{quote(model_format)}"
    else:
        method, path = "PUT", routes.model_file(organization, project, model_id, model_format)
    parts = [FilePart(file.name, file, _content_type(file)) for file in files]
    return Call(method, path, lambda answer: str(answer.json()["id"]), files=parts, timeout_s=600)


def _model(answer: httpx.Response) -> ModelRecord:
    return ModelRecord.read(answer.json())


def _entries(answer: httpx.Response) -> list[ModelListEntryPayload]:
    return [ModelListEntryPayload.read(model) for model in answer.json()["models"]]


def _content_type(file: Path) -> str:
    return mimetypes.guess_type(file.name)[0] or "application/octet-stream"
