"""Talking to a loop: settings, clients, and ``calls``, what it can be asked."""

import importlib
from typing import TYPE_CHECKING, Any

from edgeloop.client import calls
from edgeloop.client.call import Call
from edgeloop.client.calls.image_queries import Chosen, ImageChange, ImageQuery
from edgeloop.client.calls.page import Page
from edgeloop.client.http import AsyncLoopClient, LoopClient
from edgeloop.client.paging import async_items, async_pages, items, pages
from edgeloop.client.retry import Backoff
from edgeloop.client.settings import ClientSettings
from edgeloop.types import ImageMetadata

if TYPE_CHECKING:
    from edgeloop.client.session import Command, LoopSession

__all__ = [
    "AsyncLoopClient",
    "Backoff",
    "Call",
    "Chosen",
    "ClientSettings",
    "Command",
    "ImageChange",
    "ImageMetadata",
    "ImageQuery",
    "LoopClient",
    "LoopSession",
    "Page",
    "async_items",
    "async_pages",
    "calls",
    "items",
    "pages",
]


def __getattr__(name: str) -> Any:
    # Socket.IO brings a second HTTP library, which only trainers need.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("edgeloop.client.session"), name)
