from collections import Counter

import numpy as np

from edgeloop.demo.belts import Rails, draw_rails
from edgeloop.demo.canvas import Canvas
from edgeloop.demo.metals import STEEL, Light, shaded
from edgeloop.demo.parts import Pose, relief_of
from edgeloop.demo.raster import Plane
from edgeloop.demo.scenes import (
    CATEGORIES,
    HEIGHT,
    MIN_VISIBLE,
    WIDTH,
    Scene,
    draw_scene,
    draw_scenes,
    visible_boxes,
)

LAMP = Light.from_angles(-2.3, 0.9, -2.3)


def drawn(count: int, shifted_share: float) -> list[Scene]:
    return list(draw_scenes(count, seed=7, shifted_share=shifted_share, prefix="shot"))


def black_canvas() -> Canvas:
    return Canvas(np.zeros((2 * HEIGHT, 2 * WIDTH, 3), dtype=np.float32))


def lay(canvas: Canvas, category: str, pose: Pose, seed: int = 0) -> Plane:
    """Lay a white part; returns what it changed, as a mask."""
    relief = relief_of(category, pose, np.random.default_rng(seed))
    white = np.ones((*relief.coverage.shape, 3), dtype=np.float32)
    before = canvas.colours.copy()
    canvas.lay(relief, white, light=LAMP)
    return np.asarray(np.abs(canvas.colours - before).max(axis=2) > 0.5, dtype=np.float32)


def test_the_same_seed_gives_the_same_pixels_and_boxes() -> None:
    for shifted in (False, True):
        one, other = draw_scene(3, shifted=shifted), draw_scene(3, shifted=shifted)
        assert np.array_equal(one.image, other.image)
        assert one.boxes == other.boxes


def test_another_seed_gives_another_scene() -> None:
    assert draw_scene(3, shifted=False).boxes != draw_scene(4, shifted=False).boxes


def test_a_longer_run_begins_with_the_shorter_one() -> None:
    short, long = drawn(2, 0.5), drawn(4, 0.5)
    for one, other in zip(short, long, strict=False):
        assert (one.name, one.shifted, one.boxes) == (other.name, other.shifted, other.boxes)
        assert np.array_equal(one.image, other.image)


def test_a_scene_is_a_small_rgb_picture_with_a_name() -> None:
    scene = drawn(2, 0.0)[1]
    assert scene.image.shape == (240, 320, 3)
    assert scene.image.dtype == np.uint8
    assert scene.name == "shot_0001"


def test_boxes_lie_inside_the_picture() -> None:
    for scene in drawn(6, 0.5):
        for box in scene.boxes:
            assert box.x >= 0
            assert box.y >= 0
            assert box.width > 2
            assert box.height > 2
            assert box.x + box.width <= WIDTH
            assert box.y + box.height <= HEIGHT


def test_a_box_fits_what_the_part_changed() -> None:
    for category in CATEGORIES:
        canvas = black_canvas()
        mask = lay(canvas, category, Pose(301.3, 222.8, 0.4, 50.0))
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        (box,) = visible_boxes(canvas, [category])
        assert box.category == category
        assert (box.x, box.y) == (columns[0] / 2, rows[0] / 2)
        assert (box.width, box.height) == (np.ptp(columns) / 2 + 0.5, np.ptp(rows) / 2 + 0.5)


def test_the_box_of_a_covered_part_spans_the_whole_part() -> None:
    canvas = black_canvas()
    lay(canvas, "gear", Pose(300, 200, 0.0, 60.0))
    (alone,) = visible_boxes(canvas, ["gear"])
    lay(canvas, "washer", Pose(340, 200, 0.0, 40.0))
    covered, _ = visible_boxes(canvas, ["gear", "washer"])
    assert covered == alone
    assert canvas.visible_share(0) < 0.9


def test_a_part_that_is_covered_or_outside_has_no_box() -> None:
    canvas = black_canvas()
    lay(canvas, "washer", Pose(100, 100, 0.0, 36.0))
    lay(canvas, "washer", Pose(100, 100, 0.0, 37.0))
    lay(canvas, "washer", Pose(-15, 300, 0.0, 40.0))
    assert canvas.visible_share(0) < MIN_VISIBLE
    assert canvas.visible_share(2) < MIN_VISIBLE
    assert len(visible_boxes(canvas, ["washer"] * 3)) == 1


def test_a_part_half_outside_keeps_the_box_of_its_inner_half() -> None:
    canvas = black_canvas()
    lay(canvas, "washer", Pose(0, 200, 0.0, 40.0))
    assert abs(canvas.visible_share(0) - 0.5) < 0.02
    (box,) = visible_boxes(canvas, ["washer"])
    assert box.x == 0
    assert box.width == 20


def test_a_part_far_outside_changes_nothing() -> None:
    canvas = black_canvas()
    assert not lay(canvas, "nut", Pose(-500, 900, 0.0, 40.0)).any()
    assert canvas.visible_share(0) == 0


def test_a_part_darkens_the_belt_on_the_side_away_from_the_lamp() -> None:
    canvas = black_canvas()
    canvas.colours += 1.0
    lay(canvas, "nut", Pose(200, 200, 0.0, 40.0))
    away, towards = canvas.colours[229:237, 229:237], canvas.colours[163:171, 163:171]
    assert away.mean() < towards.mean() - 0.05


def test_the_share_of_shifted_scenes_is_kept_closely() -> None:
    phases = [scene.shifted for scene in drawn(10, 0.4)]
    assert 3 <= sum(phases) <= 5
    assert not any(scene.shifted for scene in drawn(3, 0.0))
    assert all(scene.shifted for scene in drawn(3, 1.0))


def test_the_field_is_darker_and_its_pictures_are_pressed_harder() -> None:
    start, field = drawn(6, 0.0), drawn(6, 1.0)
    assert np.mean([s.image.mean() for s in field]) < 0.75 * np.mean(
        [s.image.mean() for s in start]
    )
    assert all(85 <= scene.jpeg_quality <= 93 for scene in start)
    assert all(30 <= scene.jpeg_quality <= 65 for scene in field)


def test_the_field_is_fuller() -> None:
    assert all(len(scene.boxes) <= 7 for scene in drawn(6, 0.0))
    assert max(len(scene.boxes) for scene in drawn(6, 1.0)) > 7


def test_all_categories_occur() -> None:
    counts = Counter(box.category for scene in drawn(8, 0.3) for box in scene.boxes)
    assert set(counts) == set(CATEGORIES)


def test_a_belt_out_of_view_of_its_rails_stays_as_it_was() -> None:
    rng = np.random.default_rng(0)
    belt = np.full((100, 120, 3), 0.5, dtype=np.float32)
    draw_rails(belt, Rails(0, 0), rng)
    assert (belt == 0.5).all()
    draw_rails(belt, Rails(20, 0), rng)
    assert belt[:20].std() > 0.05
    assert (belt[90:] > 0.499).all()


def test_metal_is_lit_unevenly_by_its_marks() -> None:
    rng = np.random.default_rng(0)
    relief = relief_of("washer", Pose(50, 50, 0.0, 40.0), rng)
    colours = shaded(relief, STEEL, LAMP, rng)[relief.solid]
    assert colours.min() >= 0
    assert 0.3 < colours.mean() < 0.9
    assert colours.std() > 0.05
