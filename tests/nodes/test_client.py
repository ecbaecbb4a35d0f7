"""A node does not insist on a login that was refused."""

import asyncio
from pathlib import Path

import pytest

from detecting import CupDetector, OddLoop, in_service, running_node, until_told
from edgeloop.client.calls.deployments import deployment_target
from edgeloop.errors import Unauthenticated
from edgeloop.nodes import DetectorNode
from edgeloop.nodes.client import NodeClient
from edgeloop.nodes.settings import DetectorSettings

TARGET = deployment_target("zoo", "cats")


def test_a_refused_login_is_tried_again_only_after_five_minutes() -> None:
    now = 0.0

    async def story() -> None:
        nonlocal now
        async with (
            OddLoop(refuses_logins=True).serve() as loop,
            NodeClient(loop.settings, clock=lambda: now) as client,
        ):
            loop.deploy("1.0")
            for _ in range(3):
                with pytest.raises(Unauthenticated, match="Wrong username"):
                    await client.send(TARGET)
            assert loop.logins == 1
            now += 301
            with pytest.raises(Unauthenticated, match="Wrong username"):
                await client.send(TARGET)
            assert loop.logins == 2
            now += 301
            loop.refuses_logins = False
            assert (await client.send(TARGET)).version == "1.0"

    asyncio.run(story())


def test_a_login_that_is_refused_later_ends_no_wait_for_the_first() -> None:
    async def story() -> None:
        async with OddLoop().serve() as loop, NodeClient(loop.settings) as client:
            await client.log_in()
            loop.refuses_logins = True
            with pytest.raises(Unauthenticated):
                await client.log_in()
            waiting = asyncio.ensure_future(client.until_unknown())
            await asyncio.sleep(0)
            assert not waiting.done()
            waiting.cancel()

    asyncio.run(story())


def test_a_detector_whose_first_login_is_refused_ends(tmp_path: Path) -> None:
    async def story() -> None:
        async with OddLoop(refuses_logins=True).serve() as loop:
            settings = DetectorSettings(port=0, data_folder=tmp_path)
            node = DetectorNode(CupDetector, settings, client_settings=loop.settings)
            with pytest.raises(Unauthenticated, match="Wrong username"):
                await node.serve()

    asyncio.run(story())


def test_a_detector_that_has_a_model_detects_whatever_the_loop_says_to_its_login(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with OddLoop().serve() as loop:
            loop.deploy("1.0")
            async with running_node(tmp_path, loop.settings) as client:
                await in_service(client, "1.0")
            loop.refuses_logins = True
            async with running_node(tmp_path, loop.settings) as client:
                told = await until_told(client, lambda told: "update_model" in told["errors"])
                assert "Wrong username" in told["errors"]["update_model"]
                await in_service(client, "1.0")

    asyncio.run(story())
