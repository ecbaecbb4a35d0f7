"""What all stages of a training work with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from edgeloop.client import AsyncLoopClient, LoopSession
from edgeloop.nodes.contracts import Trainer
from edgeloop.nodes.model_store import ModelStore
from edgeloop.nodes.trainer.dataset import ProjectImages
from edgeloop.nodes.trainer.job import TrainingJob
from edgeloop.nodes.trainer.stages.epochs import EpochReports
from edgeloop.nodes.trainer.worker import KILL_AFTER_S
from edgeloop.types import LocalModel


@dataclass(frozen=True, slots=True)
class Workbench:
    """The trainer, the ways to the loop, and where progress goes.

    ``remember`` saves a job in the middle of a stage; ``progress`` takes 0..1; ``output`` hears
    what the training prints.
    """

    trainer: type[Trainer]
    trainer_id: str
    trainer_name: str
    client: AsyncLoopClient
    session: LoopSession
    epochs: EpochReports
    remember: Callable[[TrainingJob], Awaitable[None]]
    progress: Callable[[float], None]
    output: Callable[[str], None] | None = None
    batch_size: int = 10
    kill_after_s: float = KILL_AFTER_S

    def images(self, job: TrainingJob) -> ProjectImages:
        """The images of the job's project."""
        order = job.order
        return ProjectImages(self.client, order.organization, order.project, folder=job.images)

    async def model(self, job: TrainingJob, model_id: str, model_format: str) -> LocalModel:
        """A model of the job's project; downloaded once per job."""
        if not self.client.login_headers:
            await self.client.log_in()
        return await ModelStore(job.folder / "models").fetch(
            self.client,
            job.order.organization,
            job.order.project,
            model_id=model_id,
            model_format=model_format,
        )
