"""The stages after training: the model and what it sees go to the loop."""

import asyncio
import json
import logging
import re
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgeloop import durable
from edgeloop.client.calls.images import image_ids, upload_detections
from edgeloop.client.calls.models import upload_training_model
from edgeloop.errors import Conflict, TrainingFailed
from edgeloop.nodes.trainer.job import TrainingJob
from edgeloop.nodes.trainer.stages.learning import checkpoint_of
from edgeloop.nodes.trainer.stages.workbench import Workbench
from edgeloop.nodes.trainer.worker import MODEL_JSON, DetectionPlan, detect
from edgeloop.protocol.payloads.categories import category_to_json
from edgeloop.protocol.payloads.detections import detections_to_json, read_detections
from edgeloop.types import ImageState

log = logging.getLogger(__name__)

IMAGES_PER_CALL = 100
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STATES: tuple[ImageState, ...] = ("inbox", "annotate", "review", "complete")


async def upload_model(bench: Workbench, job: TrainingJob) -> TrainingJob:
    """Every format with its model.json; a format that arrived once is not sent again.

    A loop may answer Conflict to a repetition; what it says then may name the model.
    """
    best = checkpoint_of(job)
    for model_format in bench.trainer.formats:
        if model_format not in job.uploaded:
            if model_format not in best.files:  # the trainer's class has changed since
                raise TrainingFailed(
                    f"The model of {job.title} has no files of the format {model_format}: "
                    "begin it anew."
                )
            model_id = await _upload(bench, job, model_format, best.files[model_format])
            job = replace(job, model_id=model_id, uploaded=(*job.uploaded, model_format))
            await bench.remember(job)
        bench.progress(len(job.uploaded) / len(bench.trainer.formats))
    return job


async def detect_images(bench: Workbench, job: TrainingJob) -> TrainingJob:
    """Let the new model, as the loop publishes it, look at all images that are not in the trash."""
    if job.model_id is None:
        raise TrainingFailed(f"The loop has no model of {job.title}: begin it anew.")
    ids = await _all_ids(bench, job)
    images = bench.images(job)
    unusable = set(await images.download(ids, progress=lambda done: bench.progress(done / 2)))
    await asyncio.to_thread(images.keep_only, ids)
    model = await bench.model(job, job.model_id, bench.trainer.detector.model_format)
    paths = tuple(images.path(image_id) for image_id in ids if image_id not in unusable)
    plan = DetectionPlan(model, paths, bench.batch_size)
    found = await _detect(bench, plan)
    seen = {"model_version": model.info.version, "images": found}
    await asyncio.to_thread(durable.write_json, job.folder / "detections.json", seen)
    return job


async def send_detections(bench: Workbench, job: TrainingJob) -> TrainingJob:
    """What the new model saw, some images per call."""
    seen = json.loads(await asyncio.to_thread((job.folder / "detections.json").read_bytes))
    entries, version = seen["images"], seen["model_version"]
    while chunk := entries[job.uploaded_detections :][:IMAGES_PER_CALL]:
        found = [(entry["image_id"], read_detections(entry)) for entry in chunk]
        call = upload_detections(
            job.order.organization, job.order.project, found, model_version=version
        )
        await bench.client.send(call)
        job = replace(job, uploaded_detections=job.uploaded_detections + len(chunk))
        await bench.remember(job)
        bench.progress(job.uploaded_detections / len(entries))
    return job


async def _upload(
    bench: Workbench, job: TrainingJob, model_format: str, files: Sequence[Path]
) -> str:
    order, best = job.order, checkpoint_of(job)
    categories = [category_to_json(category) for category in order.categories]
    description = files[0].parent / MODEL_JSON
    durable.write_json(description, {"categories": categories, **best.model_json})
    call = upload_training_model(
        order.organization, order.project, order.number, model_format, [*files, description]
    )
    try:
        return await bench.client.send(call)
    except Conflict as error:
        named = _UUID.search(str(error))
        model_id = named[0] if named else job.model_id
        if model_id is None:
            raise
        log.info("The loop has the format %s of %s already.", model_format, job.title)
        return model_id


async def _all_ids(bench: Workbench, job: TrainingJob) -> list[str]:
    ids: dict[str, None] = {}
    for state in _STATES:
        call = image_ids(job.order.organization, job.order.project, state=state)
        found = await bench.client.send(call)
        ids.update(dict.fromkeys(found))
    return list(ids)


async def _detect(bench: Workbench, plan: DetectionPlan) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    failures = 0
    detecting = detect(
        bench.trainer.detector, plan, kill_after_s=bench.kill_after_s, on_output=bench.output
    )
    async with aclosing(detecting) as results:
        async for image_id, found in results:
            if found is None:
                failures += 1
            else:
                entries.append({**detections_to_json(found), "image_id": image_id})
            bench.progress(0.5 + (len(entries) + failures) / len(plan.images) / 2)
    if failures:
        log.warning("The detector failed on %d of %d images.", failures, len(plan.images))
    return entries
