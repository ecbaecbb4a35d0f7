"""Pages of the loop as HTTP gives them, for tests."""

import html
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx

from loops import LoopInProcess

PARTS = "/projects/workshop/parts"
IMAGE_LINK = re.compile(r"/images/([0-9a-f-]{36})\b(?!/)")

Story = Callable[[LoopInProcess, httpx.AsyncClient], Awaitable[None]]
Tell = Callable[[Story], None]


async def page(client: httpx.AsyncClient, path: str, *, status: int = 200) -> str:
    """A page's HTML, with its escapes undone."""
    answer = await client.get(path)
    assert answer.status_code == status, answer.text[:500]
    assert answer.headers["content-type"].startswith("text/html")
    return html.unescape(answer.text)


def seen(text: str) -> list[str]:
    """The ids of the images whose pages are linked, in order."""
    return list(dict.fromkeys(IMAGE_LINK.findall(text)))


def texts(text: str) -> list[str]:
    """The texts of a page's elements."""
    return [element["text"] for element in elements(text) if element.get("text")]


def link(text: str, words: str) -> str:
    """Where the link with this text leads."""
    (target,) = [e["props"]["href"] for e in elements(text) if e.get("text") == words]
    assert isinstance(target, str)
    return target


def elements(text: str) -> Sequence[dict[str, Any]]:
    """What the browser is given to build the page of."""
    found = re.search(r"parseElements\(String\.raw`(.*?)`\)", text, re.DOTALL)
    assert found
    return list(json.loads(found[1]).values())
