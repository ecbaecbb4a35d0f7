"""Images keep their aspect in the input, and detections come back to their pixels."""

import numpy as np
import pytest

from edgeloop.types import Category, ModelInformation
from edgeloop.vision.letterbox import PADDING, Fitted, RawDetections, detections_in, fit

MODEL = ModelInformation(
    "1", "o", "p", "1", categories=(Category("b", "box"), Category("p", "point", "point"))
)


def raw(*rows: tuple[float, float, float, float, float, int]) -> RawDetections:
    table = np.array(rows, np.float32).reshape(-1, 6)
    return RawDetections(table[:, :4], table[:, 4], table[:, 5].astype(np.int64))


def fitted(*, scale: tuple[float, float] = (1.0, 1.0)) -> Fitted:
    return Fitted(np.zeros((48, 64, 3), np.uint8), scale, round(64 / scale[0]), 48)


@pytest.mark.parametrize(
    ("height", "width", "inner"), [(96, 128, (48, 64)), (100, 50, (48, 24)), (24, 64, (24, 64))]
)
def test_what_an_image_leaves_free_is_grey(height: int, width: int, inner: tuple[int, int]) -> None:
    result = fit(np.full((height, width, 3), 200, np.uint8), (64, 48))
    assert result.pixels.shape == (48, 64, 3)
    assert (result.pixels[: inner[0], : inner[1]] == 200).all()
    assert (result.pixels[inner[0] :] == PADDING).all()
    assert (result.pixels[:, inner[1] :] == PADDING).all()


def test_an_image_of_the_inputs_size_is_taken_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    result = fit(image, (64, 48))
    assert (result.pixels == image).all()
    assert result.scale == (1.0, 1.0)


def test_small_images_are_enlarged() -> None:
    assert fit(np.zeros((12, 16, 3), np.uint8), (64, 48)).scale == (4.0, 4.0)


def test_boxes_come_back_in_pixels_of_the_full_image() -> None:
    found = detections_in(fitted(scale=(0.5, 1.0)), raw((10, 10, 20, 30, 0.9, 0)), MODEL).boxes[0]
    assert (found.x, found.y, found.width, found.height) == (20, 10, 20, 20)


def test_boxes_are_clipped_to_the_image() -> None:
    found = detections_in(fitted(), raw((-5, -5, 100, 100, 0.9, 0)), MODEL).boxes[0]
    assert (found.x, found.y, found.width, found.height) == (0, 0, 64, 48)


def test_boxes_beside_the_image_are_dropped() -> None:
    assert not detections_in(fitted(), raw((70, 10, 90, 20, 0.9, 0)), MODEL)


def test_a_point_is_the_centre_of_its_whole_box() -> None:
    found = detections_in(fitted(), raw((-8, 10, 12, 30, 0.9, 1)), MODEL).points[0]
    assert (found.x, found.y) == (2, 20)


def test_noise_below_five_percent_is_not_answered() -> None:
    rows = raw((0, 0, 9, 9, 0.04, 0), (0, 0, 9, 9, 0.06, 0))
    assert detections_in(fitted(), rows, MODEL).confidences == pytest.approx((0.06,))


def test_nothing_seen_is_an_empty_answer() -> None:
    assert not detections_in(fitted(), raw(), MODEL)
