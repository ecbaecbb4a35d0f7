"""The parts of a running trainer: orders come in, a runner does them, reports go out."""

import asyncio
import contextlib
import logging
import time
import uuid
from typing import Any

from edgeloop import __version__, host
from edgeloop.client import AsyncLoopClient, LoopSession
from edgeloop.errors import EdgeloopError, InputError, LoopUnreachable
from edgeloop.nodes.contracts import Trainer
from edgeloop.nodes.identity import node_id
from edgeloop.nodes.settings import TrainerSettings
from edgeloop.nodes.trainer.job import JobFile, TrainingJob, new_job
from edgeloop.nodes.trainer.runner import Pace, TrainingRunner
from edgeloop.nodes.trainer.stages import EpochReports, TrainingLog, Workbench, training_stages
from edgeloop.nodes.trainer.worker import read_hyperparameters
from edgeloop.protocol import events
from edgeloop.protocol.payloads.nodes import acknowledgement, trainer_status_to_json
from edgeloop.protocol.payloads.trainings import TrainingOrder, read_training_order
from edgeloop.types import TrainerStatus

log = logging.getLogger(__name__)

STATUS_EVERY_S = 5.0


class TrainerDesk:
    """Takes orders, has them run, and reports."""

    def __init__(
        self,
        trainer: type[Trainer],
        settings: TrainerSettings,
        *,
        client: AsyncLoopClient,
        session: LoopSession | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._trainer = trainer
        self._settings = settings
        self._id = node_id(settings.folder, settings.name)
        self._session = session or LoopSession(client.settings, node_type="trainer")
        self._epochs = EpochReports(self._session)
        self._log = TrainingLog(self._session)
        self._job_file = JobFile(settings.folder / "training.json")
        bench = Workbench(
            trainer=trainer,
            trainer_id=self._id,
            trainer_name=settings.name,
            client=client,
            session=self._session,
            epochs=self._epochs,
            remember=self._job_file.save,
            progress=lambda fraction: self._runner.note_progress(fraction),
            output=self._log.hear,
            batch_size=settings.inference_batch_size,
        )
        self._runner = TrainingRunner(
            training_stages(bench),
            self._job_file,
            listener=self,
            keep_folders=settings.keep_old_trainings,
            pace=pace,
        )
        self._reporting = asyncio.Lock()
        self._news = asyncio.Event()
        self._active = asyncio.Event()
        self._begun = asyncio.Event()
        self._ended = asyncio.Event()

    def tasks(self) -> list[host.Task]:
        """What runs side by side; the node ends when one of them does."""
        tasks: list[host.Task] = [
            self._session.run,
            self._epochs.run,
            self._log.run,
            self._take_commands,
            self._report_status,
            self._train,
            self._until_restart,
        ]
        return [*tasks, self._until_idle_for_long] if self._settings.idle_timeout_s else tasks

    def status(self) -> TrainerStatus:
        """What the loop is told."""
        job, runner = self._job_file.job, self._runner
        return TrainerStatus(
            id=self._id,
            name=self._settings.name,
            state=runner.state,
            errors=dict(runner.errors),
            uptime_s=time.time() - job.begun if job else None,
            progress=runner.progress,
            variants=tuple((v.name, v.label, v.description) for v in self._trainer.variants),
            architecture=self._trainer.__name__,
            organization=job.order.organization if job else None,
            project=job.order.project if job else None,
            model_format=self._trainer.formats[0],
            formats=tuple(self._trainer.formats),
            node_version=self._settings.version or f"edgeloop {__version__}",
            skipped_images=job.skipped_images if job else 0,
        )

    def changed(self) -> None:
        """Have the status reported soon."""
        self._news.set()
        self._active.set()

    async def report(self) -> None:
        """Tell the loop, one report after the other; raises LoopUnreachable if it has not heard."""
        async with self._reporting:
            try:
                said = trainer_status_to_json(self.status())
                answer = await self._session.call(events.UPDATE_TRAINER, said, timeout_s=30.0)
            except LoopUnreachable:
                self._session.reconnect()
                raise
            except EdgeloopError as error:
                log.debug("The loop's answer to a report is ignored: %s", error)
                return
            if not answer.success:
                self._session.reconnect()
                raise LoopUnreachable(f"The loop refused this trainer: {answer.error_msg}")

    async def obey(self, command: str, *arguments: Any) -> dict[str, Any]:
        """Do what the loop asks; answers the acknowledgement."""
        log.info("The loop asks: %s.", command)
        match command:
            case events.BEGIN_TRAINING:
                return await self._begin(arguments)
            case events.STOP_TRAINING:
                self._runner.stop()
            case events.ABORT_TRAINING:
                self._runner.abort()
            case events.RESTART:
                self._ended.set()
            case _:
                return acknowledgement(success=False, error=f"unknown command {command}")
        return acknowledgement()

    def abort(self) -> None:
        """End the present training and discard it."""
        self._runner.abort()

    async def _take_commands(self) -> None:
        async for command in self._session.commands():
            await command.answer(await self.obey(command.name, *command.arguments))

    async def _begin(self, arguments: tuple[Any, ...]) -> dict[str, Any]:
        if job := self._job_file.job:
            text = f"{job.title} is still active on this trainer: wait for its end, or abort it."
            return acknowledgement(success=False, error=text, payload="refused")
        try:
            order = self._read_order(arguments)
            await self._runner.begin(self._new_job(order))
        except EdgeloopError as error:
            log.warning("The training is refused: %s", error)
            refusal = "refused" if error.retryable else None
            return acknowledgement(success=False, error=str(error), payload=refusal)
        self._begun.set()
        return acknowledgement()

    def _read_order(self, arguments: tuple[Any, ...]) -> TrainingOrder:
        if len(arguments) != 3:
            raise InputError("begin_training takes organization, project and details.")
        order = read_training_order(*arguments)
        read_hyperparameters(self._trainer, order.hyperparameters)
        variants = [variant.name for variant in self._trainer.variants]
        if order.variant and order.variant not in variants:
            raise InputError(f"There is no variant {order.variant!r}: choose one of {variants}.")
        return order

    def _new_job(self, order: TrainingOrder) -> TrainingJob:
        folder, training_id = self._settings.folder, str(uuid.uuid4())
        return new_job(order, folder, training_id=training_id, now=time.time())

    async def _train(self) -> None:
        if job := self._job_file.load():
            log.info("%s is resumed at %s.", job.title, job.stage)
            self._begun.set()
        while True:
            await self._begun.wait()
            self._begun.clear()
            await self._run_logged()
            log.info("The training is over.")
            if self._settings.restart_after_training:
                with contextlib.suppress(EdgeloopError):
                    await self.report()
                return

    async def _run_logged(self) -> None:
        if job := self._job_file.job:
            with self._log.open(job.order, job.folder / "training.log"):
                await self._runner.run()

    async def _report_status(self) -> None:
        while True:
            await self._session.connected.wait()
            self._news.clear()
            with contextlib.suppress(EdgeloopError):
                await self.report()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STATUS_EVERY_S):
                    await self._news.wait()

    async def _until_restart(self) -> None:
        await self._ended.wait()
        log.info("The loop asked for a restart.")

    async def _until_idle_for_long(self) -> None:
        while True:
            self._active.clear()
            try:
                async with asyncio.timeout(self._settings.idle_timeout_s):
                    await self._active.wait()
            except TimeoutError:
                if self._job_file.job is None:
                    log.info("Idle for %s s: the node ends.", self._settings.idle_timeout_s)
                    return
