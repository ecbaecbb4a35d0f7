"""Calls about trainings."""

from collections.abc import Mapping
from typing import Any

import httpx

from edgeloop.client.call import Call, nothing
from edgeloop.client.calls.page import Page, page_parser, paging
from edgeloop.client.calls.records import (
    EpochRecord,
    LogRecord,
    TrainingRecord,
    WaitingRecord,
)
from edgeloop.protocol import routes

PROMOTED = "promoted"
"""Stands for the id of the project's promoted model, or for none where there is none."""


def begin_training(  # noqa: PLR0913 - what a training is made of
    project_id: str,
    *,
    hyperparameters: Mapping[str, Any],
    variant: str = "",
    model_format: str = "",
    base_model_id: str | None = PROMOTED,
    trainer_id: str | None = None,
) -> Call[TrainingRecord]:
    """Queue a training; it starts as soon as a trainer that offers what it needs is idle.

    It starts from the project's promoted model, if there is one; ``base_model_id`` None: from
    scratch. ``trainer_id``: by that trainer alone.
    """
    body = {
        "hyperparameters": dict(hyperparameters),
        "variant": variant,
        "model_format": model_format,
        "base_model_id": base_model_id,
        "trainer_id": trainer_id,
    }
    path = f"{routes.V1}/projects/{project_id}/trainings"
    return Call("POST", path, _training, json=body)


def training(training_id: str) -> Call[TrainingRecord]:
    """One training."""
    return Call("GET", f"{routes.V1}/trainings/{training_id}", _training)


def project_trainings(
    project_id: str, *, after: str | None = None, limit: int = 1000
) -> Call[Page[TrainingRecord]]:
    """The trainings of a project, newest first."""
    path = f"{routes.V1}/projects/{project_id}/trainings?{paging(after, limit)}"
    return Call("GET", path, page_parser(TrainingRecord.read))


def epochs(
    training_id: str, *, after: str | None = None, limit: int = 1000
) -> Call[Page[EpochRecord]]:
    """The figures of a training, epoch by epoch; ``after`` is the number of one."""
    path = f"{routes.V1}/trainings/{training_id}/epochs?{paging(after, limit)}"
    return Call("GET", path, page_parser(EpochRecord.read))


def training_log(training_id: str) -> Call[LogRecord]:
    """The end of a training's log, as its trainer told it."""
    path = f"{routes.V1}/trainings/{training_id}/log"
    return Call("GET", path, lambda answer: LogRecord.read(answer.json()))


def stop_training(training_id: str) -> Call[TrainingRecord]:
    """End a training early and keep its model."""
    return Call("POST", f"{routes.V1}/trainings/{training_id}/stop", _training)


def abort_training(training_id: str) -> Call[TrainingRecord]:
    """End a training and discard what it made; asked twice, whatever its trainer does."""
    return Call("POST", f"{routes.V1}/trainings/{training_id}/abort", _training)


def take_back_wish(training_id: str) -> Call[TrainingRecord]:
    """Ask no more that a training stops or aborts."""
    return Call("DELETE", f"{routes.V1}/trainings/{training_id}/wish", _training)


def queue(*, after: str | None = None, limit: int = 1000) -> Call[Page[WaitingRecord]]:
    """The trainings that wait for a trainer, in the order in which they get one."""
    path = f"{routes.V1}/queue?{paging(after, limit)}"
    return Call("GET", path, page_parser(WaitingRecord.read))


def place_training(training_id: str, *, before: str | None = None) -> Call[None]:
    """Let a training wait directly before another one, or as the last."""
    path = f"{routes.V1}/trainings/{training_id}/place"
    return Call("PUT", path, nothing, json={"before": before})


def _training(answer: httpx.Response) -> TrainingRecord:
    return TrainingRecord.read(answer.json())
