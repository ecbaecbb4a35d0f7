"""Lists that come in pages: ``{"items", "next"}``."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query

from edgeloop.errors import Unprocessable

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


def behind(found: Sequence[T], after: str | None, *, cursor: Callable[[T], str]) -> Sequence[T]:
    """Those behind the one with the cursor ``after``, all where that is None.

    For lists that are short and made as a whole. Raises Unprocessable where none has that cursor.
    """
    if after is None:
        return found
    cursors = [cursor(item) for item in found]
    if after not in cursors:
        raise Unprocessable(f"after: the list has no {after!r} (any more): begin anew without it.")
    return found[cursors.index(after) + 1 :]
