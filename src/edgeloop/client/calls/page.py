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


def page_parser(read: Callable[[Any], T]) -> Callable[[httpx.Response], Page[T]]:
    """A parser of ``{"items": [...], "next": ...}``."""

    def parse(answer: httpx.Response) -> Page[T]:
        body = answer.json()
        return Page(tuple(read(item) for item in body["items"]), body.get("next"))

    return parse
