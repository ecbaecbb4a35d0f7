"""Lists that come in pages."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Items of a list; ``next`` is what to pass as ``after`` for more, None at the end."""

    items: tuple[T, ...]
    next: str | None


def paging(after: str | None, limit: int, **filters: str | bool | None) -> httpx.QueryParams:
    """The query for a page; filters that are None are left out."""
    query = {"after": after, "limit": str(limit), **filters}
    given = {name: value for name, value in query.items() if value is not None}
    return httpx.QueryParams(
        {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in given.items()
        }
    )


def page_parser(read: Callable[[Any], T]) -> Callable[[httpx.Response], Page[T]]:
    """A parser of ``{"items": [...], "next": ...}``."""

    def parse(answer: httpx.Response) -> Page[T]:
        body = answer.json()
        return Page(tuple(read(item) for item in body["items"]), body.get("next"))

    return parse
