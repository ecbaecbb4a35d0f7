"""Who is let in by the routes for test suites, and where they are refused."""

import asyncio

import pytest

from edgeloop.errors import ConfigError
from edgeloop.loop import LoopSettings, create_app
from edgeloop.protocol import routes
from loops import loop_in_process

GENERATOR = "/api/zauberzeug/projects/generator"
BODY = {"project_name": "pytest_p", "inbox": 1}


@pytest.fixture
def test_settings(loop_settings: LoopSettings) -> LoopSettings:
    """A loop with test routes."""
    return loop_settings.model_copy(update={"test_routes": True})


def test_only_admin_is_let_in_with_any_password(test_settings: LoopSettings) -> None:
    async def story() -> None:
        async with loop_in_process(test_settings) as loop:
            client = await loop.stranger()
            for form, status in (
                ({"username": "admin", "password": ""}, 200),
                ({"username": "ada", "password": "x"}, 401),
            ):
                assert (await client.post(routes.LOGIN, data=form)).status_code == status

    asyncio.run(story())


def test_a_stranger_generates_nothing(test_settings: LoopSettings) -> None:
    async def story() -> None:
        async with loop_in_process(test_settings) as loop:
            client = await loop.stranger()
            assert (await client.post(GENERATOR, json=BODY)).status_code == 401

    asyncio.run(story())


def test_without_the_setting_there_is_nothing_of_it(loop_settings: LoopSettings) -> None:
    async def story() -> None:
        async with loop_in_process(loop_settings) as loop:
            client = await loop.client()
            assert (await client.post(GENERATOR, json=BODY)).status_code == 405
            assert (await client.get("/api/projects")).json() == {"projects": []}
            form = {"username": "admin", "password": "anything"}
            assert (await client.post(routes.LOGIN, data=form)).status_code == 401

    asyncio.run(story())


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "8.8.8.8", "2001:4860:4860::8888", "loop.example.org", ""]
)
def test_a_public_address_is_refused(test_settings: LoopSettings, host: str) -> None:
    with pytest.raises(ConfigError, match="--test-routes"):
        create_app(test_settings.model_copy(update={"host": host}))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "10.1.2.3", "192.168.1.2"])
def test_a_private_address_is_allowed(test_settings: LoopSettings, host: str) -> None:
    create_app(test_settings.model_copy(update={"host": host}))
