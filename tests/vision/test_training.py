"""The compact detector learns, goes on after a cut, and starts from an earlier model."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeloop.errors import ModelLoadFailed, TrainingFailed
from edgeloop.evaluation import EvaluationImage, evaluate
from edgeloop.types import (
    Annotations,
    Category,
    Dataset,
    Detections,
    Epoch,
    LocalModel,
    ModelInformation,
    TrainingTask,
)
from edgeloop.vision import CompactTrainer, OnnxDetector
from vision.blobs import CATEGORIES, blob_dataset, blob_image, blob_task, map50_on_blobs

INFO = ModelInformation("id", "o", "p", "1.0", categories=CATEGORIES)


def run(task: TrainingTask) -> list[Epoch]:
    return list(CompactTrainer().train(task))


def detector_of(epoch: Epoch) -> OnnxDetector:
    detector = OnnxDetector(LocalModel(INFO, epoch.files["onnx"][0].parent))
    detector.load()
    return detector


def quick_task(tmp_path: Path, **hyperparameters: float) -> TrainingTask:
    dataset = blob_dataset(tmp_path / "images", train=8, test=2)
    settings = {"iterations": 6, "epochs": 3, "batch_size": 4} | hyperparameters
    return blob_task(tmp_path / "training", dataset, **settings)


def test_it_learns_coloured_blobs_in_half_a_minute(tmp_path: Path) -> None:
    dataset = blob_dataset(tmp_path / "images", train=80)
    task = blob_task(tmp_path / "training", dataset, iterations=500, epochs=2, learning_rate=2e-3)
    detector = detector_of(run(task)[-1])
    assert map50_on_blobs(detector) > 0.9


def test_every_epoch_is_reported_and_the_last_has_all_files(tmp_path: Path) -> None:
    epochs = run(quick_task(tmp_path))
    assert [(epoch.number, epoch.of) for epoch in epochs] == [(1, 3), (2, 3), (3, 3)]
    assert all(epoch.metrics["loss"] > 0 for epoch in epochs)
    assert all(path.is_file() for paths in epochs[-1].files.values() for path in paths)
    assert set(epochs[-1].files) == {"torch", "onnx"}
    assert epochs[-1].model_json["resolution"] == 128
    assert "test_map50" in epochs[-1].metrics


def test_with_a_val_split_the_best_epoch_is_the_model(tmp_path: Path) -> None:
    dataset = blob_dataset(tmp_path / "images", train=30, val=10)
    task = blob_task(tmp_path / "training", dataset, iterations=60, epochs=4)
    epochs = run(task)
    best = max(epoch.metrics["map50_95"] for epoch in epochs)
    with_files = [epoch for epoch in epochs if epoch.files]
    assert with_files[-1].files["onnx"][0].is_file()
    detector = detector_of(with_files[-1])
    scenes = [
        EvaluationImage(i.record.id, i.record.annotations, detector.detect(_pixels(i.path)))
        for i in dataset.split("val")
    ]
    found = evaluate(scenes, CATEGORIES).map50_95
    assert found == pytest.approx(best, abs=0.02)
    assert 0 < with_files[-1].model_json["conf_threshold"] < 1


def _pixels(path: Path) -> "np.typing.NDArray[np.uint8]":
    from edgeloop.imaging import decode

    return decode(path.read_bytes())


def test_a_training_that_was_cut_off_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = run(quick_task(tmp_path / "whole"))[-1]
    task = quick_task(tmp_path / "cut")
    epochs = CompactTrainer().train(task)
    assert next(epochs).number == 1
    del epochs  # cut off
    resumed = run(task)
    assert [epoch.number for epoch in resumed] == [2, 3]
    assert resumed[-1].metrics["loss"] == pytest.approx(whole.metrics["loss"], rel=1e-4)


def test_a_training_that_was_cut_off_at_its_end_yields_its_model_again(tmp_path: Path) -> None:
    task = quick_task(tmp_path)
    run(task)
    again = run(task)
    assert [epoch.number for epoch in again] == [3]
    assert again[0].files["onnx"][0].is_file()


def test_a_resumed_training_says_its_best_epoch_again(tmp_path: Path) -> None:
    dataset = blob_dataset(tmp_path / "images", train=8, val=2)
    task = blob_task(tmp_path / "training", dataset, iterations=4, epochs=4)
    epochs = CompactTrainer().train(task)
    first = next(epochs)
    assert first.files
    del epochs  # cut off
    again = CompactTrainer().train(task)
    assert next(again) == first
    assert all(path.is_file() for paths in first.files.values() for path in paths)
    assert [epoch.number for epoch in again] == [2, 3, 4]


def test_a_damaged_checkpoint_is_a_fresh_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = quick_task(tmp_path)
    run(task)
    (task.output / "checkpoint.pt").write_bytes(b"half a fi")
    assert [epoch.number for epoch in run(task)] == [1, 2, 3]
    assert "starting anew" in caplog.text


def test_without_a_test_split_there_are_no_counts(tmp_path: Path) -> None:
    dataset = blob_dataset(tmp_path / "images", train=4)
    last = run(blob_task(tmp_path / "training", dataset, iterations=2, epochs=1))[-1]
    assert not last.counts
    assert last.files
    assert last.model_json["conf_threshold"] == 0.3


def test_categories_that_are_no_boxes_do_not_shift_the_labels(tmp_path: Path) -> None:
    dataset = blob_dataset(tmp_path / "images", train=40)
    task = blob_task(tmp_path / "training", dataset, iterations=100, epochs=1)
    categories = (Category("w", "whole image", "classification"), *CATEGORIES)
    last = run(replace(task, categories=categories))[-1]
    info = replace(INFO, categories=categories)
    detector = OnnxDetector(LocalModel(info, last.files["onnx"][0].parent))
    detector.load()
    image = np.full((96, 128, 3), 120, np.uint8)
    cv2.circle(image, (60, 50), 12, (220, 60, 60), -1)
    boxes = detector.detect(image).boxes
    assert boxes[0].category_name == "red"


def test_other_settings_do_not_continue_an_old_checkpoint(tmp_path: Path) -> None:
    task = quick_task(tmp_path)
    run(task)
    other = replace(task, hyperparameters=replace(task.hyperparameters, seed=1))
    assert [epoch.number for epoch in run(other)] == [1, 2, 3]


def test_the_same_seed_gives_the_same_model(tmp_path: Path) -> None:
    first = run(quick_task(tmp_path / "a"))[-1].metrics
    assert run(quick_task(tmp_path / "b"))[-1].metrics == first


def test_a_base_model_is_trained_further(tmp_path: Path) -> None:
    first = blob_task(
        tmp_path / "first", blob_dataset(tmp_path / "images", train=40), iterations=80, epochs=1
    )
    before = run(first)[-1]
    base = LocalModel(INFO, before.files["torch"][0].parent)
    second = replace(quick_task(tmp_path, learning_rate=1e-4), base=base)
    assert run(second)[0].metrics["loss"] < run(quick_task(tmp_path / "x"))[0].metrics["loss"] / 2


def test_a_base_model_keeps_its_known_categories_when_one_is_added(tmp_path: Path) -> None:
    base = LocalModel(INFO, run(quick_task(tmp_path / "base"))[-1].files["torch"][0].parent)
    more = (Category("new", "new"), *CATEGORIES)
    task = replace(quick_task(tmp_path), base=base, categories=more)
    assert run(task)[-1].files


def test_a_base_of_another_variant_is_refused(tmp_path: Path) -> None:
    base = LocalModel(INFO, run(quick_task(tmp_path / "base"))[-1].files["torch"][0].parent)
    with pytest.raises(TrainingFailed, match=r"is a w0\.5, not a w0\.75"):
        run(replace(quick_task(tmp_path), base=base, variant="w0.75"))


def test_an_unknown_variant_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"choose one of w0\.5"):
        run(replace(quick_task(tmp_path), variant="huge"))


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x80\x04K\x01."])
def test_a_base_that_is_no_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(TrainingFailed, match="base model"):
        run(replace(quick_task(tmp_path), base=LocalModel(INFO, tmp_path)))


def test_a_project_without_train_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="no annotated images in its train split"):
        run(replace(quick_task(tmp_path), dataset=Dataset(())))


def test_a_project_without_boxes_or_points_is_refused(tmp_path: Path) -> None:
    task = replace(quick_task(tmp_path), categories=(Category("c", "x", "classification"),))
    with pytest.raises(TrainingFailed, match="no category of type box or point"):
        run(task)


def test_images_without_any_box_are_refused(tmp_path: Path) -> None:
    task = quick_task(tmp_path)
    empty = tuple(
        replace(image, record=replace(image.record, annotations=Annotations()))
        for image in task.dataset.images
    )
    with pytest.raises(TrainingFailed, match="has a box or point"):
        run(replace(task, dataset=Dataset(empty)))


def test_images_of_another_aspect_get_boxes_in_their_own_pixels(tmp_path: Path) -> None:
    detector = detector_of(run(quick_task(tmp_path))[-1])
    tall = np.zeros((300, 100, 3), np.uint8)
    for box in detector.detect(tall).boxes:
        assert 0 <= box.x <= box.x + box.width <= 100
        assert 0 <= box.y <= box.y + box.height <= 300


def test_a_batch_sees_what_single_images_show(tmp_path: Path) -> None:
    detector = detector_of(run(quick_task(tmp_path))[-1])
    images = [blob_image(seed)[0] for seed in range(3)]
    together = detector.detect_batch(images)
    for alone, beside in zip(map(detector.detect, images), together, strict=True):
        assert _numbers(beside) == pytest.approx(_numbers(alone), abs=1e-3)


def _numbers(detections: Detections) -> list[float]:
    return [n for box in detections.boxes for n in (box.x, box.y, box.width, box.confidence)]


@pytest.mark.parametrize("content", [None, b"", b"no graph"])
def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ModelLoadFailed, match="not a model that this detector can run"):
        OnnxDetector(LocalModel(INFO, tmp_path)).load()


def test_there_may_be_more_epochs_than_iterations(tmp_path: Path) -> None:
    epochs = run(quick_task(tmp_path, iterations=1, epochs=2))
    assert [("loss" in epoch.metrics) for epoch in epochs] == [False, True]
