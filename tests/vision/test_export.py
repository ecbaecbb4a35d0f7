"""The exported graph sees what the network sees."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from edgeloop.vision.export import write_onnx
from edgeloop.vision.network import CompactNetwork, PeakDetector


def network_with_opinions() -> CompactNetwork:
    """A fresh network's scores are all alike: this one's differ."""
    torch.manual_seed(0)
    network = CompactNetwork(3, 0.5)
    for head in (network.heat, network.distances):
        for parameter in list(head.parameters())[-2:]:
            torch.nn.init.normal_(parameter, std=0.5)
    return network.eval()


@pytest.mark.parametrize("batch", [1, 3])
def test_onnx_agrees_with_torch(tmp_path: Path, batch: int) -> None:
    network = network_with_opinions()
    write_onnx(network, (128, 96), tmp_path / "model.onnx", category_ids=("r", "g", "b"))
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    images = np.random.default_rng(0).integers(0, 256, (batch, 96, 128, 3), dtype=np.uint8)
    boxes, scores, labels = session.run(None, {"image": images})
    with torch.no_grad():
        expected = [output.numpy() for output in PeakDetector(network).eval()(_tensor(images))]
    peaks = expected[1] > 0.05  # what is no peak scores 0, in any order
    assert peaks.sum() > 10 * batch
    assert np.abs(boxes - expected[0])[peaks].max() < 1e-3
    assert np.abs(scores - expected[1]).max() < 1e-5
    assert (labels == expected[2])[peaks].all()


def _tensor(images: np.typing.NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(images)


def test_sides_that_are_no_multiples_of_32_can_be_exported(tmp_path: Path) -> None:
    write_onnx(network_with_opinions(), (136, 104), tmp_path / "m.onnx", category_ids=("r",))
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    boxes, _, _ = session.run(None, {"image": np.zeros((2, 104, 136, 3), np.uint8)})
    assert boxes.shape == (2, 100, 4)


def test_exporting_leaves_the_network_in_evaluation_mode(tmp_path: Path) -> None:
    network = CompactNetwork(1, 0.5).eval()
    write_onnx(network, (64, 64), tmp_path / "model.onnx", category_ids=("r",))
    assert not any(module.training for module in network.modules())
