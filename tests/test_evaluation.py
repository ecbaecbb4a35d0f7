"""Evaluation against cases that were worked out by hand."""

import sys

import pytest

from edgeloop import evaluation
from edgeloop.errors import ConfigError
from edgeloop.evaluation import EvaluationImage, counts, evaluate
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

CUP = Category(id="cup", name="Cup")
PLATE = Category(id="plate", name="Plate")
HOLE = Category(id="hole", name="Hole", type="point", point_size=10)
NOTHING = Detections()


def truth(*boxes: tuple[str, float, float, float, float]) -> Annotations:
    return Annotations(boxes=tuple(BoxAnnotation(*box) for box in boxes))


def found(*boxes: tuple[str, float, float, float, float, float]) -> Detections:
    return Detections(
        boxes=tuple(BoxDetection(box[0], box[0], *box[1:]) for box in boxes),
    )


def image(annotations: Annotations, detections: Detections = NOTHING) -> EvaluationImage:
    return EvaluationImage(id="1", truth=annotations, detections=detections)


def test_what_is_found_exactly_scores_one() -> None:
    scene = image(truth(("cup", 10, 10, 20, 20)), found(("cup", 10, 10, 20, 20, 0.9)))
    result = evaluate([scene], [CUP])
    assert result.map50 == pytest.approx(1)
    assert result.map50_95 == pytest.approx(1)
    assert result.images == 1


def test_an_overlap_of_two_thirds_counts_at_four_of_ten_thresholds() -> None:
    scene = image(truth(("cup", 0, 0, 12, 10)), found(("cup", 0, 0, 8, 10, 0.9)))
    result = evaluate([scene], [CUP])
    assert result.map50 == pytest.approx(1)
    assert result.map50_95 == pytest.approx(0.4)


def test_one_of_two_found_is_half_the_recall() -> None:
    scene = image(
        truth(("cup", 0, 0, 10, 10), ("cup", 50, 50, 10, 10)), found(("cup", 0, 0, 10, 10, 0.9))
    )
    score = evaluate([scene], [CUP]).per_category["cup"].ap50
    assert score == pytest.approx(51 / 101)


def test_a_surer_false_detection_halves_the_precision() -> None:
    scene = image(
        truth(("cup", 0, 0, 10, 10)),
        found(("cup", 50, 50, 10, 10, 0.9), ("cup", 0, 0, 10, 10, 0.8)),
    )
    assert evaluate([scene], [CUP]).map50 == pytest.approx(0.5)


def test_a_category_without_truth_is_left_out_of_the_mean() -> None:
    scene = image(
        truth(("cup", 0, 0, 10, 10)),
        found(("cup", 0, 0, 10, 10, 0.9), ("plate", 50, 50, 10, 10, 0.9)),
    )
    result = evaluate([scene], [CUP, PLATE])
    assert result.map50 == pytest.approx(1)
    assert result.per_category["plate"].ap50 is None


def test_nothing_found_scores_zero() -> None:
    result = evaluate([image(truth(("cup", 0, 0, 10, 10)))], [CUP, PLATE])
    assert result.map50 == 0
    assert result.per_category["plate"].ap50 is None
    assert result.confidence == evaluation.DEFAULT_CONFIDENCE


def test_without_truth_there_is_no_score() -> None:
    result = evaluate([image(Annotations(), found(("cup", 0, 0, 10, 10, 0.9)))], [CUP])
    assert result.map50 is None
    assert result.map50_95 is None
    assert result.counts == {"cup": CategoryCounts(fp=1)}


def test_no_images_give_no_score() -> None:
    result = evaluate([], [CUP])
    assert (result.map50, result.images, result.confusion) == (None, 0, ((0, 0), (0, 0)))


def test_points_are_compared_as_boxes_of_their_size() -> None:
    near = Detections(points=(PointDetection("hole", "Hole", 101, 100, 0.8),))
    far = Detections(points=(PointDetection("hole", "Hole", 106, 100, 0.8),))
    there = Annotations(points=(PointAnnotation("hole", 100, 100),))
    assert counts([image(there, near)], [HOLE], confidence=0.5)["hole"].tp == 1
    assert counts([image(there, far)], [HOLE], confidence=0.5)["hole"].tp == 0


