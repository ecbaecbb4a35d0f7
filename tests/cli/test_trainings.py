"""``edgeloop training``: what people see and programs read."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.shop import Shop
from edgeloop.cli import following
from edgeloop.cli.following import follow, spark
from edgeloop.client.calls import trainings
from edgeloop.client.settings import child_environment
from edgeloop.errors import Conflict, InputError, NotFound, TrainingFailed
from edgeloop.protocol import events, routes
from sockets import Node, connected

IDLE = {"id": "t1", "name": "gpu", "state": "idle"}
BUSY = {**IDLE, "state": "running", "context": {"organization": "o", "project": "p"}}


def test_a_training_is_queued_with_what_was_said(store: Shop, tmp_path: Path) -> None:
    model_id = store.publish(tmp_path)
    said = store.run("training", "start", "o/p", "-p", "epochs=3", "-p", "mode=fast")
    assert "Training 2 of o/p is queued. No trainer is online." in said
    assert "No trainer is online." in store.run("training", "show", "o/p", "2")
    flags = ("--variant", "s", "--format", "onnx", "--base", "1.0")
    begun = store.json("training", "start", "o/p", *flags)
    assert (begun["variant"], begun["model_format"], begun["base_model_id"]) == (
        "s",
        "onnx",
        model_id,
    )
    assert store.json("training", "show", "o/p", "2")["hyperparameters"] == {
        "epochs": 3,
        "mode": "fast",
    }


def test_a_training_starts_from_the_promoted_model_or_from_scratch(
    store: Shop, tmp_path: Path
) -> None:
    model_id = store.publish(tmp_path)
    store.run("model", "promote", "o/p", "1.0")
    assert store.json("training", "start", "o/p")["base_model_id"] == model_id
    assert store.json("training", "start", "o/p", "--base", "none")["base_model_id"] is None


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (("-p", "epochs"), InputError),
        (("--base", "9.9"), NotFound),
        (("--trainer", "nobody"), NotFound),
    ],
)
def test_a_training_that_makes_no_sense_is_refused(
    store: Shop, flags: tuple[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        store.run("training", "start", "o/p", *flags)


def test_trainings_are_listed_shown_and_aborted(store: Shop) -> None:
    for _ in range(2):
        store.run("training", "start", "o/p")
    assert [training["number"] for training in store.json("training", "list", "o/p")] == [2, 1]
    assert "queued" in store.run("training", "list", "o/p")
    assert "Training 1 is aborted" in store.run("training", "abort", "o/p", "1")
    assert "Training 2 is stopped" in store.run("training", "stop", "o/p", "2")
    with pytest.raises(Conflict, match="it is aborted"):
        store.run("training", "continue", "o/p", "1")
    with pytest.raises(NotFound, match="no training 7"):
        store.run("training", "show", "o/p", "7")
    assert "aborted" in store.run("training", "show", "o/p", "1")


def test_programs_read_what_became_of_a_training(store: Shop) -> None:
    for _ in range(2):
        store.run("training", "start", "o/p")
    assert store.json("training", "abort", "o/p", "1")["state"] == "aborted"
    assert store.json("training", "stop", "o/p", "2")["state"] == "stopped"


def test_the_queue_is_shown_and_changed(store: Shop) -> None:
    for _ in range(3):
        store.run("training", "start", "o/p")
    assert "No trainer is online." in store.run("training", "queue")

    def order(*flags: str) -> list[int]:
        return [item["training"]["number"] for item in store.json("training", "queue", *flags)]

    assert order() == [1, 2, 3]
    assert order("--move", "o/p", "3", "--before", "o/p", "1") == [3, 1, 2]
    assert order("--move", "o/p", "3") == [1, 2, 3]
    with pytest.raises(NotFound, match="does not wait"):
        order("--move", "o/p", "9")
    with pytest.raises(InputError):
        order("--before", "o/p", "1")


def beside_a_trainer(store: Shop, story: Callable[["Teller"], None]) -> None:
    """Tell a story in a thread while a trainer is connected."""

    async def whole() -> None:
        async with httpx.AsyncClient(base_url=store.loop.url, timeout=60) as client:
            form = {"username": store.loop.username, "password": store.loop.password}
            await client.post(routes.LOGIN, data=form)
            async with connected(client) as node:
                await node.call(events.UPDATE_TRAINER, IDLE)
                await asyncio.to_thread(story, Teller(node, asyncio.get_running_loop()))

    asyncio.run(whole())


class Teller:
    """A connected trainer, for a story that runs in a thread."""

    def __init__(self, node: Node, loop: asyncio.AbstractEventLoop) -> None:
        self._node = node
        self._loop = loop

    def say(self, event: str, *arguments: Any) -> Any:
        """Report to the loop."""
        called = self._node.call(event, *arguments)
        return asyncio.run_coroutine_threadsafe(called, self._loop).result(30)

    def hear(self) -> Any:
        """The next command of the loop."""
        return asyncio.run_coroutine_threadsafe(self._node.commands.get(), self._loop).result(30)

    def tell_epoch(self, number: int, **metrics: float) -> None:
        """Report an epoch of training 1."""
        epoch = {"number": number, "of": 3, "metrics": metrics}
        self.say(events.UPDATE_EPOCH, "o", "p", {"training_number": 1, "epoch": epoch})


def test_a_training_is_followed_to_its_end(
    store: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(following, "LOOK_EVERY_S", 0.01)

    def story(trainer: Teller) -> None:
        begun = store.client.send(trainings.begin_training(store.project.id, hyperparameters={}))
        trainer.hear()
        trainer.say(events.UPDATE_TRAINER, {**BUSY, "progress": 0.5})
        for number in (1, 2, 3):
            trainer.tell_epoch(number, loss=1 / number)
        ending = threading.Thread(
            target=trainer.say, args=(events.UPDATE_TRAINER, {**IDLE, "errors": {}})
        )
        ending.start()
        ended = follow(store.client, begun, pause_s=0.01)
        ending.join()
        assert ended.state == "failed"

    beside_a_trainer(store, story)
    shown = capsys.readouterr().err
    assert "3/3" in shown
    assert "loss" in shown
    assert "0.3333" in shown


def test_who_follows_a_training_that_waits_is_told_why(store: Shop) -> None:
    command = [sys.executable, "-m", "edgeloop", "training", "start", "o/p", "--follow"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=child_environment(store.client.settings)
    ) as following_it:
        assert following_it.stderr
        said = following_it.stderr.readline()
        assert said == "Training 1 is queued. No trainer is online.\n"
        (waiting,) = store.client.send(trainings.queue()).items
        store.client.send(trainings.abort_training(waiting.training.id))
        following_it.communicate()
    assert following_it.returncode == 0


def test_a_training_that_failed_ends_the_command_with_its_reason(store: Shop) -> None:
    def story(trainer: Teller) -> None:
        store.run("training", "start", "o/p")
        trainer.hear()
        trainer.say(events.UPDATE_TRAINER, BUSY)
        assert "running" in store.run("training", "list", "o/p")
        errors = {"prepare": "no images"}
        trainer.say(events.UPDATE_TRAINER, {**BUSY, "state": "ready_for_cleanup", "errors": errors})
        trainer.say(events.UPDATE_TRAINER, IDLE)
        with pytest.raises(TrainingFailed, match="no images"):
            store.run("training", "show", "o/p", "1", "--follow")

    beside_a_trainer(store, story)


def test_a_wish_is_shown_and_taken_back_and_the_log_is_read(store: Shop) -> None:
    def story(trainer: Teller) -> None:
        store.run("training", "start", "o/p", "--trainer", "gpu")
        trainer.hear()
        trainer.say(events.UPDATE_TRAINER, {**BUSY, "state": "train_model_uploading"})
        assert store.run("training", "log", "o/p", "1") == ""
        assert "to stop" in store.run("training", "stop", "o/p", "1")
        assert "train model uploading." in store.run("training", "continue", "o/p", "1")
        assert store.json("training", "stop", "o/p", "1")["wish"] == "stop"
        assert store.json("training", "continue", "o/p", "1")["wish"] is None
        report = {"training_number": 1, "text": "50 % [bold]\nlong " + "x" * 300}
        trainer.say(events.UPDATE_LOG, "o", "p", report)
        assert store.run("training", "log", "o/p", "1") == report["text"]
        assert store.json("training", "log", "o/p", "1")["text"] == report["text"]

    beside_a_trainer(store, story)


@pytest.mark.parametrize(
    ("values", "curve"),
    [
        ([], ""),
        ([1.0], "\u2581"),
        ([0.0, 1.0], "\u2581\u2588"),
        ([0.0, 0.0, 7.0, 7.0], "\u2581\u2581\u2588\u2588"),
        ([5.0, 5.0], "\u2581\u2581"),
    ],
)
def test_a_curve_rises_with_its_values(values: list[float], curve: str) -> None:
    assert spark(values) == curve


def test_a_long_curve_is_as_wide_as_it_may_be() -> None:
    assert spark([float(n) for n in range(100)], width=4) == "\u2581\u2583\u2586\u2588"
