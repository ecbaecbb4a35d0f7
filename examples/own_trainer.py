"""A trainer without any learning library: it learns the mean colour of each category."""

import json
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from edgeloop import Detections, Epoch, TrainingTask
from edgeloop.nodes import Detector, Trainer, TrainerNode


class ColourDetector(Detector):
    model_format = "colours"

    def load(self) -> None:
        self.colours = json.loads((self.model.path / "colours.json").read_text())

    def detect(self, image: npt.NDArray[np.uint8]) -> Detections:
        boxes, classes = [], []
        for index, category in enumerate(self.model.info.categories):
            colour = np.array(self.colours.get(category.id, [-999] * 3))
            near = np.abs(image - colour).max(axis=2) < 40
            if near.any():
                ys, xs = np.nonzero(near)
                boxes.append([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
                classes.append(index)
        scores = np.full(len(boxes), 0.9)
        return Detections.from_xyxy(self.model.info, np.array(boxes), scores, np.array(classes))


class ColourTrainer(Trainer):
    formats = ("colours",)  # what a training yields
    detector = ColourDetector  # labels images after training; the same class runs on the edge

    def train(self, task: TrainingTask) -> Iterator[Epoch]:
        seen: dict[str, list[npt.NDArray[np.float64]]] = {c.id: [] for c in task.categories}
        for image in task.dataset.split("train"):
            pixels = np.asarray(Image.open(image.path).convert("RGB"))
            for box in image.record.annotations.boxes:
                x, y, w, h = (round(n) for n in (box.x, box.y, box.width, box.height))
                seen[box.category_id].append(pixels[y : y + h, x : x + w].mean(axis=(0, 1)))
        colours = {key: np.mean(found, axis=0).tolist() for key, found in seen.items() if found}
        file = task.output / "colours.json"
        file.write_text(json.dumps(colours))
        yield Epoch(
            1, of=1, metrics={"images": len(task.dataset.images)}, files={"colours": [file]}
        )


if __name__ == "__main__":
    TrainerNode(ColourTrainer).run()
