"""The detector that ships: an exported network on onnxruntime, without torch."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from edgeloop.errors import ModelLoadFailed
from edgeloop.nodes.contracts import Detector
from edgeloop.types import Detections, ImageArray, ModelInformation
from edgeloop.vision.extras import needs_extra

GRAPH = "model.onnx"


class OnnxDetector(Detector):
    """Runs ``model.onnx``: ``image`` (b, height, width, 3) uint8 RGB -> ``boxes``, ``scores``,
    ``labels`` as ``vision.export`` writes them. Answers detections from a confidence of 0.05."""

    model_format: ClassVar[str] = "onnx"
    max_batch: ClassVar[int] = 8

    threads: ClassVar[int] = 0
    """Threads of one inference; 0 takes all cores."""

    def load(self) -> None:
        """Load the graph and run it once; raises ModelLoadFailed."""
        with needs_extra("onnx"):
            import onnxruntime

            from edgeloop.vision import letterbox
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = self.threads
        # Idle threads that spin would take the cores from everyone else on a small machine.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = self.model.path / GRAPH
        try:
            session = onnxruntime.InferenceSession(
                path, options, providers=onnxruntime.get_available_providers()
            )
            _, height, width, _ = session.get_inputs()[0].shape
            facts = session.get_modelmeta().custom_metadata_map
            self._padding = int(facts["padding"])
            self._info = _with_labels(self.model.info, json.loads(facts["categories"]))
            session.run(None, {"image": np.zeros((1, height, width, 3), np.uint8)})
        except Exception as error:  # onnxruntime's errors have no common base of their own
            message = f"{path} is not a model that this detector can run: {error}"
            raise ModelLoadFailed(message) from error
        self._session: Any = session
        self._size = (int(width), int(height))
        self._letterbox = letterbox

    def detect(self, image: ImageArray) -> Detections:
        """Find things in ``image``: (height, width, 3) uint8 RGB."""
        return self.detect_batch([image])[0]

    def detect_batch(self, images: Sequence[ImageArray]) -> list[Detections]:
        """The same for several images in one run."""
        fitted = [self._letterbox.fit(image, self._size, padding=self._padding) for image in images]
        pixels = np.stack([each.pixels for each in fitted])
        boxes, scores, labels = self._session.run(None, {"image": pixels})
        return [
            self._letterbox.detections_in(each, self._letterbox.RawDetections(*arrays), self._info)
            for each, *arrays in zip(fitted, boxes, scores, labels, strict=True)
        ]

    def close(self) -> None:
        """Free the session."""
        self._session = None


def _with_labels(model: ModelInformation, ids: Sequence[str]) -> ModelInformation:
    """The model with the categories that its labels stand for, in their order; a project may
    have others that no box detector learns."""
    categories = {category.id: category for category in model.categories}
    missing = [each for each in ids if each not in categories]
    if missing:
        raise ModelLoadFailed(f"its categories {', '.join(missing)} are not in model.json")
    return replace(model, categories=tuple(categories[each] for each in ids))
