"""What ships to see with: a compact detector that trains on two cores, and its ONNX runtime."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeloop.vision.detector import OnnxDetector
    from edgeloop.vision.trainer import CompactTrainer

__all__ = ["CompactTrainer", "OnnxDetector"]

_HOMES = {
    "CompactTrainer": "edgeloop.vision.trainer",
    "OnnxDetector": "edgeloop.vision.detector",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
