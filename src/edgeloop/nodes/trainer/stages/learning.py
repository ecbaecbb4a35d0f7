"""The stages up to a trained model: download, train, report."""

import logging
from contextlib import aclosing
from dataclasses import replace

from edgeloop.client.calls.images import image_ids
from edgeloop.errors import TrainingFailed, TrainingInterrupted
from edgeloop.nodes.trainer.job import TrainingJob
from edgeloop.nodes.trainer.stages.workbench import Workbench
from edgeloop.nodes.trainer.worker import (
    TrainingPlan,
    drop,
    drop_others,
    earlier_epochs,
    ignored_hyperparameters,
    train,
    write_records,
)
from edgeloop.protocol import events
from edgeloop.protocol.payloads.trainings import counts_to_json
from edgeloop.types import Epoch, ImageRecord, LocalModel

log = logging.getLogger(__name__)

_ACKNOWLEDGED_WITHIN_S = 60.0


async def download_dataset(bench: Workbench, job: TrainingJob) -> TrainingJob:
    """The complete images and their annotations; raises TrainingFailed without any to train on."""
    images = bench.images(job)
    ids = await bench.client.send(
        image_ids(job.order.organization, job.order.project, state="complete")
    )
    records = await images.records(ids)
    unusable = set(
        await images.download([record.id for record in records], progress=bench.progress)
    )
    usable = [record for record in records if record.id not in unusable]
    if unusable:
        log.warning("%s: %d images are corrupt and left out.", job.title, len(unusable))
    write_records(job.folder / "dataset.json", usable)
    if not _count(usable, "train"):
        raise TrainingFailed(
            f"{job.order.organization}/{job.order.project} has no complete image in the split "
            "'train': annotate some images first."
        )
    return replace(
        job,
        train_images=_count(usable, "train", "val"),
        test_images=_count(usable, "test"),
        skipped_images=len(unusable),
    )


async def download_base_model(bench: Workbench, job: TrainingJob) -> TrainingJob:
    """The model to start from, if the order names one."""
    await _base_model(bench, job)
    return job


async def train_model(bench: Workbench, job: TrainingJob) -> TrainingJob:
    """Let the trainer train; its last epoch with files is the job's checkpoint."""
    plan = TrainingPlan(
        number=job.order.number,
        dataset=job.folder / "dataset.json",
        images=job.images,
        categories=job.order.categories,
        hyperparameters=job.order.hyperparameters,
        output=job.folder / "output",
        checkpoints=job.folder / "checkpoints",
        journal=job.folder / "epochs.jsonl",
        base=await _base_model(bench, job),
        variant=job.order.variant,
    )
    for sentence in ignored_hyperparameters(bench.trainer, plan.hyperparameters):
        log.warning("%s: %s", job.title, sentence)
    job = await _catch_up(bench, job, earlier_epochs(plan.journal))
    drop_others(plan.checkpoints, job.checkpoint)
    training = train(bench.trainer, plan, kill_after_s=bench.kill_after_s, on_output=bench.output)
    async with aclosing(training) as epochs:
        async for epoch in epochs:
            job = await _note(bench, job, epoch)
    await bench.epochs.delivered()
    if job.checkpoint is None:
        raise TrainingFailed("The trainer ended without an epoch that has files: yield one.")
    return job


async def report_metrics(bench: Workbench, job: TrainingJob) -> TrainingJob:
    """Tell the loop of the model; its answer may name the model's id."""
    order, best = job.order, checkpoint_of(job)
    content = {
        "trainer_id": bench.trainer_id,
        "trainer_name": bench.trainer_name,
        "confusion_matrix": counts_to_json(best.counts),
        "train_image_count": job.train_images,
        "test_image_count": job.test_images,
        "hyperparameters": dict(order.hyperparameters),
        "best_epoch": best.number,
        "metrics": dict(best.metrics),
    }
    await bench.session.connected.wait()
    answer = await bench.session.call(
        events.UPDATE_TRAINING,
        order.organization,
        order.project,
        content,
        timeout_s=_ACKNOWLEDGED_WITHIN_S,
    )
    if not answer.success:
        # The loop may know this training again a moment later: hours of work are not given up.
        raise TrainingInterrupted(f"The loop refused the figures: {answer.error_msg}")
    named = answer.payload if isinstance(answer.payload, dict) else {}
    return replace(job, model_id=named.get("model_uuid") or job.model_id)


def checkpoint_of(job: TrainingJob) -> Epoch:
    """The epoch whose files are the model."""
    if job.checkpoint is None:
        raise TrainingFailed(f"There is no model of {job.title}: begin it anew.")
    return job.checkpoint


async def _base_model(bench: Workbench, job: TrainingJob) -> LocalModel | None:
    if job.order.base_model_id is None:
        return None
    return await bench.model(job, job.order.base_model_id, bench.trainer.formats[0])


async def _catch_up(bench: Workbench, job: TrainingJob, epochs: list[Epoch]) -> TrainingJob:
    """Tell the loop again what it may have missed, and take the newest checkpoint there is."""
    for epoch in epochs:
        bench.epochs.put(job.order, epoch)
    whole = [epoch for epoch in epochs if epoch.files and _exist(epoch)]
    if not whole:
        return job
    job = replace(job, checkpoint=whole[-1])
    await bench.remember(job)
    return job


def _exist(epoch: Epoch) -> bool:
    return all(path.is_file() for paths in epoch.files.values() for path in paths)


async def _note(bench: Workbench, job: TrainingJob, epoch: Epoch) -> TrainingJob:
    bench.epochs.put(job.order, epoch)
    bench.progress(min(epoch.number / max(epoch.of, 1), 1.0))
    log.info("%s: epoch %d of %d.", job.title, epoch.number, epoch.of)
    if not epoch.files:
        return job
    newer = replace(job, checkpoint=epoch)
    await bench.remember(newer)
    drop(job.checkpoint)
    return newer


def _count(records: list[ImageRecord], *splits: str) -> int:
    return sum(record.split in splits for record in records)
