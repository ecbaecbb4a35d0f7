"""Scenes of machine parts on a conveyor: at the start as the model knows them, later shifted."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgeloop.demo import belts
from edgeloop.demo.belts import Belt, Rails
from edgeloop.demo.camera import DRAWN_AT, Camera, take
from edgeloop.demo.canvas import Canvas, Placed
from edgeloop.demo.metals import BLACK_OXIDE, BRASS, RUST, STEEL, ZINC, Light, Material, shaded
from edgeloop.demo.parts import CATEGORIES, Pose, relief_of
from edgeloop.types import ImageArray

__all__ = [
    "CATEGORIES",
    "HEIGHT",
    "WIDTH",
    "Scene",
    "SceneBox",
    "draw_scene",
    "draw_scenes",
    "visible_boxes",
]

WIDTH, HEIGHT = 320, 240
MIN_VISIBLE = 0.35
"""A part is annotated if more than this share of its pixels can be seen."""

_GOLDEN = 0.6180339887498949
_DRAWN = (HEIGHT * DRAWN_AT, WIDTH * DRAWN_AT)
_SIZES_PX = {"bolt": (28, 40), "gear": (23, 31), "nut": (16.5, 21.5), "washer": (17, 23)}


@dataclass(frozen=True, slots=True)
class SceneBox:
    """Where a part is: top-left corner, width and height in pixels of the picture."""

    category: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Scene:
    """A picture (240, 320, 3) uint8 RGB with its true boxes; ``jpeg_quality`` is that of the
    camera which sends it; ``shifted`` is true where the field differs from the start."""

    name: str
    image: ImageArray
    boxes: tuple[SceneBox, ...]
    shifted: bool
    jpeg_quality: int


def draw_scenes(
    count: int, *, seed: int, shifted_share: float, prefix: str = "scene"
) -> Iterator[Scene]:
    """``count`` scenes, ``shifted_share`` (0..1) of them shifted, spread evenly.

    Scene i depends on ``seed`` and i alone, so a longer run begins with the shorter one.
    """
    phase = float(np.random.default_rng(seed).random())
    for index in range(count):
        shifted = (phase + index * _GOLDEN) % 1.0 < shifted_share
        rng = np.random.default_rng((seed, index))
        yield draw_scene(rng, shifted=shifted, name=f"{prefix}_{index:04d}")


def draw_scene(seed: int | np.random.Generator, *, shifted: bool, name: str = "") -> Scene:
    """One scene; the same seed gives the same pixels on one machine."""
    rng = np.random.default_rng(seed)
    setting = _field_setting(rng) if shifted else _start_setting(rng)
    canvas = Canvas(_background(setting, rng))
    categories = _lay_parts(canvas, setting, rng)
    if setting.dirty:
        belts.scatter_swarf(canvas.colours, rng)
    image = take(canvas.colours, setting.camera, rng)
    return Scene(name, image, visible_boxes(canvas, categories), shifted, setting.jpeg_quality)


def visible_boxes(canvas: Canvas, categories: Sequence[str]) -> tuple[SceneBox, ...]:
    """The boxes of the parts laid on ``canvas``, in order, without those hardly to be seen."""
    return tuple(
        _box(category, canvas.placed[index])
        for index, category in enumerate(categories)
        if canvas.visible_share(index) > MIN_VISIBLE
    )


@dataclass(frozen=True, slots=True)
class _Setting:
    """All that is decided of a scene before the first stroke."""

    belt: Belt
    rails: Rails
    light: Light
    materials: tuple[tuple[Material, float], ...]
    parts: int
    overlap: float
    scale: float
    dirty: bool
    camera: Camera
    jpeg_quality: int


def _start_setting(rng: np.random.Generator) -> _Setting:
    camera = Camera(
        gain=rng.uniform(0.93, 1.07),
        warmth=rng.uniform(-0.025, 0.025),
        gradient=rng.uniform(0.0, 0.10),
        blur_px=rng.uniform(0.0, 1.2),
        motion_px=0.0,
        noise=rng.uniform(0.006, 0.014),
        arm_shadow=0.0,
    )
    return _Setting(
        belt=belts.GREEN,
        rails=_rails(rng, scale=1.0),
        light=Light.from_angles(rng.normal(-2.3, 0.12), rng.uniform(0.85, 1.0), -2.3),
        materials=((STEEL, 0.6), (ZINC, 0.4)),
        parts=int(rng.integers(4, 8)),
        overlap=0.05,
        scale=1.0,
        dirty=False,
        camera=camera,
        jpeg_quality=int(rng.integers(85, 94)),
    )


def _field_setting(rng: np.random.Generator) -> _Setting:
    camera = Camera(
        gain=rng.uniform(0.45, 0.90),
        warmth=rng.uniform(-0.20, 0.20),
        gradient=rng.uniform(0.05, 0.45),
        blur_px=rng.uniform(0.0, 1.2),
        motion_px=rng.uniform(2.0, 8.0),
        noise=rng.uniform(0.015, 0.040),
        arm_shadow=rng.uniform(0.40, 0.65) if rng.random() < 0.4 else 0.0,
    )
    kinds, scale = (belts.GREEN, belts.BLACK, belts.BLUE), rng.uniform(0.66, 1.32)
    around, above = rng.normal(-2.3, 0.9), rng.uniform(0.65, 1.05)
    return _Setting(
        belt=kinds[int(rng.choice(3, p=(0.45, 0.30, 0.25)))],
        rails=_rails(rng, scale=scale),
        light=Light.from_angles(around, above, around + rng.normal(0, 0.5)),
        materials=((STEEL, 0.36), (ZINC, 0.24), (BRASS, 0.18), (BLACK_OXIDE, 0.10), (RUST, 0.12)),
        parts=int(rng.integers(6, 12)),
        overlap=0.4,
        scale=scale,
        dirty=True,
        camera=camera,
        jpeg_quality=int(rng.integers(30, 66)),
    )


def _rails(rng: np.random.Generator, *, scale: float) -> Rails:
    """Rails as the camera sees them; it hangs a little off the middle."""
    shift = rng.uniform(-4, 4) + (rng.normal(0, 10) if scale != 1.0 else 0.0)
    usual = 20 * scale + 60 * (1.0 - scale) / 2
    return Rails(max(0, round(usual + shift)), max(0, round(usual - shift)))


def _background(setting: _Setting, rng: np.random.Generator) -> np.ndarray:
    colours = belts.draw_belt(
        setting.belt, _DRAWN, light=setting.light, scale=setting.scale, rng=rng
    )
    belts.scratch(colours, rng)
    if setting.dirty:
        belts.spill_oil(colours, rng)
    belts.draw_rails(colours, setting.rails, rng)
    return colours


def _lay_parts(canvas: Canvas, setting: _Setting, rng: np.random.Generator) -> list[str]:
    """Lay the setting's parts on the belt, later ones on top; returns their categories."""
    materials = [material for material, _ in setting.materials]
    weights = [weight for _, weight in setting.materials]
    poses: list[Pose] = []
    categories: list[str] = []
    for _ in range(setting.parts):
        category = str(rng.choice(CATEGORIES))
        pose = _free_pose(category, poses, setting, rng)
        material = materials[int(rng.choice(len(materials), p=weights))]
        relief = relief_of(category, pose, rng)
        canvas.lay(relief, shaded(relief, material, setting.light, rng), light=setting.light)
        poses.append(pose)
        categories.append(category)
    return categories


