"""A detector as users of 0.27.0 write it: the same in every image."""

from typing import Any

import numpy as np
from learning_loop_node.data_classes import (
    ImageMetadata,
    ImagesMetadata,
    ModelInformation,
)
from learning_loop_node.detector.detector_node import DetectorNode

from peers.nodes.seeing import seen_by
from peers.nodes.serving import arguments, serve


class BoxLogic:
    """Sees the model's first two categories in the corner of every image."""

    def __init__(self, model_info: ModelInformation) -> None:
        self.model_info = model_info

    def evaluate(self, image: np.ndarray[Any, Any]) -> ImageMetadata:
        """What all logics here see."""
        return ImageMetadata(**seen_by(self.model_info))

    def batch_evaluate(self, images: list[np.ndarray[Any, Any]]) -> ImagesMetadata:
        """The same for each."""
        return ImagesMetadata(items=[self.evaluate(image) for image in images])


class BoxLogicFactory:
    """Builds the logic for each model that is deployed."""

    model_format = "mocked"

    async def build(self, model_info: ModelInformation) -> BoxLogic:
        """Nothing is to be loaded."""
        return BoxLogic(model_info)


if __name__ == "__main__":
    said = arguments()
    serve(DetectorNode(said.name, BoxLogicFactory(), uuid=said.uuid))
