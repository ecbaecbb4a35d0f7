"""The self-hosted Learning Loop."""

import importlib
from typing import TYPE_CHECKING, Any

from edgeloop.loop.settings import LoopSettings

if TYPE_CHECKING:
    from edgeloop.loop.app import create_app, reset_password

__all__ = ["LoopSettings", "create_app", "reset_password"]


def __getattr__(name: str) -> Any:
    # The settings' flags are shown by installations without the server's libraries, too.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("edgeloop.loop.app"), name)
