"""Which frames are worth a look."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from detecting import cup
from edgeloop.nodes.detector.selection import Band, Selector, uncertain
from edgeloop.types import (
    ClassificationDetection,
    Detections,
    Frame,
    PointDetection,
    SegmentationDetection,
    UploadWish,
)


class Seconds:
    """A clock in seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def selector(clock: Seconds) -> Selector:
    return Selector(Band(0.3, 0.6), memory_s=60.0, clock=clock)


def frame(camera_id: str = "", wish: UploadWish = "filtered") -> Frame:
    return Frame(b"", camera_id=camera_id, wish=wish)


def boxes(*confidences: float) -> Detections:
    return Detections(boxes=tuple(cup(c, x=100.0 * n) for n, c in enumerate(confidences)))


@pytest.mark.parametrize(("confidence", "expected"), [(0.29, 0), (0.3, 1), (0.6, 1), (0.61, 0)])
def test_the_band_includes_its_ends(confidence: float, expected: int) -> None:
    assert len(uncertain(boxes(confidence), Band(0.3, 0.6))) == expected


def test_an_uncertain_detection_is_a_reason(selector: Selector) -> None:
    assert selector.reasons(frame(), boxes(0.9, 0.5)) == ("uncertain",)


def test_what_the_model_is_sure_of_is_no_reason(selector: Selector) -> None:
    assert selector.reasons(frame(), boxes(0.9, 0.1)) == ()


def test_who_wants_all_gets_all(selector: Selector) -> None:
    assert selector.reasons(frame(wish="all"), Detections()) == ("all",)
    assert selector.reasons(frame(wish="all"), boxes(0.5)) == ("all", "uncertain")


def test_who_wants_nothing_gets_nothing_and_nothing_is_remembered(selector: Selector) -> None:
    assert selector.reasons(frame(wish="disabled"), boxes(0.5)) == ()
    assert selector.reasons(frame(), boxes(0.5)) == ("uncertain",)


@pytest.mark.parametrize("camera_id", ["left", ""])
def test_the_same_scene_is_not_kept_twice(selector: Selector, camera_id: str) -> None:
    assert selector.reasons(frame(camera_id), boxes(0.5))
    assert not selector.reasons(frame(camera_id), boxes(0.52))


@pytest.mark.parametrize("camera_id", ["left", ""])
def test_a_scene_is_forgotten_after_a_while(
    selector: Selector, clock: Seconds, camera_id: str
) -> None:
    selector.reasons(frame(camera_id), boxes(0.5))
    clock.now += 61
    assert selector.reasons(frame(camera_id), boxes(0.5))


def test_what_stays_in_sight_stays_known(selector: Selector, clock: Seconds) -> None:
    selector.reasons(frame(), boxes(0.5))
    for _ in range(5):
        clock.now += 40
        assert not selector.reasons(frame(), boxes(0.5))


def test_cameras_do_not_share_their_memory(selector: Selector) -> None:
    assert selector.reasons(frame("left"), boxes(0.5))
    assert selector.reasons(frame("right"), boxes(0.5))


def test_something_new_beside_what_is_known_is_a_reason(selector: Selector) -> None:
    selector.reasons(frame(), boxes(0.5))
    assert selector.reasons(frame(), boxes(0.5, 0.4)) == ("uncertain",)


different: list[Callable[[], Detections]] = [
    lambda: Detections(boxes=(cup(0.5, x=5.0),)),
    lambda: Detections(boxes=(cup(0.5, x=0.0, category="glass"),)),
    lambda: Detections(boxes=(cup(0.4, x=0.0),)),
]


@pytest.mark.parametrize("other", different, ids=["place", "category", "confidence"])
def test_another_place_category_or_confidence_is_another_scene(
    selector: Selector, other: Callable[[], Detections]
) -> None:
    selector.reasons(frame(), boxes(0.5))
    assert selector.reasons(frame(), other()) == ("uncertain",)


def test_a_point_nearby_is_the_same_and_one_farther_away_is_not(selector: Selector) -> None:
    def point(x: float) -> Detections:
        return Detections(points=(PointDetection("c", "screw", x, 50, 0.5),))

    assert selector.reasons(frame(), point(100))
    assert not selector.reasons(frame(), point(104))
    assert selector.reasons(frame(), point(115))


def test_segmentations_are_compared_by_their_bounds(selector: Selector) -> None:
    def shape(size: float) -> Detections:
        points = ((0.0, 0.0), (size, 0.0), (0.0, size))
        return Detections(segmentations=(SegmentationDetection("c", "leaf", points, 0.5),))

    assert selector.reasons(frame(), shape(100))
    assert not selector.reasons(frame(), shape(102))
    assert selector.reasons(frame(), shape(150))


def test_a_classification_has_no_place(selector: Selector) -> None:
    def whole(confidence: float, name: str = "day") -> Detections:
        return Detections(classifications=(ClassificationDetection("", name, confidence),))

    assert selector.reasons(frame(), whole(0.5))
    assert not selector.reasons(frame(), whole(0.52))
    assert selector.reasons(frame(), whole(0.4))
    assert selector.reasons(frame(), whole(0.5, "night"))


def test_a_box_without_width_is_remembered_too(selector: Selector) -> None:
    flat = Detections(boxes=(replace(cup(0.5), width=0.0),))
    assert selector.reasons(frame(), flat)
    assert not selector.reasons(frame(), flat)


def test_unrelated_images_of_one_camera_are_all_kept(selector: Selector) -> None:
    kept = [
        selector.reasons(frame(), Detections(boxes=(cup(0.31 + 0.001 * n, x=37.0 * n),)))
        for n in range(180)
    ]
    assert all(kept)


def test_the_memory_of_a_camera_is_bounded_the_oldest_go(clock: Seconds) -> None:
    selector = Selector(Band(), clock=clock, max_remembered=2)
    for number in range(3):
        clock.now += 1
        selector.reasons(frame(), Detections(boxes=(cup(0.5, x=100.0 * number),)))
    assert not selector.reasons(frame(), Detections(boxes=(cup(0.5, x=200.0),)))
    assert selector.reasons(frame(), Detections(boxes=(cup(0.5, x=0.0),)))


def test_the_number_of_cameras_is_bounded_the_longest_unseen_goes(clock: Seconds) -> None:
    selector = Selector(Band(), clock=clock, max_cameras=2)
    for camera in ("a", "b", "a", "c"):
        selector.reasons(frame(camera), boxes(0.5))
    assert not selector.reasons(frame("a"), boxes(0.5))
    assert selector.reasons(frame("b"), boxes(0.5))
