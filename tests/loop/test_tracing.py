"""Every request has an id and a line in the log."""

import asyncio
import logging
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from edgeloop import logs
from edgeloop.errors import StorageFull
from edgeloop.logs import JsonLines
from edgeloop.loop import LoopSettings, create_app
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from loops import REMOTE, OpenLoop
from uploading import IMAGES, pair, post


async def ask(app: FastAPI, path: str, **arguments: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://loop") as client,
    ):
        return await client.get(path, **arguments)


def access_lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """What the access lines say, oldest first."""
    lines = [r for r in caplog.records if r.name == "edgeloop.loop.api.tracing"]
    return [{**vars(line)[logs.FACTS], "level": line.levelno} for line in lines]


def test_the_id_that_a_client_gave_its_request_is_answered(loop_settings: LoopSettings) -> None:
    app = create_app(loop_settings)
    answer = asyncio.run(ask(app, routes.STATUS, headers={"X-Request-ID": "mine-1"}))
    assert answer.headers["x-request-id"] == "mine-1"


def test_a_request_without_a_well_formed_id_gets_one(loop_settings: LoopSettings) -> None:
    app = create_app(loop_settings)
    answer = asyncio.run(ask(app, routes.STATUS, headers={"X-Request-ID": "not one"}))
    assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.parametrize("error", [StorageFull("No space left."), ZeroDivisionError("oops")])
def test_an_answer_that_is_the_loops_fault_names_the_request_and_so_does_the_log(
    loop_settings: LoopSettings, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    app = create_app(loop_settings)

    @app.get("/fails")
    async def fails() -> None:
        raise error

    caplog.handler.setFormatter(JsonLines())
    answer = asyncio.run(ask(app, "/fails", headers={"X-Request-ID": "mine-1"}))
    assert answer.json()["request_id"] == "mine-1"
    assert answer.headers["x-request-id"] == "mine-1"
    told = [line for line in caplog.text.splitlines() if str(error) in line]
    assert told
    assert all('"request_id": "mine-1"' in line for line in told)


def test_an_answer_that_is_the_clients_fault_names_no_request(loop_settings: LoopSettings) -> None:
    answer = asyncio.run(ask(create_app(loop_settings), f"{V1}/nothing"))
    assert answer.json().keys() == {"detail", "code"}


def test_an_upload_is_a_line_with_its_route_size_and_account(
    open_loop: OpenLoop, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            caplog.clear()
            with caplog.at_level(logging.INFO):
                answer = await post(client, pair(1))
            sent = int(answer.request.headers["content-length"])
            (line,) = access_lines(caplog)
            assert line.pop("ms") > 0
            assert line == {
                "method": "POST",
                "route": "/api/{organization}/projects/{name}/images",
                "status": 200,
                "bytes_in": sent,
                "bytes_out": len(answer.content),
                "account": "admin",
                "peer": REMOTE,
                "level": logging.INFO,
            }

    asyncio.run(story())


@pytest.mark.parametrize(
    ("method", "path", "level"),
    [
        ("GET", f"{V1}/projects", logging.DEBUG),
        ("GET", f"{V1}/images/none", logging.INFO),
        ("POST", "/api/zoo/projects/none/detectors", logging.INFO),
        ("POST", f"{V1}/projects", logging.INFO),
        ("BREW", f"{V1}/projects", logging.INFO),
        ("GET", "/login", logging.DEBUG),
    ],
)
def test_what_changes_or_fails_is_said_aloud_and_what_only_reads_in_detail(
    open_loop: OpenLoop, caplog: pytest.LogCaptureFixture, method: str, path: str, level: int
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            caplog.clear()
            with caplog.at_level(logging.DEBUG):
                await client.request(method, path)
            (line,) = access_lines(caplog)
            assert line["level"] == level
            assert line["method"] in {method, "other"}

    asyncio.run(story())


def test_paths_with_values_in_them_make_no_new_routes(
    open_loop: OpenLoop, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [f"{V1}/nothing/1", f"{V1}/nothing/2", "/some/page", "/other", IMAGES]

    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.client()
            caplog.clear()
            with caplog.at_level(logging.DEBUG):
                for path in paths:
                    await client.get(path)

    asyncio.run(story())
    template = "/api/{organization}/projects/{name}/images"
    assert [line["route"] for line in access_lines(caplog)] == [
        "(unknown)",
        "(unknown)",
        "(page)",
        "(page)",
        template,
    ]


def test_a_request_of_nobody_is_said_so(
    open_loop: OpenLoop, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            stranger = await loop.stranger()
            with caplog.at_level(logging.INFO):
                assert (await stranger.get(f"{V1}/projects")).status_code == 401
            assert access_lines(caplog)[-1]["account"] == "nobody"

    asyncio.run(story())
