"""The detector that ships answers in the categories and pixels of its user."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from edgeloop.errors import ModelLoadFailed
from edgeloop.types import Category, LocalModel, ModelInformation
from edgeloop.vision import OnnxDetector
from edgeloop.vision.export import write_onnx
from edgeloop.vision.network import CompactNetwork

WHOLE = Category("w", "whole image", "classification")
BOX, POINT = Category("b", "box"), Category("p", "point", "point")


def model_in(folder: Path, *categories: Category) -> LocalModel:
    """A model that sees a point in every cell, and nothing else."""
    torch.manual_seed(0)
    network = CompactNetwork(2, 0.5).eval()
    last = list(network.heat.parameters())[-2:]
    torch.nn.init.normal_(last[0], std=1e-3)
    last[1].data = torch.tensor([-9.0, 3.0])
    write_onnx(network, (64, 48), folder / "model.onnx", category_ids=("b", "p"))
    return LocalModel(ModelInformation("1", "o", "p", "1.2", categories), folder)


def test_labels_are_categories_by_id_whatever_else_the_project_has(tmp_path: Path) -> None:
    detector = OnnxDetector(model_in(tmp_path, POINT, WHOLE, BOX))
    detector.load()
    found = detector.detect(np.zeros((96, 128, 3), np.uint8))
    assert not found.boxes
    assert {point.category_id for point in found.points} == {"p"}
    assert {point.model_name for point in found.points} == {"1.2"}


def test_a_label_without_its_category_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadFailed, match="its categories p are not in model"):
        OnnxDetector(model_in(tmp_path, BOX, WHOLE)).load()


def test_a_graph_of_another_making_is_refused(tmp_path: Path) -> None:
    model = model_in(tmp_path, BOX, POINT)
    graph = onnx.load(model.path / "model.onnx")
    del graph.metadata_props[:]
    onnx.save(graph, model.path / "model.onnx")
    with pytest.raises(ModelLoadFailed, match="not a model that this detector can run"):
        OnnxDetector(model).load()


def test_images_of_different_sizes_share_a_batch(tmp_path: Path) -> None:
    detector = OnnxDetector(model_in(tmp_path, BOX, POINT))
    detector.load()
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, shape, np.uint8) for shape in ((48, 64, 3), (200, 50, 3))]
    together = detector.detect_batch(images)
    for image, found in zip(images, together, strict=True):
        alone = detector.detect(image)
        assert found.confidences == pytest.approx(alone.confidences, abs=1e-5)
        assert all(point.x <= image.shape[1] for point in found.points)
        assert all(point.y <= image.shape[0] for point in found.points)
    detector.close()


def test_inference_needs_no_torch(tmp_path: Path) -> None:
    model_in(tmp_path, BOX, POINT)
    code = f"""
import sys
from pathlib import Path
import numpy
from edgeloop.types import Category, LocalModel, ModelInformation
from edgeloop.vision import OnnxDetector
categories = (Category("b", "box"), Category("p", "point", "point"))
model = LocalModel(ModelInformation("1", "o", "p", "1", categories), Path({str(tmp_path)!r}))
detector = OnnxDetector(model)
detector.load()
detector.detect(numpy.zeros((20, 20, 3), numpy.uint8))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
