"""Nodes: write a Detector or a Trainer, hand the class to its node."""

import importlib
from typing import TYPE_CHECKING, Any

from edgeloop.nodes.contracts import Detector, ModelVariant, Trainer

if TYPE_CHECKING:
    from edgeloop.nodes.detector import DetectorNode
    from edgeloop.nodes.trainer import TrainerNode

__all__ = ["Detector", "DetectorNode", "ModelVariant", "Trainer", "TrainerNode"]

_NODES = {"DetectorNode": "edgeloop.nodes.detector", "TrainerNode": "edgeloop.nodes.trainer"}


def __getattr__(name: str) -> Any:
    # A worker process that needs a contract alone does not load the web stack.
    if name not in _NODES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_NODES[name]), name)
