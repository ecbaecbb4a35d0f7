"""Polygons on the wire: a list of points, or a flat string of numbers."""

from typing import Annotated, Any

from pydantic import BeforeValidator

from edgeloop.protocol.payloads.parsing import Payload, shown

Points = tuple[tuple[float, float], ...]


def _points(value: Any) -> Any:
    if isinstance(value, str):
        return {"points": [{"x": x, "y": y} for x, y in _pairs(value)]}
    return value


def _pairs(text: str) -> Points:
    try:
        numbers = [float(part) for part in text.split(",") if part.strip()]
        return tuple(zip(*[iter(numbers)] * 2, strict=True))
    except ValueError:
        raise ValueError("a shape needs pairs of numbers: x1,y1,x2,y2,...") from None


class PointPayload(Payload):
    """``{x, y}`` in pixels."""

    x: Annotated[float, shown(44)]
    y: Annotated[float, shown(54)]


class PolygonPayload(Payload):
    """``{points: [{x, y}]}``."""

    points: list[PointPayload]

    def to_type(self) -> Points:
        """The corners as (x, y) pairs."""
        return tuple((point.x, point.y) for point in self.points)


Polygon = Annotated[PolygonPayload, BeforeValidator(_points)]
"""A polygon as ``{points: [...]}`` or as ``"x1,y1,x2,y2"``."""


def polygon_to_json(points: Points) -> dict[str, Any]:
    """``{points: [{x, y}]}`` in whole pixels."""
    return {"points": [{"x": round(x), "y": round(y)} for x, y in points]}


def polygon_to_text(points: Points) -> str:
    """``"x1,y1,x2,y2"`` in whole pixels, as detectors send it."""
    return ",".join(str(round(number)) for point in points for number in point)
