"""Other sites' pages cannot make a browser change anything; programs are not bothered."""

import asyncio

import pytest
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from edgeloop.loop.api.origins import SameOrigin, is_foreign
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from loops import OpenLoop

SITE = "sec-fetch-site"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({SITE: "same-origin"}, False),
        ({SITE: "none"}, False),
        ({SITE: "same-site"}, True),
        ({SITE: "cross-site"}, True),
        ({SITE: "same-origin", "origin": "https://loop.example", "host": "inner:8000"}, False),
        ({"origin": "http://loop:8000", "host": "loop:8000"}, False),
        ({"origin": "https://loop", "host": "loop"}, False),
        ({"origin": "http://loop:8000", "host": "loop:9000"}, True),
        ({"origin": "https://evil.example", "host": "loop:8000"}, True),
        ({"origin": "null", "host": "loop:8000"}, True),
        ({"origin": "null"}, True),
        ({"origin": "https://a.example", "host": "in", "x-forwarded-host": "a.example"}, False),
    ],
)
def test_what_a_browser_says_of_its_page_decides(
    headers: dict[str, str], *, expected: bool
) -> None:
    assert is_foreign(Headers(headers)) is expected


@pytest.mark.parametrize("foreign", [{SITE: "cross-site"}, {"origin": "https://evil.example"}])
def test_another_sites_page_changes_nothing_with_somebodys_session(
    open_loop: OpenLoop, foreign: dict[str, str]
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            body = {"organization": "zoo", "name": "cats"}
            answer = await client.post(f"{V1}/projects", json=body, headers=foreign)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
            assert (await client.get(f"{V1}/projects", headers=foreign)).json()["items"] == []
            assert (await client.post(routes.LOGOUT, headers=foreign)).status_code == 403
            assert (await client.post(routes.LOGIN, headers=foreign)).status_code == 403

    asyncio.run(story())


def test_no_other_site_may_read_answers(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            headers = {"origin": "https://evil.example"}
            for path in (f"{V1}/projects", "/", f"{routes.SOCKET}/?EIO=4&transport=polling"):
                answer = await client.get(path, headers=headers)
                assert "access-control-allow-origin" not in answer.headers
            asked = {**headers, "access-control-request-method": "POST"}
            answer = await client.options(f"{V1}/projects", headers=asked)
            assert "access-control-allow-origin" not in answer.headers

    asyncio.run(story())


@pytest.mark.parametrize("path", ["/ws/socket.io/", "/_nicegui_ws/socket.io/"])
def test_another_sites_page_opens_no_socket(path: str) -> None:
    assert asyncio.run(_socket(path, b"https://evil.example")) == ["websocket.close"]
    assert asyncio.run(_socket(path, b"http://loop")) == ["let in"]


@pytest.mark.parametrize("path", ["/ws/socket.io/", "/_nicegui_ws/socket.io/"])
def test_another_sites_page_polls_no_socket(open_loop: OpenLoop, path: str) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            headers = {"origin": "https://evil.example"}
            answer = await client.get(f"{path}?EIO=4&transport=polling", headers=headers)
            assert answer.status_code == 403

    asyncio.run(story())


async def _socket(path: str, origin: bytes) -> list[str]:
    """What comes of a websocket's handshake."""
    seen: list[str] = []

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append("let in")

    async def send(message: Message) -> None:
        seen.append(message["type"])

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    headers = [(b"host", b"loop"), (b"origin", origin)]
    scope = {"type": "websocket", "path": path, "headers": headers}
    await SameOrigin(app)(scope, receive, send)
    return seen
