"""The way of a training: samples -> steps -> checkpoint -> score -> files, epoch by epoch."""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import torch

from edgeloop import durable
from edgeloop.errors import TrainingFailed
from edgeloop.evaluation import DEFAULT_CONFIDENCE, Evaluation
from edgeloop.types import Category, DatasetImage, Epoch, TrainingTask
from edgeloop.vision import checkpoint
from edgeloop.vision.augment import Augmentation
from edgeloop.vision.batches import BatchSource
from edgeloop.vision.checkpoint import Progress
from edgeloop.vision.dataset import input_size, load_samples, trainable
from edgeloop.vision.export import Architecture, export
from edgeloop.vision.hyperparameters import CompactHyperparameters
from edgeloop.vision.learner import Learner
from edgeloop.vision.network import CompactNetwork
from edgeloop.vision.scoring import Scorer
from edgeloop.vision.start import starting_point

log = logging.getLogger(__name__)
SCORINGS = 10
"""How often, at most, a training looks at its validation images, the last epoch included."""

EXPORT_EVERY = 5
"""Without a validation split, files are written in every fifth epoch, and in the last."""


def train(task: TrainingTask) -> Iterator[Epoch]:
    """Train the compact detector; see ``CompactTrainer`` for what is yielded when."""
    training = _prepared(task)
    progress = checkpoint.resume(task.output, training.learner, recipe=training.recipe)
    if progress.kept is not None:  # whoever was cut off may not have seen it
        yield progress.kept
    for number in range(progress.epoch + 1, training.parameters.epochs + 1):
        loss = training.learn(number)
        epoch, progress = training.report(replace(progress, epoch=number), loss)
        checkpoint.save(task.output, training.learner, progress, recipe=training.recipe)
        yield epoch


@dataclass(slots=True)
class _Training:
    parameters: CompactHyperparameters
    architecture: Architecture
    categories: tuple[Category, ...]
    learner: Learner
    source: BatchSource
    validation: Scorer | None
    test: tuple[DatasetImage, ...]
    output: Path
    recipe: str

    def learn(self, number: int) -> float | None:
        """The steps of one epoch that are not done yet; the mean loss, None where all were."""
        last = self.parameters.iterations * number // self.parameters.epochs
        if self.learner.iteration >= last:
            return None
        return self.learner.learn(self.source.batches(self.learner.iteration, last))

    def report(self, progress: Progress, loss: float | None) -> tuple[Epoch, Progress]:
        """The epoch's figures and files, and the progress with the best epoch so far."""
        number, is_last = progress.epoch, progress.epoch == self.parameters.epochs
        metrics = {"learning_rate": self.learner.learning_rate}
        metrics |= {} if loss is None else {"loss": loss}
        score = self._score(number)
        if score is not None and self.validation:
            is_kept = (score.map50_95 or 0.0) > progress.best_score
            metrics |= _figures(score)
        else:
            is_kept = not self.validation and (is_last or number % EXPORT_EVERY == 0)
            metrics |= {f"test_{name}": value for name, value in _figures(score).items()}
        epoch = Epoch(
            number=number,
            of=self.parameters.epochs,
            metrics=metrics,
            counts=score.counts if score is not None else {},
            files=self._export(number) if is_kept else {},
            model_json=self._model_json(score) if is_kept else {},
        )
        if not is_kept:
            return epoch, progress
        best = score.map50_95 if score is not None else None
        return epoch, replace(progress, kept=epoch, best_score=best or 0.0)

    def _score(self, number: int) -> Evaluation | None:
        is_last = number == self.parameters.epochs
        if self.validation:
            is_due = is_last or number % max(1, self.parameters.epochs // SCORINGS) == 0
            return self.validation.score(self.learner.average) if is_due else None
        if not is_last or not self.test:
            return None
        # For the report alone: nothing is chosen by it.
        scorer = Scorer(self.test, self.categories, self.architecture.size)
        return scorer.score(self.learner.average, confidence=DEFAULT_CONFIDENCE)

    def _export(self, number: int) -> dict[str, list[Path]]:
        folder = self.output / f"model_{number}"
        durable.remove(folder)
        files = export(self.learner.average, self.architecture, folder)
        self._forget_models_before(number)
        return files

    def _forget_models_before(self, number: int) -> None:
        folders = {int(f.name.partition("_")[2]): f for f in self.output.glob("model_*")}
        for old in sorted(n for n in folders if n < number)[:-1]:  # one may be in use
            durable.remove(folders[old])

    def _model_json(self, score: Evaluation | None) -> dict[str, Any]:
        return {
            "resolution": max(self.architecture.size),
            "model_size": self.architecture.variant,
            "conf_threshold": (
                score.confidence if self.validation and score is not None else DEFAULT_CONFIDENCE
            ),
        }


def _prepared(task: TrainingTask) -> _Training:
    parameters: CompactHyperparameters = task.hyperparameters
    categories = trainable(task.categories)
    images = task.dataset.split("train")
    if not categories:
        raise TrainingFailed("The project has no category of type box or point: add one.")
    if not images:
        raise TrainingFailed("The project has no annotated images in its train split: add some.")
    _set_up_libraries(parameters)
    size = input_size(parameters, images)
    architecture, network = starting_point(task, categories, size)
    samples = load_samples(images, categories, size)
    if not any(len(sample.boxes) for sample in samples):
        raise TrainingFailed("No image of the train split has a box or point: annotate some.")
    validation = task.dataset.split("val")
    return _Training(
        parameters=parameters,
        architecture=architecture,
        categories=categories,
        learner=Learner(_on_device(network), parameters),
        source=BatchSource(
            samples,
            len(categories),
            parameters.batch_size,
            _augmentation(parameters),
            parameters.seed,
        ),
        validation=Scorer(validation, categories, size) if validation else None,
        test=task.dataset.split("test"),
        output=task.output,
        recipe=_recipe(parameters, architecture, images),
    )


def _set_up_libraries(parameters: CompactHyperparameters) -> None:
    if parameters.threads:
        torch.set_num_threads(parameters.threads)
        cv2.setNumThreads(parameters.threads)
    torch.manual_seed(parameters.seed)


def _on_device(network: CompactNetwork) -> CompactNetwork:
    return network.to("cuda" if torch.cuda.is_available() else "cpu")


def _augmentation(parameters: CompactHyperparameters) -> Augmentation:
    return Augmentation(
        parameters.flip_lr,
        parameters.flip_ud,
        parameters.scale_min,
        parameters.scale_max,
        parameters.color,
    )


def _recipe(
    parameters: CompactHyperparameters, architecture: Architecture, images: tuple[DatasetImage, ...]
) -> str:
    """A checkpoint continues only a training of the same settings on the same images."""
    ids = sorted(image.record.id for image in images)
    return hashlib.sha256(repr((parameters, architecture, ids)).encode()).hexdigest()


def _figures(score: Evaluation | None) -> dict[str, float]:
    if score is None:
        return {}
    return {"map50": score.map50 or 0.0, "map50_95": score.map50_95 or 0.0}
