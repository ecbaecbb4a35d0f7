"""The detector in examples/ works with the models that the vision package exports."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from edgeloop.nodes import Detector
from edgeloop.types import BoxDetection, Category, ImageArray, LocalModel, ModelInformation
from edgeloop.vision import OnnxDetector
from edgeloop.vision.export import write_onnx
from edgeloop.vision.network import CompactNetwork

EXAMPLE = Path(__file__).parents[3] / "examples" / "own_detector.py"
IDS = ("r", "g", "b")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    """A network that sees something in noise; 128 x 96 pixels."""
    torch.manual_seed(0)
    network = CompactNetwork(len(IDS), 0.5)
    for head in (network.heat, network.distances):
        for parameter in list(head.parameters())[-2:]:
            torch.nn.init.normal_(parameter, std=0.5)
    folder = tmp_path_factory.mktemp("model")
    write_onnx(network.eval(), (128, 96), folder / "model.onnx", category_ids=IDS)
    (folder / "model.json").write_text(json.dumps({}))
    categories = tuple(Category(name, name) for name in IDS)
    return LocalModel(ModelInformation("m", "o", "p", "1.0", categories, format="onnx"), folder)


def noise(width: int, height: int) -> ImageArray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


Corners = npt.NDArray[np.float64]


def seen_by(detector: Detector, image: ImageArray) -> tuple[Corners, list[BoxDetection]]:
    """(n, 4) left, top, right, bottom, clipped to the image, and the boxes, the surest first."""
    detector.load()
    height, width = image.shape[:2]
    boxes = sorted(detector.detect(image).boxes, key=lambda box: -box.confidence)
    corners = [[box.x, box.y, box.x + box.width, box.y + box.height] for box in boxes]
    return np.clip(corners, 0, [width, height, width, height]), boxes


@pytest.fixture
def own(model: LocalModel) -> Detector:
    """The example, made for the model."""
    detector_class: Callable[[LocalModel], Detector] = runpy.run_path(str(EXAMPLE))["OwnDetector"]
    return detector_class(model)


def test_the_example_sees_what_the_detector_that_ships_sees(
    own: Detector, model: LocalModel
) -> None:
    image = noise(128, 96)
    mine, boxes = seen_by(own, image)
    shipped, expected = seen_by(OnnxDetector(model), image)
    assert len(boxes) > 5
    assert [box.category_id for box in boxes] == [box.category_id for box in expected]
    assert np.abs(mine - shipped).max() < 1e-3
    for box, other in zip(boxes, expected, strict=True):
        assert abs(box.confidence - other.confidence) < 1e-5


@pytest.mark.parametrize(("width", "height"), [(640, 480), (50, 200), (301, 97)])
def test_boxes_are_in_pixels_of_the_whole_image(own: Detector, width: int, height: int) -> None:
    corners, _ = seen_by(own, noise(width, height))
    assert corners[:, 2].max() > width / 2
    assert corners[:, 3].max() > height / 2
