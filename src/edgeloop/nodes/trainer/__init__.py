"""A trainer node: orders from the loop become models."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeloop.nodes.trainer.node import TrainerNode

__all__ = ["TrainerNode"]


def __getattr__(name: str) -> Any:
    # Lazy: the training process imports parts of this package and needs no web stack.
    if name != "TrainerNode":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from edgeloop.nodes.trainer.node import TrainerNode

    return TrainerNode
