"""A detector as users of 0.11.1 write it: one box in every image."""

from typing import Any

import numpy as np
from learning_loop_node.data_classes import BoxDetection, ImageMetadata
from learning_loop_node.detector.detector_logic import DetectorLogic
from learning_loop_node.detector.detector_node import DetectorNode

from peers.nodes.serving import arguments, serve


class BoxLogic(DetectorLogic):
    """Sees the model's first category in the corner of every image."""

    def __init__(self) -> None:
        super().__init__("mocked")

    def init(self) -> None:
        """Nothing is to be loaded."""

    def evaluate(self, image: np.ndarray[Any, Any]) -> ImageMetadata:
        """One box of 20 x 10 pixels at (4, 6)."""
        category = self.model_info.categories[0]
        box = BoxDetection(
            category_name=category.name,
            category_id=category.id,
            x=4,
            y=6,
            width=20,
            height=10,
            confidence=0.5,
            model_name=self.model_info.version,
        )
        return ImageMetadata(box_detections=[box])


if __name__ == "__main__":
    said = arguments()
    serve(DetectorNode(said.name, BoxLogic(), uuid=said.uuid))
