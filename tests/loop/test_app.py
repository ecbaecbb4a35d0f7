"""The loop's app as a whole: start-up, and failures in one shape."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.requests import ClientDisconnect

import edgeloop.loop
from edgeloop.errors import ConfigError, StorageFull
from edgeloop.loop import LoopSettings, create_app
from edgeloop.protocol import routes
from loops import OpenLoop, ServedLoop


async def answer_to(app: FastAPI, method: str, path: str, **arguments: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://loop") as client,
    ):
        return await client.request(method, path, **arguments)


def test_the_package_offers_its_settings_and_its_app() -> None:
    assert edgeloop.loop.__all__ == [
        "LoopSettings",
        "check",
        "create_app",
        "drain",
        "reset_password",
    ]
    assert all(getattr(edgeloop.loop, name) for name in edgeloop.loop.__all__)
    with pytest.raises(AttributeError, match="nothing_else"):
        edgeloop.loop.nothing_else  # noqa: B018 - that is the point


def test_anybody_may_ask_whether_the_loop_is_there(loop_settings: LoopSettings) -> None:
    answer = asyncio.run(answer_to(create_app(loop_settings), "GET", routes.STATUS))
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"


def test_a_served_loop_answers_over_http(served_loop: ServedLoop) -> None:
    assert httpx.get(f"{served_loop.url}{routes.STATUS}").status_code == 200


def test_a_data_folder_that_cannot_be_made_is_said_in_a_sentence(
    tmp_path: Path, loop_settings: LoopSettings
) -> None:
    (tmp_path / "file").touch()
    settings = loop_settings.model_copy(update={"data_folder": tmp_path / "file" / "loop"})

    async def start() -> None:
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            pass

    with pytest.raises(ConfigError, match=r"data folder .*--data-folder"):
        asyncio.run(start())


def test_what_a_killed_loop_left_half_written_is_removed_at_the_start(
    loop_settings: LoopSettings,
) -> None:
    draft = loop_settings.data_folder / "files" / ".draft-1"
    draft.parent.mkdir(parents=True)
    draft.touch()
    asyncio.run(answer_to(create_app(loop_settings), "GET", routes.STATUS))
    assert not draft.exists()


def test_the_first_start_says_a_made_up_password_once(loop_settings: LoopSettings) -> None:
    settings = loop_settings.model_copy(update={"admin_password": None})
    said: list[str] = []
    for _ in range(2):
        asyncio.run(answer_to(create_app(settings, on_password=said.append), "GET", routes.STATUS))
    form = {"username": "admin", "password": said[0]}
    answer = asyncio.run(answer_to(create_app(settings), "POST", routes.LOGIN, data=form))
    assert (len(said), answer.status_code) == (1, 200)


def test_a_password_that_is_too_short_is_refused_at_the_first_start(
    loop_settings: LoopSettings,
) -> None:
    short = loop_settings.model_copy(update={"admin_password": SecretStr("seven77")})
    with pytest.raises(ConfigError, match=r"7 characters: choose one of 8 .*--admin-password"):
        asyncio.run(answer_to(create_app(short), "GET", routes.STATUS))
    asyncio.run(answer_to(create_app(loop_settings), "GET", routes.STATUS))
    later = asyncio.run(answer_to(create_app(short), "GET", routes.STATUS))
    assert later.status_code == 200  # only the first start makes the account


def test_without_a_listener_the_made_up_password_is_in_a_file_for_its_owner_alone(
    loop_settings: LoopSettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings = loop_settings.model_copy(update={"admin_password": None})
    asyncio.run(answer_to(create_app(settings), "GET", routes.STATUS))
    file = settings.data_folder / "admin-password"
    assert file.stat().st_mode & 0o077 == 0
    password = file.read_text().strip()
    assert str(file) in caplog.text
    assert password not in caplog.text
    form = {"username": "admin", "password": password}
    answer = asyncio.run(answer_to(create_app(settings), "POST", routes.LOGIN, data=form))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StorageFull("No space left."), 507, "storage_full"),
        (ClientDisconnect(), 400, "input"),
        (ZeroDivisionError("secret detail"), 500, "bug"),
    ],
)
def test_errors_of_routes_are_answered_in_one_shape(
    loop_settings: LoopSettings, error: Exception, status: int, code: str
) -> None:
    app = create_app(loop_settings)

    @app.get("/fails")
    async def fails() -> None:
        raise error

    answer = asyncio.run(answer_to(app, "GET", "/fails"))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "secret" not in answer.text


def test_an_unknown_path_is_answered_in_the_same_shape(loop_settings: LoopSettings) -> None:
    answer = asyncio.run(answer_to(create_app(loop_settings), "GET", "/api/v1/nothing"))
    assert answer.status_code == 404
    assert answer.json() == {"detail": "GET /api/v1/nothing: Not Found", "code": "not_found"}


def test_other_users_of_the_machine_cannot_look_into_the_data_folder(
    open_loop: OpenLoop, loop_settings: LoopSettings
) -> None:
    async def story() -> None:
        async with open_loop():
            assert loop_settings.data_folder.stat().st_mode & 0o077 == 0

    asyncio.run(story())


def test_a_second_loop_is_kept_out_of_the_data_folder(
    open_loop: OpenLoop, loop_settings: LoopSettings
) -> None:
    async def story() -> None:
        async with open_loop():
            second = create_app(loop_settings)
            with pytest.raises(ConfigError, match="Another loop works in"):
                async with second.router.lifespan_context(second):
                    raise AssertionError

    asyncio.run(story())
