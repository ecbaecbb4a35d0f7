"""A detector as users of 0.11.1 write it: the same in every image."""

from typing import Any

import numpy as np
from learning_loop_node.data_classes import ImageMetadata
from learning_loop_node.detector.detector_logic import DetectorLogic
from learning_loop_node.detector.detector_node import DetectorNode

from peers.nodes.seeing import seen_by
from peers.nodes.serving import arguments, serve


class BoxLogic(DetectorLogic):
    """Sees the model's first two categories in the corner of every image."""

    def __init__(self) -> None:
        super().__init__("mocked")

    def init(self) -> None:
        """Nothing is to be loaded."""

    def evaluate(self, image: np.ndarray[Any, Any]) -> ImageMetadata:
        """What all logics here see."""
        return ImageMetadata(**seen_by(self.model_info))


if __name__ == "__main__":
    said = arguments()
    serve(DetectorNode(said.name, BoxLogic(), uuid=said.uuid))
