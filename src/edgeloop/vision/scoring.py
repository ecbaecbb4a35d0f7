"""How well a network in training sees the images of a split."""

from collections.abc import Sequence

import numpy as np
import torch

from edgeloop.evaluation import Evaluation, EvaluationImage, evaluate
from edgeloop.types import Category, DatasetImage, Detections, ModelInformation
from edgeloop.vision.dataset import load_fitted
from edgeloop.vision.letterbox import Fitted, RawDetections, detections_in
from edgeloop.vision.network import CompactNetwork, PeakDetector

_BATCH = 8


class Scorer:
    """Evaluates networks on the same images, which are decoded once."""

    def __init__(
        self, images: Sequence[DatasetImage], categories: Sequence[Category], size: tuple[int, int]
    ) -> None:
        self._images = images
        self._fitted = load_fitted(images, size)
        self._model = ModelInformation(
            id="", organization="", project="", version="", categories=tuple(categories)
        )

    def score(self, network: CompactNetwork, *, confidence: float | None = None) -> Evaluation:
        """All figures, in pixels of the full images; counts from ``confidence`` on, or where F1
        is best."""
        found = detect_all(network, self._fitted, self._model)
        scenes = [
            EvaluationImage(image.record.id, image.record.annotations, detections)
            for image, detections in zip(self._images, found, strict=True)
        ]
        return evaluate(scenes, self._model.categories, confidence=confidence)


@torch.no_grad()
def detect_all(
    network: CompactNetwork, images: Sequence[Fitted], model: ModelInformation
) -> list[Detections]:
    """What the network sees in each image."""
    detector = PeakDetector(network).eval()
    device = next(network.parameters()).device
    found: list[Detections] = []
    for start in range(0, len(images), _BATCH):
        chunk = images[start : start + _BATCH]
        pixels = torch.from_numpy(np.stack([image.pixels for image in chunk])).to(device)
        outputs = [output.cpu().numpy() for output in detector(pixels)]
        found.extend(
            detections_in(image, RawDetections(*arrays), model)
            for image, *arrays in zip(chunk, *outputs, strict=True)
        )
    return found
