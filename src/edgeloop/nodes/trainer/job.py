"""A training as a record on disk: it is there exactly while something is to be (re)started."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from edgeloop import durable
from edgeloop.errors import EdgeloopError
from edgeloop.protocol.payloads.trainings import TrainingOrder
from edgeloop.types import Epoch

log = logging.getLogger(__name__)

StageName = Literal[
    "download_dataset",
    "download_base_model",
    "train",
    "report_metrics",
    "upload_model",
    "detect",
    "upload_detections",
    "clean_up",
]


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """A training on its way: ``stage`` is what comes next.

    ``begun`` is in seconds since 1970. ``images`` is the project's folder of images, ``folder`` the
    training's own. ``checkpoint`` is the last epoch with files; they are copies below ``folder``.
    ``uploaded`` are the formats that the loop has, ``model_id`` is the loop's name for the model.
    ``errors`` say why it failed.
    """

    id: str
    order: TrainingOrder
    folder: Path
    images: Path
    begun: float
    stage: StageName = "download_dataset"
    train_images: int | None = None
    test_images: int | None = None
    skipped_images: int = 0
    checkpoint: Epoch | None = None
    model_id: str | None = None
    uploaded: tuple[str, ...] = ()
    uploaded_detections: int = 0
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """How people speak of it."""
        return f"training {self.order.number} of {self.order.organization}/{self.order.project}"


def new_job(
    order: TrainingOrder, data_folder: Path, *, training_id: str, now: float
) -> TrainingJob:
    """A job for an order; its folders lie in ``data_folder`` and do not exist yet."""
    organization, project = _part(order.organization), _part(order.project)
    name = f"{organization}_{project}_{order.number}_{training_id[:8]}"
    return TrainingJob(
        id=training_id,
        order=order,
        folder=data_folder / "trainings" / name,
        images=data_folder / "images" / organization / project,
        begun=now,
    )


class JobFile:
    """The one job of a node, in memory and on disk; saved in the order of the calls."""

    def __init__(self, path: Path) -> None:
        self.job: TrainingJob | None = None
        self._path = path
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="job-file")

    def load(self) -> TrainingJob | None:
        """The job that a former run left, if any; a file that makes no sense is set aside."""
        durable.sweep(self._path.parent)
        try:
            self.job = _JOB.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            self.job = None
        except ValidationError as error:
            self._set_aside(error)
        return self.job

    async def save(self, job: TrainingJob) -> None:
        """Make ``job`` the present one, durably; raises StorageFull."""
        content = _JOB.dump_json(job, indent=1)
        former, self.job = self.job, job
        try:
            await self._write(lambda: durable.write_bytes(self._path, content))
        except (EdgeloopError, OSError):
            self.job = former
            raise

    async def remove(self) -> None:
        """There is nothing to (re)start any more."""
        self.job = None
        await self._write(lambda: durable.remove(self._path))

    async def _write(self, action: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._writer, action)

    def _set_aside(self, error: ValidationError) -> None:
        broken = self._path.with_suffix(".broken")
        self._path.replace(broken)
        self.job = None
        log.error(
            "The training that was going on cannot be resumed: %s is not readable (%s). "
            "It lies in %s now; begin the training anew.",
            self._path,
            error.errors(include_url=False, include_input=False)[0]["msg"],
            broken,
        )


_JOB = TypeAdapter(TrainingJob)


def _part(name: str) -> str:
    # A name from the loop as one plain part of a path.
    return quote(name, safe="").replace(".", "%2E")