def test_each_truth_is_found_once_by_the_surest() -> None:
    scene = image(
        truth(("cup", 0, 0, 10, 10)),
        found(("cup", 0, 0, 10, 9, 0.6), ("cup", 0, 0, 10, 10, 0.9)),
    )
    result = counts([scene], [CUP], confidence=0.5)
    assert result == {"cup": CategoryCounts(tp=1, fp=1, fn=0)}


def test_detections_below_the_confidence_do_not_count() -> None:
    scene = image(truth(("cup", 0, 0, 10, 10)), found(("cup", 0, 0, 10, 10, 0.4)))
    assert counts([scene], [CUP], confidence=0.5) == {"cup": CategoryCounts(fn=1)}


def test_the_overlap_that_counts_can_be_chosen() -> None:
    scene = image(truth(("cup", 0, 0, 12, 10)), found(("cup", 0, 0, 8, 10, 0.9)))
    assert counts([scene], [CUP], confidence=0.5, iou=0.7)["cup"].tp == 0
    assert counts([scene], [CUP], confidence=0.5, iou=0.6)["cup"].tp == 1


def test_a_wrong_category_is_confused_and_not_background() -> None:
    scene = image(
        truth(("cup", 0, 0, 10, 10), ("cup", 40, 0, 10, 10), ("plate", 80, 0, 10, 10)),
        found(
            ("cup", 0, 0, 10, 10, 0.9),
            ("plate", 40, 0, 10, 10, 0.8),
            ("plate", 0, 50, 10, 10, 0.7),
        ),
    )
    result = evaluate([scene], [CUP, PLATE], confidence=0.5)
    assert result.confusion == ((1, 1, 0), (0, 0, 1), (0, 1, 0))
    assert result.counts["plate"] == CategoryCounts(tp=0, fp=2, fn=1)


def test_the_right_category_is_matched_before_the_wrong_one() -> None:
    scene = image(
        truth(("cup", 0, 0, 10, 10)),
        found(("plate", 0, 0, 10, 10, 0.9), ("cup", 0, 0, 10, 10, 0.5)),
    )
    result = evaluate([scene], [CUP, PLATE], confidence=0.1)
    assert result.confusion == ((1, 0, 0), (0, 0, 0), (0, 1, 0))


def test_the_best_confidence_keeps_the_hits_and_drops_the_false() -> None:
    scene = image(
        truth(("cup", 0, 0, 10, 10), ("cup", 50, 0, 10, 10)),
        found(
            ("cup", 0, 0, 10, 10, 0.9),
            ("cup", 50, 0, 10, 10, 0.6),
            ("cup", 0, 50, 10, 10, 0.4),
        ),
    )
    assert evaluate([scene], [CUP]).confidence == pytest.approx(0.6)


def test_equal_confidences_stand_or_fall_together() -> None:
    scene = image(
        truth(("cup", 0, 0, 10, 10), ("cup", 50, 0, 10, 10)),
        found(
            ("cup", 0, 0, 10, 10, 0.9),
            ("cup", 50, 0, 10, 10, 0.5),
            *((("cup", 0, 50 + 20 * n, 10, 10, 0.5)) for n in range(4)),
        ),
    )
    assert evaluate([scene], [CUP]).confidence == pytest.approx(0.9)


def test_unknown_categories_and_empty_boxes_are_harmless() -> None:
    scene = image(
        truth(("gone", 0, 0, 10, 10), ("cup", 5, 5, 0, 0)),
        found(("gone", 0, 0, 10, 10, 0.9), ("cup", 5, 5, 0, 0, 0.9)),
    )
    assert counts([scene], [CUP], confidence=0.5) == {"cup": CategoryCounts(fp=1, fn=1)}


def test_scoring_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    evaluate([image(truth(("cup", 0, 0, 9, 9)), found(("cup", 0, 0, 9, 9, 0.9)))], [CUP])
    assert capfd.readouterr() == ("", "")


def test_a_missing_library_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    with pytest.raises(ConfigError, match=r"pip install 'edgeloop\[torch\]'"):
        evaluate([], [CUP])
