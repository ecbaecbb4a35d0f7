"""TrainerNode as users and loops meet it."""

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from edgeloop.client import AsyncLoopClient, ClientSettings
from edgeloop.client.calls import nodes
from edgeloop.client.settings import child_environment
from edgeloop.errors import ConfigError
from edgeloop.nodes import Detector, Trainer, TrainerNode
from edgeloop.nodes.identity import node_id, only_node_in
from edgeloop.nodes.trainer.node import check_trainer_class
from edgeloop.nodes.trainer.node.desk import TrainerDesk
from edgeloop.types import TrainerState
from nodes.trainer.scripted import NoTrain, ScriptedDetector, ScriptedTrainer
from nodes.trainer.workshop import Workshop, beside_a_trainer, trainer_settings, workshop

TESTS = Path(__file__).parents[2]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    with workshop(tmp_path) as made:
        yield made


def served(shop: Workshop, story: Any, **settings: Any) -> None:
    """Run a whole node; ``story(url)`` runs in a thread and the node ends with it."""

    async def whole() -> None:
        loop = asyncio.get_running_loop()
        port: asyncio.Future[int] = loop.create_future()
        node = TrainerNode(
            ScriptedTrainer,
            trainer_settings(shop.folder, **settings),
            client_settings=shop.address,
        )
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(node.serve(on_started=port.set_result))
            url = f"http://127.0.0.1:{await port}"
            await asyncio.to_thread(story, url)
            serving.cancel()

    asyncio.run(whole())


def test_the_loop_sees_the_trainer_and_what_it_offers(shop: Workshop) -> None:
    def story(desk: TrainerDesk) -> None:
        shop.wait(lambda: len(shop.client.send(nodes.nodes()).items) == 1, "the trainer is known")
        [node] = shop.client.send(nodes.nodes()).items
        assert (node.kind, node.name, node.online) == ("trainer", "trainer", True)
        assert node.status["state"] == "idle"
        assert node.status["model_format"] == "weights"
        assert node.status["pretrained_models"][0] == {
            "name": "small",
            "label": "Small",
            "description": "is quick",
        }

    beside_a_trainer(shop, story)


def test_the_node_tells_its_status_over_rest(shop: Workshop) -> None:
    def story(url: str) -> None:
        about = httpx.get(f"{url}/about").json()
        assert (about["name"], about["state"], about["context"]) == ("trainer", "idle", None)
        assert httpx.post(f"{url}/reset").status_code == 404

    served(shop, story)


def test_the_backdoor_kills_and_resets_when_it_is_open(shop: Workshop) -> None:
    def story(url: str) -> None:
        assert httpx.post(f"{url}/kill_training_process").status_code == 409
        record = shop.begin(epochs=3, happens="hang", once=False)
        folder = shop.folder / "trainer" / "trainings"
        shop.wait(lambda: any(folder.glob("*/output/hanging")), "the training hangs")
        assert httpx.get(f"{url}/about").json()["state"] == "running"
        assert httpx.post(f"{url}/kill_training_process").json() is True
        shop.until(record, lambda training: "SIGKILL" in str(training.errors))
        assert httpx.post(f"{url}/force_status_update").json() is True
        assert httpx.post(f"{url}/reset").json() is True
        shop.wait(lambda: httpx.get(f"{url}/about").json()["state"] == "idle", "it is idle")

    served(shop, story, use_backdoor_controls=True)


