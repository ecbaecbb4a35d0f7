"""A client with a token shows it, and logs neither in nor out."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from edgeloop.client import AsyncLoopClient, ClientSettings, LoopClient
from edgeloop.client.calls.projects import projects
from edgeloop.client.settings import child_environment
from edgeloop.errors import Unauthenticated

SETTINGS = ClientSettings.model_validate(
    {
        "host": "loop",
        "loop_token": SecretStr("el_1"),
        "username": "ann",
        "password": SecretStr("hers"),
    }
)
Answer = Callable[[httpx.Request], httpx.Response]


class Server:
    """Keeps what was asked; lets the token in, or nobody."""

    def __init__(self, *, status: int = 200) -> None:
        self.requests: list[httpx.Request] = []
        self._status = status

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer with no projects, or with a refusal."""
        self.requests.append(request)
        detail = {"detail": "This token has expired.", "code": "unauthenticated"}
        empty: dict[str, Any] = {"items": [], "next": None}
        return httpx.Response(self._status, json=empty if self._status == 200 else detail)


def ask(kind: type[AsyncLoopClient] | type[LoopClient], server: Server) -> Any:
    """Log in and out, then send a call that takes a login."""
    transport = httpx.MockTransport(server)
    if kind is LoopClient:
        with LoopClient(SETTINGS, transport=transport) as client:
            client.log_in()
            client.log_out()
            return client.send(projects())

    async def story() -> Any:
        async with AsyncLoopClient(SETTINGS, transport=transport) as client:
            await client.log_in()
            await client.log_out()
            return await client.send(projects())

    return asyncio.run(story())


@pytest.mark.parametrize("kind", [AsyncLoopClient, LoopClient])
def test_a_token_is_shown_with_every_request_and_nobody_logs_in(
    kind: type[AsyncLoopClient] | type[LoopClient],
) -> None:
    server = Server()
    assert ask(kind, server).items == ()
    (request,) = server.requests
    assert request.url.path == "/api/v1/projects"
    assert request.headers["authorization"] == "Bearer el_1"


@pytest.mark.parametrize("kind", [AsyncLoopClient, LoopClient])
def test_a_token_that_is_refused_is_named_and_not_repeated(
    kind: type[AsyncLoopClient] | type[LoopClient],
) -> None:
    server = Server(status=401)
    with pytest.raises(
        Unauthenticated, match=r"expired\. \(Asked http://loop as the holder of LOO"
    ):
        ask(kind, server)
    assert len(server.requests) == 1


def test_a_token_comes_from_its_variable_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "of something else")
    assert not ClientSettings().loop_token.get_secret_value()
    monkeypatch.setenv("LOOP_TOKEN", "el_2")
    settings = ClientSettings()
    assert (settings.loop_token.get_secret_value(), settings.is_known) == ("el_2", True)
    assert "el_2" not in repr(settings)


def test_a_child_gets_the_token_that_is_meant_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOP_TOKEN", "of the shell")
    assert child_environment(SETTINGS)["LOOP_TOKEN"] == "el_1"
    none = ClientSettings.model_validate({"loop_token": SecretStr("")})
    assert "LOOP_TOKEN" not in child_environment(none)
