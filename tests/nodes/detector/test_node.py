"""A whole detector node, against a loop that does what the test says."""

import asyncio
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import edgeloop.nodes
from detecting import OddLoop, in_service, running_node, until_told
from edgeloop.client import ClientSettings
from edgeloop.client.settings import child_environment
from edgeloop.errors import ConfigError
from edgeloop.imaging import encode_jpeg
from edgeloop.nodes import DetectorNode

TESTS = Path(__file__).parents[2]
UNSURE = encode_jpeg(np.full((32, 32, 3), 50, dtype=np.uint8))


def test_the_node_reports_itself_at_its_start_and_after_a_change(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            OddLoop().serve() as loop,
            running_node(tmp_path, loop.settings, name="arm", version="7") as client,
        ):
            await loop.until(lambda: bool(loop.reports))
            assert loop.reports[0]["name"] == "arm"
            assert loop.reports[0]["node_version"] == "7"
            assert loop.reports[0]["state"] == "online"
            assert loop.reports[0]["model_format"] == "mocked"
            loop.deploy("1.0")
            await loop.until(lambda: loop.reports[-1]["current_model"] == "1.0")
            assert loop.reports[-1]["target_model"] == "1.0"
            await client.put("/operation_mode", content="detecting")
            await loop.until(lambda: loop.reports[-1]["operation_mode"] == "detecting")

    asyncio.run(story())


def test_the_node_reports_itself_again_and_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            OddLoop().serve() as loop,
            running_node(tmp_path, loop.settings, report_interval_s=0.01),
        ):
            await loop.until(lambda: len(loop.reports) > 5)

    asyncio.run(story())


def test_the_uuid_belongs_to_the_name_and_survives_a_restart(tmp_path: Path) -> None:
    async def uuid_of(name: str) -> str:
        async with (
            OddLoop().serve() as loop,
            running_node(tmp_path, loop.settings, name=name) as client,
        ):
            return str((await client.get("/about")).json()["uuid"])

    async def story() -> None:
        first = await uuid_of("left")
        assert await uuid_of("right") != first
        assert await uuid_of("left") == first

    asyncio.run(story())


def test_damaged_uuids_are_told_instead_of_replaced(tmp_path: Path) -> None:
    (tmp_path / "uuids.json").write_text("{")

    async def story() -> None:
        with pytest.raises(ConfigError, match=r"uuids\.json is damaged"):
            async with running_node(tmp_path, ClientSettings(host="127.0.0.1:1")):
                pass

    asyncio.run(story())


def test_without_a_project_the_node_says_so_and_works_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        nobody = ClientSettings(host="127.0.0.1:1", organization="", project="")
        async with running_node(tmp_path, nobody) as client:
            about = (await client.get("/about")).json()
            assert about["errors"] == {}
        assert "LOOP_ORGANIZATION" in caplog.text

    asyncio.run(story())


def test_a_loop_that_is_away_is_among_the_errors(tmp_path: Path) -> None:
    async def story() -> None:
        nowhere = ClientSettings(host="127.0.0.1:1", organization="zoo", project="cats")
        async with running_node(tmp_path, nowhere, report_interval_s=0.01) as client:
            about = await until_told(client, lambda told: bool(told["errors"]))
            assert "does not answer" in about["errors"]["update_model"]

    asyncio.run(story())


def test_the_model_is_switched_while_requests_run_and_none_fails(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            OddLoop().serve() as loop,
            running_node(tmp_path, loop.settings) as client,
        ):
            loop.deploy("1.0")
            await in_service(client, "1.0")
            seen: list[str] = []

            async def ask() -> None:
                while "2.0" not in seen:
                    answer = await client.post(
                        "/detect", files={"file": UNSURE}, headers={"autoupload": "disabled"}
                    )
                    assert answer.status_code == 200, answer.text
                    seen.append(answer.json()["box_detections"][0]["model_name"])

            async with asyncio.timeout(30), asyncio.TaskGroup() as group:
                for _ in range(4):
                    group.create_task(ask())
                loop.deploy("2.0")
            assert "1.0" in seen

    asyncio.run(story())


def test_a_script_without_a_main_guard_starts_no_node_in_the_processes_it_spawns(
    tmp_path: Path,
) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "import multiprocessing as mp\n"
        "from detecting import CupDetector\n"
        "from edgeloop.nodes import DetectorNode\n"
        "if mp.current_process().name == 'MainProcess':\n"
        "    child = mp.get_context('spawn').Process(target=print)\n"
        "    child.start()\n"
        "    child.join()\n"
        "else:\n"
        "    DetectorNode(CupDetector).run()\n"
    )
    variables = child_environment(
        ClientSettings(), NODE_PORT="0", DATA_FOLDER=str(tmp_path), PYTHONPATH=str(TESTS)
    )
    ended = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env=variables, timeout=60
    )
    assert "below `if __name__ == '__main__':`" in ended.stderr


def test_two_detectors_do_not_share_a_folder(tmp_path: Path) -> None:
    async def story() -> None:
        async with OddLoop().serve() as loop, running_node(tmp_path, loop.settings):
            with pytest.raises(ConfigError, match="Another node works in"):
                async with running_node(tmp_path, loop.settings):
                    pass

    asyncio.run(story())


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        async with OddLoop().serve() as loop:
            with pytest.raises(ConfigError, match=f"Port {loop.port} is taken"):
                async with running_node(tmp_path, loop.settings, port=loop.port):
                    pass

    asyncio.run(story())


def test_nodes_are_imported_by_the_name_of_the_package() -> None:
    assert edgeloop.nodes.DetectorNode is DetectorNode
    with pytest.raises(AttributeError, match="no attribute 'Converter'"):
        _ = edgeloop.nodes.Converter
