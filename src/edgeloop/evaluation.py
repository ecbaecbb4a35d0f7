"""How well a model sees: average precision, counts at a confidence, and the confusion matrix."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeloop.errors import ConfigError
from edgeloop.types import (
    Annotations,
    BoxAnnotation,
    BoxDetection,
    Category,
    CategoryCounts,
    Detections,
    PointAnnotation,
    PointDetection,
)

DEFAULT_CONFIDENCE = 0.3
DEFAULT_POINT_SIZE = 20

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Shape = BoxAnnotation | PointAnnotation | BoxDetection | PointDetection

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EvaluationImage:
    """What is in one image and what a model saw there."""

    id: str
    truth: Annotations
    detections: Detections


@dataclass(frozen=True, slots=True)
class CategoryScore:
    """Average precision of one category at IoU 0.5 and over 0.5..0.95, in 0..1; None where the
    images show none of it."""

    ap50: float | None
    ap50_95: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of a model over some images.

    ``map50`` and ``map50_95`` (0..1) are means over the categories with truth, None if there is
    none. ``counts`` and ``confusion`` count from ``confidence`` on. ``confusion[i][j]`` counts
    truths of category i seen as category j, in the order of the categories; the last row holds
    detections of nothing, the last column truths that were missed.
    """

    map50: float | None
    map50_95: float | None
    per_category: Mapping[str, CategoryScore]
    counts: Mapping[str, CategoryCounts]
    confusion: tuple[tuple[int, ...], ...]
    confidence: float
    images: int


def evaluate(
    images: Sequence[EvaluationImage],
    categories: Sequence[Category],
    *,
    confidence: float | None = None,
) -> Evaluation:
    """All figures of a model; counts are taken at ``confidence``, or where F1 is best.

    Boxes are compared, and points as boxes of their category's ``point_size`` round them. Raises
    ConfigError where faster-coco-eval is not installed.
    """
    scenes = [_scene(image, categories) for image in images]
    precision = _precision(scenes, len(categories))
    scores = {
        category.id: CategoryScore(_mean(precision[:1, :, index]), _mean(precision[:, :, index]))
        for index, category in enumerate(categories)
    }
    chosen = _best_confidence(scenes) if confidence is None else confidence
    confusion = _confusion(scenes, len(categories), confidence=chosen, iou=0.5)
    return Evaluation(
        map50=_mean(precision[:1]),
        map50_95=_mean(precision),
        per_category=scores,
        counts=_category_counts(confusion, categories),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        confidence=chosen,
        images=len(images),
    )


def counts(
    images: Sequence[EvaluationImage],
    categories: Sequence[Category],
    *,
    confidence: float,
    iou: float = 0.5,
) -> dict[str, CategoryCounts]:
    """True positives, false positives and false negatives per category id.

    Each detection from ``confidence`` on, the surest first, takes the free truth of its category
    that it overlaps most, if by ``iou`` at least.
    """
    scenes = [_scene(image, categories) for image in images]
    matrix = _confusion(scenes, len(categories), confidence=confidence, iou=iou)
    return _category_counts(matrix, categories)


@dataclass(frozen=True, slots=True)
class _Scene:
    """One image as arrays; boxes (n, 4) are left, top, right, bottom; the surest detection is
    first."""

    truth: Floats
    truth_labels: Indices
    found: Floats
    found_labels: Indices
    scores: Floats


def _scene(image: EvaluationImage, categories: Sequence[Category]) -> _Scene:
    index = {category.id: position for position, category in enumerate(categories)}
    sizes = {category.id: category.point_size or DEFAULT_POINT_SIZE for category in categories}
    annotated: tuple[BoxAnnotation | PointAnnotation, ...]
    annotated = (*image.truth.boxes, *image.truth.points)
    seen: tuple[BoxDetection | PointDetection, ...]
    seen = (*image.detections.boxes, *image.detections.points)
    truths = [
        (index[shape.category_id], _edges(shape, sizes))
        for shape in annotated
        if shape.category_id in index
    ]
    detections = [
        (index[shape.category_id], _edges(shape, sizes), shape.confidence)
        for shape in seen
        if shape.category_id in index
    ]
    detections.sort(key=lambda detection: -detection[2])
    return _Scene(
        truth=np.array([edges for _, edges in truths], np.float64).reshape(-1, 4),
        truth_labels=np.array([label for label, _ in truths], np.int64),
        found=np.array([edges for _, edges, _ in detections], np.float64).reshape(-1, 4),
        found_labels=np.array([label for label, _, _ in detections], np.int64),
        scores=np.array([score for _, _, score in detections], np.float64),
    )


def _edges(shape: Shape, sizes: Mapping[str, int]) -> tuple[float, float, float, float]:
    if isinstance(shape, BoxAnnotation | BoxDetection):
        return shape.x, shape.y, shape.x + shape.width, shape.y + shape.height
    half = sizes[shape.category_id] / 2
    return shape.x - half, shape.y - half, shape.x + half, shape.y + half


