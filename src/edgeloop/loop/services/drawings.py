"""Drawn images for tests of clients: coloured triangles and dots before a background."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from edgeloop.imaging import encode_jpeg
from edgeloop.types import Category

Style = Literal["beautiful", "plain"]
Point = tuple[int, int]

COLORS = {
    "purple": "#8E24AA",
    "green": "#43A047",
    "orange": "#FB8C00",
    "red": "#E53935",
    "yellow": "#FDD835",
    "white": "#FAFAFA",
    "pink": "#F48FB1",
    "brown": "#6D4C41",
}
"""Names for what is drawn, in the order in which they are used, and their colours."""
SIZES: dict[Style, Point] = {"beautiful": (1600, 1200), "plain": (800, 600)}
_PLAIN = "#B0BEC5"
_OBJECT = (80, 69)
_DOT_RADIUS = 8
_MESH = 100


@dataclass(frozen=True, slots=True)
class Thing:
    """What was drawn: its category and its corners in pixels; a dot has one corner, its centre."""

    category: Category
    corners: tuple[Point, ...]

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, width and height in pixels."""
        across, down = zip(*self.corners, strict=True)
        left, top = min(across), min(down)
        return left, top, max(across) - left, max(down) - top


@dataclass(frozen=True, slots=True)
class Drawing:
    """A JPEG, its size in pixels, and what is to be seen in it."""

    jpeg: bytes
    width: int
    height: int
    things: tuple[Thing, ...]


def draw(
    style: Style, categories: Sequence[Category], *, each: int, rng: np.random.Generator
) -> Drawing:
    """An image with ``each`` things of every type of category that can be seen, side by side."""
    width, height = SIZES[style]
    image = Image.new("RGB", (width, height), _PLAIN)
    pen = ImageDraw.Draw(image)
    if style == "beautiful":
        _draw_mesh(pen, (width, height), rng)
    shown = _to_show(categories, each)
    places = _places((width, height), len(shown), rng)
    things = tuple(
        _draw_thing(pen, category, place) for category, place in zip(shown, places, strict=True)
    )
    pixels = np.asarray(image, dtype=np.uint8)
    return Drawing(encode_jpeg(pixels, quality=85), width, height, things)


def _to_show(categories: Sequence[Category], each: int) -> list[Category]:
    """Categories of one type take turns."""
    shown: list[Category] = []
    for kind in ("box", "point", "segmentation"):
        own = [category for category in categories if category.type == kind]
        shown += [own[index % len(own)] for index in range(each)] if own else []
    return shown


def _places(size: Point, count: int, rng: np.random.Generator) -> list[Point]:
    """Top-left corners that keep things apart, in cells of a grid taken at random."""
    columns = max(1, math.ceil(math.sqrt(count * size[0] / size[1])))
    rows = max(1, math.ceil(count / columns))
    cell = (size[0] // columns, size[1] // rows)
    room = (max(1, cell[0] - _OBJECT[0]), max(1, cell[1] - _OBJECT[1]))
    return [
        (
            int(index % columns * cell[0] + rng.integers(room[0])),
            int(index // columns * cell[1] + rng.integers(room[1])),
        )
        for index in rng.permutation(columns * rows)[:count]
    ]


def _draw_thing(pen: ImageDraw.ImageDraw, category: Category, place: Point) -> Thing:
    left, top = place
    width, height = _OBJECT
    if category.type == "point":
        x, y = left + width // 2, top + height // 2
        reach = _DOT_RADIUS
        pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=category.color)
        return Thing(category, ((x, y),))
    corners = ((left, top + height), (left + width // 2, top), (left + width, top + height))
    pen.polygon(corners, fill=category.color)
    return Thing(category, corners)


def _draw_mesh(pen: ImageDraw.ImageDraw, size: Point, rng: np.random.Generator) -> None:
    """Triangles in blue and teal, without gaps."""
    columns, rows = size[0] // _MESH + 2, size[1] // _MESH + 2
    shifts = rng.integers(-_MESH // 3, _MESH // 3, (rows, columns, 2))
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1) * _MESH + shifts
    grid -= _MESH // 2
    for row in range(rows - 1):
        for column in range(columns - 1):
            one, two = grid[row, column], grid[row + 1, column + 1]
            for other in (grid[row, column + 1], grid[row + 1, column]):
                corners = [(int(x), int(y)) for x, y in (one, other, two)]
                pen.polygon(corners, fill=_sea(rng))


def _sea(rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = rng.integers((0, 70, 120), (40, 150, 190))
    return int(red), int(green), int(blue)
