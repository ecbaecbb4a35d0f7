"""Trainings on a GPU: as good as on a CPU, and continued on either."""

from pathlib import Path

import pytest
import torch

from edgeloop.types import Epoch, LocalModel, ModelInformation, TrainingTask
from edgeloop.vision import CompactTrainer, OnnxDetector
from vision.blobs import CATEGORIES, blob_dataset, blob_task, map50_on_blobs

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]

INFO = ModelInformation("id", "o", "p", "1.0", categories=CATEGORIES)


def test_it_learns_on_the_gpu_what_a_machine_without_one_then_detects(tmp_path: Path) -> None:
    torch.cuda.reset_peak_memory_stats()
    dataset = blob_dataset(tmp_path / "images", train=80)
    task = blob_task(tmp_path / "training", dataset, iterations=500, epochs=2, learning_rate=2e-3)
    *_, last = CompactTrainer().train(task)
    assert torch.cuda.max_memory_allocated() > 1e6
    detector = OnnxDetector(LocalModel(INFO, last.files["onnx"][0].parent))
    detector.load()
    assert map50_on_blobs(detector) > 0.9


@pytest.mark.parametrize("first", ["gpu", "cpu"])
def test_a_training_goes_on_where_there_is_a_gpu_and_where_there_is_none(
    tmp_path: Path, first: str
) -> None:
    def quick_task(name: str) -> TrainingTask:
        dataset = blob_dataset(tmp_path / name / "images", train=8)
        return blob_task(tmp_path / name, dataset, iterations=6, epochs=3, batch_size=4)

    def epochs_of(task: TrainingTask, device: str, count: int) -> list[Epoch]:
        with pytest.MonkeyPatch.context() as patch:
            if device == "cpu":
                patch.setattr(torch.cuda, "is_available", lambda: False)
            training = CompactTrainer().train(task)
            return [next(training) for _ in range(count)]

    whole = epochs_of(quick_task("whole"), first, 3)
    task = quick_task("cut")
    epochs_of(task, first, 1)
    rest = epochs_of(task, "cpu" if first == "gpu" else "gpu", 2)
    assert [epoch.number for epoch in rest] == [2, 3]
    losses = [epoch.metrics["loss"] for epoch in rest]
    assert losses == pytest.approx([epoch.metrics["loss"] for epoch in whole[1:]], rel=0.05)
