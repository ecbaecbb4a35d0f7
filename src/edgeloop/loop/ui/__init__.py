"""The loop's web pages, one per file."""

from edgeloop.loop.ui.hosting import mount

__all__ = ["mount"]
