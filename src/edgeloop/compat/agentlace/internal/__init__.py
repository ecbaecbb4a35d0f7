"""agentlace.internal."""

from edgeloop.compat.agentlace.internal import utils

__all__ = ["utils"]