def _free_pose(
    category: str, others: list[Pose], setting: _Setting, rng: np.random.Generator
) -> Pose:
    """A place on the belt: beside all others, or across one of them now and then."""
    low, high = _SIZES_PX[category]
    spread = setting.scale * (rng.uniform(0.93, 1.07) if setting.scale != 1.0 else 1.0)
    size = rng.uniform(low, high) * DRAWN_AT * spread
    across = bool(others) and rng.random() < setting.overlap
    pose = _random_pose(size, setting, rng)
    for _ in range(40):
        gap = min((_gap(pose, other) for other in others), default=math.inf)
        if (-0.50 < gap < -0.15) if across else gap > 0.0:
            break
        pose = _random_pose(size, setting, rng)
    return pose


def _random_pose(size: float, setting: _Setting, rng: np.random.Generator) -> Pose:
    reach = 0.8 * size
    top, bottom = setting.rails.upper + reach, _DRAWN[0] - setting.rails.lower - reach
    x = rng.uniform(0.15 * size, _DRAWN[1] - 0.15 * size)
    return Pose(x, rng.uniform(top, bottom), rng.uniform(0, 2 * math.pi), size)


def _gap(one: Pose, other: Pose) -> float:
    """The room between two parts as a share of their sizes; negative where they may touch."""
    reach = one.size + other.size
    return math.hypot(one.x - other.x, one.y - other.y) / reach - 1.0


def _box(category: str, placed: Placed) -> SceneBox:
    """The box of the whole part, also of what is covered, clipped to the picture."""
    left, right = max(placed.left, 0), min(placed.right, _DRAWN[1])
    top, bottom = max(placed.top, 0), min(placed.bottom, _DRAWN[0])
    return SceneBox(
        category,
        left / DRAWN_AT,
        top / DRAWN_AT,
        (right - left) / DRAWN_AT,
        (bottom - top) / DRAWN_AT,
    )
