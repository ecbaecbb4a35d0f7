"""The detector node."""

from edgeloop.nodes.detector.node import DetectorNode

__all__ = ["DetectorNode"]