def test_a_busy_trainer_refuses_another_training(shop: Workshop) -> None:
    def story(desk: TrainerDesk) -> None:
        shop.begin(epochs=3, happens="hang")
        shop.wait(lambda: desk.status().state == TrainerState.RUNNING, "it trains")
        answer = shop.ask(desk, "begin_training", "acme", "cups", details(number=2))
        assert (answer["success"], answer["payload"]) == (False, "refused")
        assert "training 1 of acme/cups is still active" in answer["error_msg"]

    beside_a_trainer(shop, story)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("acme", "cups"), "takes organization, project and details"),
        (("acme", "cups", {}), "TrainingDetailsPayload: categories is wrong"),
        (("acme", "cups", {"variant": "huge"}), "There is no variant 'huge': choose one of"),
        (("acme", "cups", {"script": {"epochs": []}}), "Hyperparameters: epochs is wrong"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(
    tmp_path: Path, arguments: tuple[Any, ...], reason: str
) -> None:
    *names, last = arguments
    given = details(**last) if isinstance(last, dict) and last else last
    answer = asyncio.run(asked_alone(tmp_path, "begin_training", *names, given))
    assert not answer["success"]
    assert answer["payload"] is None
    assert reason in answer["error_msg"]


def test_an_unknown_command_is_answered(tmp_path: Path) -> None:
    answer = asyncio.run(asked_alone(tmp_path, "dance"))
    assert answer == {"success": False, "error_msg": "unknown command dance", "payload": None}


@pytest.mark.parametrize("command", ["stop_training", "abort_training"])
def test_an_idle_trainer_can_be_stopped(tmp_path: Path, command: str) -> None:
    assert asyncio.run(asked_alone(tmp_path, command))["success"]


def test_the_node_ends_after_a_training_where_that_is_wanted(shop: Workshop) -> None:
    async def whole() -> None:
        node = TrainerNode(
            ScriptedTrainer,
            trainer_settings(shop.folder, restart_after_training=True),
            client_settings=shop.address,
        )
        record = shop.begin()
        async with asyncio.timeout(60):
            await node.serve()
        assert shop.until_ended(record).state == "finished"

    asyncio.run(whole())


def test_the_node_ends_when_it_was_idle_for_long(tmp_path: Path) -> None:
    settings = trainer_settings(tmp_path, idle_timeout_s=0.1)
    address = ClientSettings(host="http://127.0.0.1:1")
    node = TrainerNode(ScriptedTrainer, settings, client_settings=address)
    asyncio.run(asyncio.wait_for(node.serve(), 30))


def test_the_node_ends_when_the_loop_asks_for_a_restart(tmp_path: Path) -> None:
    async def whole() -> None:
        async with lonely_desk(tmp_path) as desk, asyncio.timeout(30), asyncio.TaskGroup() as group:
            ends = [group.create_task(awaited(task)) for task in desk.tasks()]
            await desk.obey("restart")
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in ends:
                task.cancel()

    asyncio.run(whole())


def test_a_training_left_by_a_former_run_is_resumed(shop: Workshop) -> None:
    def interrupted(desk: TrainerDesk) -> None:
        shop.begin(epochs=3, happens="hang", at=3)
        folder = shop.folder / "trainer" / "trainings"
        shop.wait(lambda: any(folder.glob("*/output/hanging")), "the training hangs")

    def resumed(desk: TrainerDesk) -> None:
        shop.wait(lambda: len(shop.models()) == 1, "there is a model")

    beside_a_trainer(shop, interrupted)
    beside_a_trainer(shop, resumed)


def test_a_trainer_of_a_script_is_run_as_it_stands(shop: Workshop) -> None:
    example = TESTS.parent / "examples" / "own_trainer.py"
    environment = child_environment(
        shop.address, NODE_PORT="0", DATA_FOLDER=str(shop.folder / "own")
    )
    with subprocess.Popen([sys.executable, example], env=environment) as process:
        record = shop.until_ended(shop.begin())
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert (record.state, record.errors) == ("finished", {})
    [model] = shop.models()
    assert model.formats == ["colours"]
    assert sum(shop.detections("1.0")) > 0


def test_a_script_without_a_main_guard_is_told_so(shop: Workshop) -> None:
    example = (TESTS.parent / "examples" / "own_trainer.py").read_text()
    program = shop.folder / "unguarded.py"
    program.write_text(example.replace('if __name__ == "__main__":\n    ', ""))
    environment = child_environment(
        shop.address, NODE_PORT="0", DATA_FOLDER=str(shop.folder / "own")
    )
    with subprocess.Popen(
        [sys.executable, program], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        record = shop.until_ended(shop.begin())
        process.terminate()
        _, said = process.communicate(timeout=30)
    assert record.state == "failed"
    assert "below \"if __name__ == '__main__':\"" in record.errors["run_training"]
    assert "put the line with run() below `if __name__ == '__main__':`" in said


def test_a_node_keeps_its_id_and_has_another_under_another_name(tmp_path: Path) -> None:
    first = node_id(tmp_path, "a")
    assert re.fullmatch(r"[0-9a-f-]{36}", first)
    assert node_id(tmp_path, "b") != first
    assert node_id(tmp_path, "a") == first


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_damaged_identity_is_an_error_that_names_the_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "uuids.json").write_text(content)
    with pytest.raises(ConfigError, match=r"uuids\.json is damaged"):
        node_id(tmp_path, "a")


def test_two_nodes_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        only_node_in(tmp_path),
        pytest.raises(ConfigError, match="Another node works in"),
        only_node_in(tmp_path),
    ):
        pass


def test_a_folder_that_cannot_be_written_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigError, match="choose another one"),
        only_node_in(tmp_path / "file" / "x"),
    ):
        pass


class WithoutFormats(ScriptedTrainer):
    """Declares none."""

    formats = ()


class OneWord(ScriptedTrainer):
    """Forgot the comma."""

    formats = "edge"  # type: ignore[assignment]


class OtherDetector(ScriptedTrainer):
    """Its detector reads what it does not yield."""

    formats = ("weights",)


class NoDetector(ScriptedTrainer):
    """Its detector is an object."""

    detector = ScriptedDetector.detect  # type: ignore[assignment]


def local_class() -> type[Trainer]:
    class Local(ScriptedTrainer):
        """Cannot be imported."""

    return Local


@pytest.mark.parametrize(
    ("cls", "reason"),
    [
        (ScriptedTrainer(), "takes a class derived from Trainer"),
        (Detector, "takes a class derived from Trainer, not Detector"),
        (NoTrain, "NoTrain has no train method"),
        (WithoutFormats, "formats must be a tuple"),
        (OneWord, "formats must be a tuple"),
        (OtherDetector, "its detector reads 'edge'"),
        (NoDetector, "must be a Detector class"),
        (local_class(), "must stand at the top of a module"),
    ],
)
def test_a_trainer_class_with_a_fault_is_refused_at_once(cls: Any, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        check_trainer_class(cls)


@asynccontextmanager
async def lonely_desk(folder: Path) -> AsyncIterator[TrainerDesk]:
    """A trainer whose loop is away."""
    async with AsyncLoopClient(ClientSettings(host="http://127.0.0.1:1")) as client:
        yield TrainerDesk(ScriptedTrainer, trainer_settings(folder), client=client)


async def asked_alone(folder: Path, command: str, *arguments: Any) -> dict[str, Any]:
    async with lonely_desk(folder) as desk:
        return await desk.obey(command, *arguments)


async def awaited(task: Callable[[], Awaitable[None]]) -> None:
    await task()


def details(
    number: int = 1, *, variant: str = "", script: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "categories": [{"id": "c1", "name": "cup"}],
        "training_number": number,
        "hyperparameters": script or {},
        "model_variant": variant,
    }
