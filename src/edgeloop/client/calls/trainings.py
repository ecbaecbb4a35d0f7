"""Calls about trainings."""

from collections.abc import Mapping
from typing import Any

import httpx

from edgeloop.client.call import Call
from edgeloop.client.calls.page import Page, page_parser
from edgeloop.client.calls.records import EpochRecord, TrainingRecord
from edgeloop.protocol import routes


def begin_training(
    project_id: str,
    *,
    hyperparameters: Mapping[str, Any],
    variant: str = "",
    base_model_id: str | None = None,
    trainer_id: str | None = None,
) -> Call[TrainingRecord]:
    """Queue a training; it starts as soon as a trainer (that one, or any) is idle."""
    body = {
        "hyperparameters": dict(hyperparameters),
        "variant": variant,
        "base_model_id": base_model_id,
        "trainer_id": trainer_id,
    }
    path = f"{routes.V1}/projects/{project_id}/trainings"
    return Call("POST", path, _training, json=body)


def training(training_id: str) -> Call[TrainingRecord]:
    """One training."""
    return Call("GET", f"{routes.V1}/trainings/{training_id}", _training)


def project_trainings(project_id: str) -> Call[Page[TrainingRecord]]:
    """The trainings of a project, newest first."""
    path = f"{routes.V1}/projects/{project_id}/trainings?limit=1000"
    return Call("GET", path, page_parser(TrainingRecord.read))


def epochs(training_id: str) -> Call[Page[EpochRecord]]:
    """The figures of a training, epoch by epoch."""
    path = f"{routes.V1}/trainings/{training_id}/epochs?limit=1000"
    return Call("GET", path, page_parser(EpochRecord.read))


def stop_training(training_id: str) -> Call[TrainingRecord]:
    """End a training early and keep its model."""
    return Call("POST", f"{routes.V1}/trainings/{training_id}/stop", _training)


def abort_training(training_id: str) -> Call[TrainingRecord]:
    """End a training and discard what it made."""
    return Call("POST", f"{routes.V1}/trainings/{training_id}/abort", _training)


def _training(answer: httpx.Response) -> TrainingRecord:
    return TrainingRecord.read(answer.json())
