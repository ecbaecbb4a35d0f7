"""Runs a Detector over images in a process of its own and yields what it saw."""

import logging
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgeloop import imaging
from edgeloop.errors import EdgeloopError, ModelLoadFailed
from edgeloop.nodes.contracts import Detector
from edgeloop.nodes.trainer.worker.output import OnOutput
from edgeloop.nodes.trainer.worker.process import KILL_AFTER_S, Message, WorkerProcess
from edgeloop.protocol.payloads.detections import detections_to_json, read_detections
from edgeloop.types import Detections, LocalModel

log = logging.getLogger(__name__)

MIN_CONFIDENCE = 0.05


@dataclass(frozen=True, slots=True)
class DetectionPlan:
    """Which model looks at which image files, and at how many of them at once."""

    model: LocalModel
    images: tuple[Path, ...]
    batch_size: int


async def detect(
    detector: type[Detector],
    plan: DetectionPlan,
    *,
    kill_after_s: float = KILL_AFTER_S,
    on_output: OnOutput | None = None,
) -> AsyncGenerator[tuple[str, Detections | None], None]:
    """Image id and what was seen in it; None where the detector failed on that image.

    ``on_output`` hears what the process prints. Closing the iterator ends the process. Raises
    TrainingFailed where the model cannot be used.
    """
    async with WorkerProcess(
        detections_of, detector, plan, kill_after_s=kill_after_s, on_output=on_output
    ) as process:
        async for message in process.messages():
            found = message["detections"]
            yield message["image"], None if found is None else read_detections(found)


def detections_of(detector: type[Detector], plan: DetectionPlan) -> Iterator[Message]:
    """What runs in the process: one message per image, confidences from MIN_CONFIDENCE up."""
    model = _load(detector, plan.model)
    size = max(1, min(plan.batch_size, detector.max_batch))
    failures = 0
    for start in range(0, len(plan.images), size):
        paths = plan.images[start : start + size]
        for path, found in zip(paths, _look(model, paths), strict=True):
            failures += found is None
            yield {
                "kind": "detections",
                "image": path.stem,
                "detections": None if found is None else _to_json(found, plan.model.info.version),
            }
    model.close()
    if plan.images and failures == len(plan.images):
        raise ModelLoadFailed(f"{detector.__name__} failed on every image: see this node's output.")


def _load(detector: type[Detector], model: LocalModel) -> Detector:
    try:
        loaded = detector(model)
        loaded.load()
    except EdgeloopError:
        raise
    except Exception as error:
        log.exception("The new model cannot be loaded.")
        message = f"{detector.__name__} cannot load the new model: {type(error).__name__}: {error}"
        raise ModelLoadFailed(message) from error
    return loaded


def _look(model: Detector, paths: Sequence[Path]) -> list[Detections | None]:
    try:
        images = [imaging.decode(path.read_bytes()) for path in paths]
        found = model.detect_batch(images)
        if len(found) == len(paths):
            return list(found)
        log.error("%s answered %d of %d images.", type(model).__name__, len(found), len(paths))
    except Exception:
        log.exception("Detection failed on %s.", ", ".join(path.stem for path in paths))
    return [None] if len(paths) == 1 else [_look(model, [path])[0] for path in paths]


def _to_json(found: Detections, version: str) -> dict[str, object]:
    kept = found.above(MIN_CONFIDENCE)
    return detections_to_json(
        Detections(
            boxes=tuple(replace(item, model_name=version) for item in kept.boxes),
            points=tuple(replace(item, model_name=version) for item in kept.points),
            segmentations=tuple(replace(item, model_name=version) for item in kept.segmentations),
            classifications=tuple(
                replace(item, model_name=version) for item in kept.classifications
            ),
        )
    )
