"""A detector of your own: a network on onnxruntime that takes an image and yields boxes."""

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime

from edgeloop import Detections
from edgeloop.nodes import Detector, DetectorNode


class OwnDetector(Detector):
    model_format = "onnx"

    def load(self) -> None:
        self.session = onnxruntime.InferenceSession(self.model.path / "model.onnx")
        self.height, self.width = self.session.get_inputs()[0].shape[1:3]

    def detect(self, image: npt.NDArray[np.uint8]) -> Detections:
        scale = min(self.height / image.shape[0], self.width / image.shape[1])
        small = cv2.resize(image, None, fx=scale, fy=scale)
        fitted = np.full((1, self.height, self.width, 3), 114, np.uint8)
        fitted[0, : small.shape[0], : small.shape[1]] = small
        boxes, scores, labels = self.session.run(None, {"image": fitted})
        seen = scores >= 0.05
        return Detections.from_xyxy(
            self.model.info, boxes[seen] / scale, scores[seen], labels[seen]
        )


if __name__ == "__main__":
    DetectorNode(OwnDetector).run()
