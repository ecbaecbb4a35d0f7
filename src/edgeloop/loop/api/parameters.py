"""What the parameters of routes look like, for OpenAPI: the same name means the same everywhere."""

from collections.abc import Mapping
from typing import Any

_UUID = "6f1c0a4e-8f0b-4f0e-9a56-1d3f0a3c7b11"
_SHOWN: Mapping[str, Any] = {
    "after": _UUID,
    "camera": "left",
    "category": "cup",
    "format": "onnx",
    "frame_id": "cell-1-000042",
    "ids": f"{_UUID},b7d0b5c2-3a52-4b0f-8a37-52c7f0a6d2e4",
    "if-match": '"3"',
    "max_confidence": 0.6,
    "min_confidence": 0.3,
    "model_format": "onnx",
    "model_version": "3.0",
    "name": "cups",
    "number": 3,
    "online": True,
    "organization": "acme",
    "received_from": "2026-01-02T00:00:00Z",
    "received_to": "2026-01-03T00:00:00Z",
    "retired": False,
    "session_id": "0f3c9a7be1d24c55",
    "sort": "-received",
    "source": "belt 3",
    "tag": "night",
    "training": 3,
    "username": "ann",
}
_CURSOR_NUMBER = 20


def example_of(parameter: Mapping[str, Any]) -> Any:
    """What could be given for a parameter of a route."""
    name, schema = parameter["name"], parameter["schema"]
    one = next(iter(schema.get("anyOf", [schema])))
    match one:
        case {"enum": [first, *_]} if name not in _SHOWN:
            return first
        case {"type": "integer"} if name == "after":
            return _CURSOR_NUMBER
        case {"type": "array"}:
            return [_SHOWN[name]]
        case _ if name not in _SHOWN and name.endswith("_id"):
            return _UUID
        case _:
            return _SHOWN.get(name, schema.get("default"))
