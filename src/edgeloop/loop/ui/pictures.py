"""Images with what is in them drawn over: annotations solid, detections dashed."""

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nicegui import ui

from edgeloop.loop.services.images import Image
from edgeloop.loop.ui.widgets import Text, block, swatch
from edgeloop.protocol.routes import V1
from edgeloop.types import Annotations, Category, Detections
from edgeloop.types.categories import DEFAULT_COLOR

SHOWN_FROM = 0.2
"""Models report from a confidence of 0.05 for their evaluation: too much to look at."""
_COLOR = re.compile(r"#[0-9a-fA-F]{3,8}")
_NO_DETECTIONS = Detections()


def picture(
    image: Image,
    categories: Sequence[Category],
    *,
    detections: Detections = _NO_DETECTIONS,
    is_large: bool = False,
) -> None:
    """An image with its annotations and these detections drawn over it."""
    record = image.record
    drawing = _Drawing(
        record.width, record.height, {category.id: category for category in categories}, is_large
    )
    source = f"{V1}/images/{record.id}/{'file' if is_large else 'thumbnail'}"
    with block("el-picture").style(f"--ratio:{record.width / record.height:.4f}"):
        attributes = {"src": source, "alt": record.source or "image", "decoding": "async"}
        block(tag="img").put(**attributes, loading="eager" if is_large else "lazy")
        shapes = [*drawing.annotated(record.annotations), *drawing.detected(detections)]
        if shapes:
            ui.html(drawing.whole(shapes)).classes("el-shapes")


def legend(categories: Sequence[Category]) -> None:
    """Which colour is which category."""
    with block("el-legend"):
        for category in categories:
            with block("el-item", tag="span"):
                swatch(safe_color(category.color))
                Text(category.name)


def safe_color(color: str) -> str:
    """The colour if it is written as ``#`` and hex digits, else a usual one."""
    return color if _COLOR.fullmatch(color) else DEFAULT_COLOR


@dataclass(frozen=True, slots=True)
class _Drawing:
    """An SVG over an image, made of numbers and escaped text only."""

    width: int
    height: int
    categories: dict[str, Category]
    has_names: bool

    def whole(self, shapes: Iterable[str]) -> str:
        """All shapes in the image's own pixels, stretched over it."""
        box = f"0 0 {self.width:d} {self.height:d}"
        return f'<svg viewBox="{box}" preserveAspectRatio="none">{"".join(shapes)}</svg>'

    def annotated(self, found: Annotations) -> Iterable[str]:
        """What people said is in the image."""
        for box in found.boxes:
            yield self._box((box.x, box.y, box.width, box.height), self._style(box.category_id))
            yield self._name((box.x, box.y), box.category_id, "")
        for point in found.points:
            yield self._point((point.x, point.y), self._style(point.category_id))
            yield self._name((point.x, point.y), point.category_id, "")
        for polygon in found.segmentations:
            yield self._polygon(polygon.points, self._style(polygon.category_id))

    def detected(self, found: Detections) -> Iterable[str]:
        """What a model saw, with its confidence."""
        shown = found.above(SHOWN_FROM)
        for box in shown.boxes:
            style = self._style(box.category_id, is_dashed=True)
            yield self._box((box.x, box.y, box.width, box.height), style)
            yield self._name((box.x, box.y), box.category_id, f"{box.confidence:.2f}")
        for point in shown.points:
            style = self._style(point.category_id, is_dashed=True)
            yield self._point((point.x, point.y), style)
            yield self._name((point.x, point.y), point.category_id, f"{point.confidence:.2f}")
        for polygon in shown.segmentations:
            yield self._polygon(polygon.points, self._style(polygon.category_id, is_dashed=True))

    def _style(self, category_id: str, *, is_dashed: bool = False) -> str:
        dashes = ' stroke-dasharray="5 3"' if is_dashed else ""
        return f'stroke="{self._color(category_id)}"{dashes}'

    def _box(self, box: tuple[float, float, float, float], style: str) -> str:
        x, y, width, height = map(float, box)
        return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" {style}/>'

    def _point(self, place: tuple[float, float], style: str) -> str:
        radius = max(self.width, self.height) * 0.012
        return f'<circle cx="{place[0]:g}" cy="{place[1]:g}" r="{radius:g}" {style}/>'

    def _polygon(self, points: Iterable[tuple[float, float]], style: str) -> str:
        corners = " ".join(f"{x:g},{y:g}" for x, y in points)
        return f'<polygon points="{corners}" {style}/>'

    def _name(self, place: tuple[float, float], category_id: str, confidence: str) -> str:
        """The category, where there is room for it, and the confidence above a shape."""
        category = self.categories.get(category_id)
        words = [category.name] if category and self.has_names else []
        text = html.escape(" ".join([*words, confidence]).strip())
        if not text:
            return ""
        size = max(self.width, self.height) * (0.02 if self.has_names else 0.05)
        y = max(place[1] - size * 0.3, size)
        return f'<text x="{place[0]:g}" y="{y:g}" font-size="{size:g}">{text}</text>'

    def _color(self, category_id: str) -> str:
        category = self.categories.get(category_id)
        return safe_color(category.color) if category else DEFAULT_COLOR
