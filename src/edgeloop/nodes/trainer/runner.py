"""Takes a job through its stages: remembers, repeats, reports, and ends when it is told to."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from edgeloop import durable
from edgeloop.client import Backoff
from edgeloop.errors import EdgeloopError, Forbidden, Unauthenticated
from edgeloop.nodes.trainer.job import JobFile, StageName, TrainingJob
from edgeloop.nodes.trainer.stages import Stage
from edgeloop.types import TrainerState

log = logging.getLogger(__name__)

Wish = Literal["stop", "abort"]
# Somebody may correct the account or the rights: hours of training are not given up for that.
_CURABLE = (Unauthenticated, Forbidden)


class Listener(Protocol):
    """Who wants to know of the training."""

    def changed(self) -> None:
        """The status has changed."""
        ...

    async def report(self) -> None:
        """Tell the loop of the status; raises LoopUnreachable where that fails."""
        ...


def patient_backoff() -> Backoff:
    """Pauses after failures of a stage: up to 5 s at first, up to 5 minutes later."""
    return Backoff(first_s=5.0, max_s=300.0)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait between attempts, and how waiting is done."""

    backoff: Callable[[], Backoff] = patient_backoff
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class TrainingRunner:
    """Runs the job of ``job_file``; all of its state that must survive is in that file."""

    def __init__(
        self,
        stages: Sequence[Stage],
        job_file: JobFile,
        *,
        listener: Listener,
        keep_folders: bool = False,
        pace: Pace | None = None,
    ) -> None:
        self.state = TrainerState.IDLE
        self.progress: float | None = None
        self.errors: dict[str, str] = {}
        self._stages = {stage.name: stage for stage in stages}
        self._order: list[StageName] = [stage.name for stage in stages]
        self._next: dict[StageName, StageName] = dict(
            zip(self._order, [*self._order[1:], "clean_up"], strict=True)
        )
        self._job_file = job_file
        self._listener = listener
        self._keep_folders = keep_folders
        self._pace = pace or Pace()
        self._wish: Wish | None = None
        self._leash: asyncio.Timeout | None = None

    async def begin(self, job: TrainingJob) -> None:
        """Take ``job`` on, durably: from now on it is only a matter of time. Raises StorageFull."""
        await self._job_file.save(job)
        self.errors = {}
        self._enter(TrainerState.INITIALIZED)

    async def run(self) -> None:
        """Take the present job to its end; on cancellation it stays as it is, to be resumed."""
        while (job := self._job_file.job) is not None:
            if job.stage == "clean_up":
                await self._interruptible(self._clean_up(job))
                await self._remove(job)
            elif not await self._interruptible(self._through(self._stages[job.stage])):
                await self._end_early(job)
        self._wish = None
        self.errors = {}
        self._enter(TrainerState.IDLE)

    def note_progress(self, fraction: float) -> None:
        """How far the present stage is, 0..1."""
        self.progress = fraction

    def stop(self) -> None:
        """End the training itself and go on with the model it has; no matter once it is over."""
        job = self._job_file.job
        if job and job.stage in ("download_dataset", "download_base_model", "train"):
            self._interrupt("stop")

    def abort(self) -> None:
        """End whatever is going on and discard it."""
        if self._job_file.job:
            self._interrupt("abort")

    def _interrupt(self, wish: Wish) -> None:
        log.info("The training shall end: %s.", wish)
        self._wish = wish if self._wish != "abort" else self._wish
        if self._leash:
            self._leash.reschedule(asyncio.get_running_loop().time())

    async def _interruptible(self, step: Awaitable[None]) -> bool:
        """Await ``step``; False if a wish ended it before it was done."""
        try:
            async with asyncio.timeout(0 if self._wish else None) as self._leash:
                await step
        except TimeoutError:
            if self._leash is None or not self._leash.expired():
                raise
            return False
        finally:
            self._leash = None
        return True

    async def _through(self, stage: Stage) -> None:
        backoff = self._pace.backoff()
        while (job := self._job_file.job) is not None:
            try:
                self._enter(stage.doing)
                done = await stage.run(job)
                await self._job_file.save(replace(done, stage=self._next[stage.name]))
            except (EdgeloopError, OSError) as error:
                if _is_final(error):
                    return await self._fail(stage, error)
                await self._pause(stage, error, backoff.next_s())
            else:
                self.errors.pop(stage.error_key, None)
                return self._enter(stage.done)
        return None

    async def _pause(self, stage: Stage, error: Exception, pause_s: float) -> None:
        log.warning("%s failed, next attempt in %.0f s: %s", stage.name, pause_s, error)
        self.errors[stage.error_key] = str(error)
        self._enter(self._before(stage))
        await self._pace.sleep(pause_s)

    async def _fail(self, stage: Stage, error: Exception) -> None:
        job = self._job_file.job
        if job is not None:
            log.error("%s failed in %s: %s", job.title, stage.name, error)
            self.errors[stage.error_key] = str(error)
            await self._give_up(replace(job, stage="clean_up", errors=dict(self.errors)))

    async def _end_early(self, job: TrainingJob) -> None:
        wish, self._wish = self._wish, None
        job = self._job_file.job or job
        if wish == "stop" and job.stage == "train" and job.checkpoint:
            await self._job_file.save(replace(job, stage="report_metrics"))
            self._enter(TrainerState.TRAINING_FINISHED)
        elif wish == "abort" or job.stage in ("download_dataset", "download_base_model", "train"):
            log.info("%s is discarded.", job.title)
            self.errors.clear()
            await self._give_up(replace(job, stage="clean_up", checkpoint=None))

    async def _give_up(self, job: TrainingJob) -> None:
        try:
            await self._job_file.save(job)
        except (EdgeloopError, OSError) as error:
            # Whoever aborts because the disk is full needs the clean-up most of all.
            log.warning("The end of %s could not be noted: %s", job.title, error)
            self._job_file.job = job

    async def _clean_up(self, job: TrainingJob) -> None:
        self.errors = dict(job.errors)
        self._enter(TrainerState.READY_FOR_CLEANUP)
        backoff = self._pace.backoff()
        while True:
            try:
                return await self._listener.report()
            except EdgeloopError as error:
                log.info("The end of %s is not reported yet: %s", job.title, error)
            await self._pace.sleep(backoff.next_s())

    async def _remove(self, job: TrainingJob) -> None:
        if self._keep_folders:
            log.info("%s is over; its files stay in %s.", job.title, job.folder)
        elif job.errors and job.checkpoint:
            log.warning("%s failed; the model that it had stays in %s.", job.title, job.folder)
        else:
            await asyncio.to_thread(durable.remove, job.folder)
        await self._job_file.remove()

    def _enter(self, state: TrainerState) -> None:
        self.state = state
        self.progress = None
        self._listener.changed()

    def _before(self, stage: Stage) -> TrainerState:
        index = self._order.index(stage.name)
        return self._stages[self._order[index - 1]].done if index else TrainerState.INITIALIZED


def _is_final(error: EdgeloopError | OSError) -> bool:
    if isinstance(error, OSError):
        return False
    return not (error.retryable or isinstance(error, _CURABLE))
