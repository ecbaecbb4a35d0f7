"""Lists as a whole: one page after the other, as far as one reads on."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import TypeVar

import httpx

from edgeloop.client.call import Call
from edgeloop.client.calls.page import Page
from edgeloop.client.http import AsyncLoopClient, LoopClient

T = TypeVar("T")


def pages(client: LoopClient, call: Call[Page[T]]) -> Iterator[Page[T]]:
    """The page that ``call`` asks for, and those behind it; each is asked for when it is due.

    Raises EdgeloopError as ``send`` does.
    """
    following: Call[Page[T]] | None = call
    while following is not None:
        page = client.send(following)
        yield page
        following = _behind(page, following)


def items(client: LoopClient, call: Call[Page[T]]) -> Iterator[T]:
    """What stands on these pages."""
    for page in pages(client, call):
        yield from page.items


async def async_pages(client: AsyncLoopClient, call: Call[Page[T]]) -> AsyncIterator[Page[T]]:
    """The same as ``pages`` for programs with an event loop."""
    following: Call[Page[T]] | None = call
    while following is not None:
        page = await client.send(following)
        yield page
        following = _behind(page, following)


async def async_items(client: AsyncLoopClient, call: Call[Page[T]]) -> AsyncIterator[T]:
    """The same as ``items`` for programs with an event loop."""
    async for page in async_pages(client, call):
        for item in page.items:
            yield item


def _behind(page: Page[T], call: Call[Page[T]]) -> Call[Page[T]] | None:
    if page.next is None:
        return None
    path = httpx.URL(call.path).copy_set_param("after", page.next)
    return replace(call, path=str(path))
