"""Coloured blobs on noise: what a small network learns in seconds."""

from pathlib import Path

import cv2
import numpy as np

from edgeloop.evaluation import EvaluationImage, evaluate
from edgeloop.imaging import encode_jpeg
from edgeloop.types import (
    Annotations,
    BoxAnnotation,
    Category,
    Dataset,
    DatasetImage,
    ImageArray,
    ImageRecord,
    Split,
    TrainingTask,
)
from edgeloop.vision import OnnxDetector
from edgeloop.vision.hyperparameters import CompactHyperparameters

CATEGORIES = (Category("r", "red"), Category("g", "green"), Category("b", "blue"))
_COLOURS = ((220, 60, 60), (60, 200, 80), (70, 90, 230))


def blob_image(seed: int, *, width: int = 128, height: int = 96) -> tuple[ImageArray, Annotations]:
    """An image with one to three blobs of a side of 16..32 pixels."""
    rng = np.random.default_rng(seed)
    image = rng.integers(90, 150, (height, width, 3), dtype=np.uint8)
    boxes = []
    for _ in range(rng.integers(1, 4)):
        label, side = int(rng.integers(3)), int(rng.integers(16, 32))
        x, y = int(rng.integers(0, width - side)), int(rng.integers(0, height - side))
        centre = (x + side // 2, y + side // 2)
        cv2.circle(image, centre, side // 2, _COLOURS[label], -1)
        boxes.append(BoxAnnotation(CATEGORIES[label].id, x, y, side, side))
    return image, Annotations(boxes=tuple(boxes))


def blob_dataset(folder: Path, **counts: int) -> Dataset:
    """JPEGs in ``folder``, so many for each split."""
    folder.mkdir(parents=True, exist_ok=True)
    images = []
    splits: list[Split] = ["train", "test", "val"]
    for offset, split in enumerate(splits):
        for number in range(counts.get(split, 0)):
            image, annotations = blob_image(number * 3 + offset)
            path = folder / f"{split}_{number}.jpg"
            path.write_bytes(encode_jpeg(image))
            record = ImageRecord(path.stem, split, 128, 96, annotations, "complete")
            images.append(DatasetImage(record, path))
    return Dataset(tuple(images))


def blob_task(folder: Path, dataset: Dataset, **hyperparameters: float) -> TrainingTask:
    """A training of the blobs on one thread."""
    settings = {"width": 128, "height": 96, "threads": 1, "learning_rate": 5e-3, "ema_decay": 0.98}
    folder.mkdir(parents=True, exist_ok=True)
    return TrainingTask(
        number=1,
        dataset=dataset,
        categories=CATEGORIES,
        hyperparameters=CompactHyperparameters(**(settings | hyperparameters)),  # type: ignore[arg-type]
        output=folder,
    )


def map50_on_blobs(detector: OnnxDetector) -> float:
    """mAP50 on thirty images that no training has seen."""
    scenes = []
    for seed in range(10_000, 10_030):
        image, truth = blob_image(seed)
        scenes.append(EvaluationImage(str(seed), truth, detector.detect(image)))
    map50 = evaluate(scenes, CATEGORIES).map50
    assert map50 is not None
    return map50