def _precision(scenes: Sequence[_Scene], categories: int) -> Floats:
    """(IoU thresholds, recalls, categories); -1 where a category has no truth."""
    try:
        from faster_coco_eval import COCO, COCOeval_faster
    except ModuleNotFoundError as error:
        message = "Scoring a model needs faster-coco-eval: pip install 'edgeloop[torch]'."
        raise ConfigError(message) from error
    truth, found = _coco(scenes, categories)
    if not truth["annotations"]:
        return np.full((10, 101, categories), -1.0)
    if not found:
        present = {annotation["category_id"] - 1 for annotation in truth["annotations"]}
        per_category = [0.0 if index in present else -1.0 for index in range(categories)]
        return np.tile(np.array(per_category), (10, 101, 1))
    reference = COCO(truth, print_function=log.debug)
    scoring = COCOeval_faster(
        reference, reference.loadRes(found), iouType="bbox", print_function=log.debug
    )
    scoring.evaluate()
    scoring.accumulate()
    return np.asarray(scoring.eval["precision"], np.float64)[:, :, :, 0, -1]


def _coco(scenes: Sequence[_Scene], categories: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    annotations = [
        {"image_id": number, "category_id": label + 1, "iscrowd": 0, **_coco_box(box)}
        for number, scene in enumerate(scenes, start=1)
        for label, box in zip(scene.truth_labels.tolist(), scene.truth.tolist(), strict=True)
    ]
    for number, annotation in enumerate(annotations, start=1):
        annotation["id"] = number
    found = [
        {"image_id": number, "category_id": label + 1, "score": score, **_coco_box(box)}
        for number, scene in enumerate(scenes, start=1)
        for label, score, box in zip(
            scene.found_labels.tolist(), scene.scores.tolist(), scene.found.tolist(), strict=True
        )
    ]
    truth = {
        "images": [{"id": number} for number in range(1, len(scenes) + 1)],
        "annotations": annotations,
        "categories": [{"id": number} for number in range(1, categories + 1)],
    }
    return truth, found


def _coco_box(edges: Sequence[float]) -> dict[str, Any]:
    left, top, right, bottom = edges
    width, height = right - left, bottom - top
    return {"bbox": [left, top, width, height], "area": width * height}


def _mean(precision: Floats) -> float | None:
    known = precision[precision > -1]
    return float(known.mean()) if known.size else None


def _confusion(
    scenes: Sequence[_Scene], categories: int, *, confidence: float, iou: float
) -> Indices:
    """(categories + 1, categories + 1): truth x detection, background last."""
    matrix = np.zeros((categories + 1, categories + 1), np.int64)
    for scene in scenes:
        kept = int((scene.scores >= confidence).sum())
        overlaps = _overlaps(scene.found[:kept], scene.truth)
        same = scene.found_labels[:kept, None] == scene.truth_labels[None, :]
        partners = _partners(np.where(same, overlaps, 0.0), iou)
        free = np.setdiff1d(np.arange(len(scene.truth)), partners)
        rest = np.flatnonzero(partners < 0)
        seconds = _partners(overlaps[np.ix_(rest, free)], iou)
        partners[rest] = np.where(seconds < 0, -1, np.append(free, -1)[seconds])
        truth_of = np.append(scene.truth_labels, categories)
        np.add.at(matrix, (truth_of[partners], scene.found_labels[:kept]), 1)
        missed = np.setdiff1d(np.arange(len(scene.truth)), partners)
        matrix[:, categories] += np.bincount(scene.truth_labels[missed], minlength=categories + 1)
    return matrix


def _category_counts(
    confusion: Indices, categories: Sequence[Category]
) -> dict[str, CategoryCounts]:
    truths, found = confusion.sum(axis=1).tolist(), confusion.sum(axis=0).tolist()
    hits = confusion.diagonal().tolist()
    return {
        category.id: CategoryCounts(tp=hit, fp=seen - hit, fn=there - hit)
        for category, hit, seen, there in zip(categories, hits, found, truths, strict=False)
    }


def _best_confidence(scenes: Sequence[_Scene], *, iou: float = 0.5) -> float:
    truths = sum(len(scene.truth) for scene in scenes)
    hits: list[bool] = []
    for scene in scenes:
        same = scene.found_labels[:, None] == scene.truth_labels[None, :]
        overlaps = np.where(same, _overlaps(scene.found, scene.truth), 0.0)
        hits.extend(_partners(overlaps, iou) >= 0)
    if not any(hits):
        return DEFAULT_CONFIDENCE
    scores = np.concatenate([scene.scores for scene in scenes])
    order = np.argsort(-scores, kind="stable")
    scores, right = scores[order], np.cumsum(np.array(hits)[order])
    f1 = 2 * right / (np.arange(1, len(scores) + 1) + truths)
    last_of_equals = np.append(scores[1:] < scores[:-1], True)
    return float(scores[np.argmax(np.where(last_of_equals, f1, -1.0))])


def _partners(overlaps: Floats, iou: float) -> Indices:
    """For each detection (row) the truth (column) that it takes, or -1; the first row chooses
    first."""
    free = overlaps.copy()
    partners = np.full(len(free), -1, np.int64)
    if free.shape[1] == 0:
        return partners
    for row in range(len(free)):
        best = int(np.argmax(free[row]))
        if free[row, best] >= iou and free[row, best] > 0:
            partners[row] = best
            free[:, best] = 0.0
    return partners


def _overlaps(first: Floats, second: Floats) -> Floats:
    """IoU of each box in (n, 4) with each in (m, 4): (n, m)."""
    top_left = np.maximum(first[:, None, :2], second[None, :, :2])
    bottom_right = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    areas = _areas(first)[:, None] + _areas(second)[None, :] - shared
    ratios: Floats = np.divide(shared, areas, out=np.zeros_like(shared), where=areas > 0)
    return ratios


def _areas(boxes: Floats) -> Floats:
    areas: Floats = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas
