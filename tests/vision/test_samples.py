"""Annotations become samples, variations of them, target maps and batches."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeloop.errors import ImageError
from edgeloop.types import Annotations, BoxAnnotation, Category, DatasetImage, PointAnnotation
from edgeloop.vision.augment import Augmentation, augmented
from edgeloop.vision.batches import BatchSource
from edgeloop.vision.dataset import Sample, input_size, load_samples, trainable
from edgeloop.vision.hyperparameters import CompactHyperparameters
from edgeloop.vision.targets import targets
from vision.blobs import CATEGORIES, blob_dataset

NOTHING = Augmentation(flip_lr=False, flip_ud=False, scale_min=1, scale_max=1, color=0)
WILD = Augmentation(flip_lr=True, flip_ud=True, scale_min=0.5, scale_max=2, color=0.3)


def annotated(folder: Path, annotations: Annotations) -> DatasetImage:
    """A blob image of 128 x 96 with other annotations."""
    image = blob_dataset(folder, train=1).images[0]
    return replace(image, record=replace(image.record, annotations=annotations))


def sample(*boxes: tuple[float, float, float, float], width: int = 64, height: int = 48) -> Sample:
    """White boxes on black."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for left, top, right, bottom in boxes:
        pixels[int(top) : int(bottom), int(left) : int(right)] = 255
    edges = np.array(boxes, np.float32).reshape(-1, 4)
    return Sample(pixels, edges, np.zeros(len(edges), np.int64))


def test_only_boxes_and_points_can_be_trained() -> None:
    others = (Category("s", "s", "segmentation"), Category("c", "c", "classification"))
    point = Category("p", "p", "point")
    assert trainable((*others, point, *CATEGORIES)) == (point, *CATEGORIES)


def test_boxes_are_scaled_with_their_image(tmp_path: Path) -> None:
    boxes = (BoxAnnotation("g", 20, 10, 40, 30), BoxAnnotation("gone", 0, 0, 9, 9))
    image = annotated(tmp_path, Annotations(boxes=boxes))
    result = load_samples([image], CATEGORIES, (64, 48))[0]
    assert result.boxes.tolist() == [[10, 5, 30, 20]]
    assert result.labels.tolist() == [1]


def test_a_point_is_learned_as_a_box_round_it(tmp_path: Path) -> None:
    image = annotated(tmp_path, Annotations(points=(PointAnnotation("p", 60, 50),)))
    small = Category("p", "p", "point", point_size=8)
    assert load_samples([image], [small], (128, 96))[0].boxes.tolist() == [[56, 46, 64, 54]]
    usual = Category("p", "p", "point")
    assert load_samples([image], [usual], (128, 96))[0].boxes.tolist() == [[50, 40, 70, 60]]


def test_boxes_of_less_than_two_pixels_are_left_out(tmp_path: Path) -> None:
    boxes = (BoxAnnotation("r", 5, 5, 3, 30), BoxAnnotation("r", 5, 5, 0, 0))
    image = annotated(tmp_path, Annotations(boxes=boxes))
    assert len(load_samples([image], CATEGORIES, (64, 48))[0].boxes) == 0


def test_a_damaged_image_is_an_error(tmp_path: Path) -> None:
    image = annotated(tmp_path, Annotations())
    image.path.write_bytes(b"no image")
    with pytest.raises(ImageError):
        load_samples([image], CATEGORIES, (64, 48))


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(1920, 1080, (640, 360)), (480, 640, (480, 640)), (900, 9, (640, 32))],
)
def test_a_resolution_takes_the_aspect_of_the_images(
    tmp_path: Path, width: int, height: int, size: tuple[int, int]
) -> None:
    image = annotated(tmp_path, Annotations())
    image = replace(image, record=replace(image.record, width=width, height=height))
    chosen = input_size(CompactHyperparameters(resolution=640), [image])
    assert chosen == size


def test_without_a_resolution_width_and_height_count(tmp_path: Path) -> None:
    image = annotated(tmp_path, Annotations())
    assert input_size(CompactHyperparameters(width=256, height=192), [image]) == (256, 192)


@pytest.mark.parametrize("seed", range(8))
def test_boxes_stay_on_their_objects(seed: int) -> None:
    original = sample((20, 16, 36, 28), width=128, height=96)
    augmentation = replace(WILD, color=0)
    varied = augmented(original, augmentation, np.random.default_rng(seed))
    white = cv2.inRange(varied.pixels, (200, 200, 200), (255, 255, 255))
    x, y, width, height = cv2.boundingRect(white)
    for edges in varied.boxes:
        assert np.abs(edges - [x, y, x + width, y + height]).max() < 1.6


def test_a_flip_mirrors_exactly() -> None:
    original = sample((8, 8, 24, 16))
    flip = Augmentation(flip_lr=True, flip_ud=True, scale_min=1, scale_max=1, color=0)
    shapes = set()
    for seed in range(20):
        varied = augmented(original, flip, np.random.default_rng(seed))
        shapes.add(tuple(np.sign(varied.boxes[0, :2] - [20, 18]).tolist()))
    assert shapes == {(-1, -1), (1, -1), (-1, 1), (1, 1)}


def test_boxes_that_are_mostly_outside_are_dropped() -> None:
    original = sample((10, 18, 22, 30))
    closer = Augmentation(flip_lr=False, flip_ud=False, scale_min=2, scale_max=2, color=0)
    counts = {
        len(augmented(original, closer, np.random.default_rng(seed)).boxes) for seed in range(30)
    }
    assert counts == {0, 1}


def test_colour_changes_pixels_but_not_boxes() -> None:
    original = sample((8, 8, 24, 16))
    plain = augmented(original, NOTHING, np.random.default_rng(0))
    tinted = augmented(original, replace(NOTHING, color=0.5), np.random.default_rng(0))
    assert (plain.boxes == tinted.boxes).all()
    assert (plain.pixels != tinted.pixels).any()


def test_the_heat_is_one_exactly_where_a_centre_is() -> None:
    heat = targets(sample((8, 8, 30, 30), (40, 16, 60, 40)), 2).heat
    assert np.argwhere(heat[0] == 1).tolist() == [[2, 2], [3, 6]]
    assert not heat[1].any()


def test_a_shared_cell_learns_the_smaller_box() -> None:
    maps = targets(sample((20, 20, 24, 24), (2, 2, 42, 42)), 1)
    assert maps.boxes[:, 2, 2].tolist() == [20, 20, 24, 24]


def test_each_box_weighs_as_the_logarithm_of_its_area() -> None:
    maps = targets(sample((8, 8, 24, 24)), 1)
    assert maps.weights.sum() == pytest.approx(np.log(256), rel=1e-5)


def test_an_image_without_boxes_has_empty_maps() -> None:
    maps = targets(sample(), 1)
    assert not maps.heat.any()
    assert not maps.weights.any()


def source(count: int, **changes: int) -> BatchSource:
    samples = [sample((8, 8, 24, 16)) for _ in range(count)]
    for number, each in enumerate(samples):
        each.pixels[:] = number
    settings = {"batch_size": 2, "seed": 0} | changes
    return BatchSource(samples, 1, augmentation=NOTHING, **settings)


def test_every_pass_shows_each_image_once() -> None:
    batches = list(source(6).batches(3, 6))
    seen = [int(image[20, 30, 0]) for batch in batches for image in batch.images]
    assert sorted(seen) == [0, 1, 2, 3, 4, 5]


def test_a_batch_may_be_larger_than_the_data_set() -> None:
    batch = source(2, batch_size=5).batch(0)
    assert batch.images.shape == (5, 48, 64, 3)
    assert batch.heat.shape == (5, 1, 6, 8)
    assert batch.boxes.shape == (5, 4, 6, 8)
    assert batch.weights.shape == (5, 6, 8)


def test_a_batch_depends_on_seed_and_iteration_alone() -> None:
    ahead = list(source(6).batches(2, 5))[1]
    assert (ahead.images == source(6).batch(3).images).all()
    orders = [source(6, seed=seed)._indices(3) for seed in range(4)]
    assert len(set(map(tuple, orders))) > 1
