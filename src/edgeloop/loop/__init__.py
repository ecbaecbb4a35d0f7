"""The self-hosted Learning Loop."""

import importlib
from typing import TYPE_CHECKING, Any

from edgeloop.loop.settings import LoopSettings

if TYPE_CHECKING:
    from edgeloop.loop.app import create_app, drain
    from edgeloop.loop.upkeep import check, reset_password

__all__ = ["LoopSettings", "check", "create_app", "drain", "reset_password"]
_PLACES = {"check": "upkeep", "create_app": "app", "drain": "app", "reset_password": "upkeep"}


def __getattr__(name: str) -> Any:
    # The settings' flags are shown by installations without the server's libraries, too.
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"edgeloop.loop.{_PLACES[name]}"), name)
