"""Lists that come in pages: ``{"items", "next"}``."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query

T = TypeVar("T")

MAX_LIMIT = 1000
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
Number = Annotated[int, Query(ge=0, le=2**31 - 1)]
"""A number that is a cursor; databases take no larger ones."""


def page(
    found: Sequence[T], *, limit: int, encode: Callable[[T], Any], cursor: Callable[[T], str]
) -> dict[str, Any]:
    """The first ``limit`` of what was found; there is a next page where more was found."""
    items = found[:limit]
    more = len(found) > limit
    return {
        "items": [encode(item) for item in items],
        "next": cursor(items[-1]) if more else None,
    }
