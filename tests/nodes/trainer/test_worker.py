"""User code in a process of its own."""

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from edgeloop.client import ClientSettings
from edgeloop.client.settings import child_environment
from edgeloop.demo.processes import wait_until
from edgeloop.errors import InputError, TrainingFailed, TrainingInterrupted
from edgeloop.nodes.contracts import Trainer
from edgeloop.nodes.trainer.worker import (
    DetectionPlan,
    TrainingPlan,
    detect,
    drop,
    drop_others,
    ignored_hyperparameters,
    read_hyperparameters,
    train,
    write_records,
)
from edgeloop.nodes.trainer.worker.process import WorkerProcess
from edgeloop.types import (
    Category,
    Detections,
    Epoch,
    ImageRecord,
    LocalModel,
    ModelInformation,
)
from fakes import jpeg
from nodes.trainer.scripted import OddTrainer, ScriptedDetector, ScriptedTrainer

TESTS = Path(__file__).parents[2]
CUP = Category("c1", "cup")
INFO = ModelInformation("m1", "acme", "cups", "3.1", categories=(CUP,))


@pytest.fixture
def plan(tmp_path: Path) -> TrainingPlan:
    write_records(tmp_path / "dataset.json", [ImageRecord("i1", "train", 64, 48)])
    return TrainingPlan(
        number=3,
        dataset=tmp_path / "dataset.json",
        images=tmp_path / "images",
        categories=(CUP,),
        hyperparameters={},
        output=tmp_path / "output",
        checkpoints=tmp_path / "checkpoints",
        journal=tmp_path / "epochs.jsonl",
    )


def scripted(plan: TrainingPlan, **script: Any) -> TrainingPlan:
    return replace(plan, hyperparameters=script)


def epochs(plan: TrainingPlan, trainer: type[Trainer] = ScriptedTrainer) -> list[Epoch]:
    async def whole() -> list[Epoch]:
        return [epoch async for epoch in train(trainer, plan, kill_after_s=2.0)]

    return asyncio.run(whole())


def test_the_epochs_of_a_trainer_arrive_in_order(plan: TrainingPlan) -> None:
    assert [(epoch.number, epoch.of) for epoch in epochs(scripted(plan, epochs=3))] == [
        (1, 3),
        (2, 3),
        (3, 3),
    ]


def test_an_epoch_arrives_with_figures_counts_and_model_json(plan: TrainingPlan) -> None:
    first = epochs(plan)[0]
    assert first.metrics == {"loss": 1.0, "images": 1.0}
    assert first.counts["c1"].tp == 1
    assert first.model_json == {"resolution": 64}


def test_the_files_of_an_epoch_stay_as_they_were_when_it_was_yielded(plan: TrainingPlan) -> None:
    first, second = epochs(plan)
    assert first.files["weights"][0].read_text() == "1"
    assert second.files["weights"][0].read_text() == "2"


def test_the_base_model_is_given_to_the_trainer(plan: TrainingPlan, tmp_path: Path) -> None:
    (tmp_path / "weights.txt").write_text("base")
    base = LocalModel(INFO, tmp_path)
    assert epochs(replace(plan, base=base))[0].files["weights"][0].read_text() == "base+1"


def test_a_crash_is_an_interruption_that_tells_its_reason(plan: TrainingPlan) -> None:
    with pytest.raises(TrainingInterrupted, match="RuntimeError: out of memory"):
        epochs(scripted(plan, happens="crash"))


def test_after_a_crash_the_trainer_continues_with_what_it_left(plan: TrainingPlan) -> None:
    crashing = scripted(plan, happens="crash")
    with pytest.raises(TrainingInterrupted):
        epochs(crashing)
    assert [epoch.number for epoch in epochs(crashing)] == [2]


def test_a_trainer_that_gives_up_says_why(plan: TrainingPlan) -> None:
    with pytest.raises(TrainingFailed, match="the annotations contradict each other"):
        epochs(scripted(plan, happens="failure"))


@pytest.mark.parametrize(("happens", "reason"), [("kill", "SIGKILL"), ("exit", "exit code 3")])
def test_a_process_that_vanishes_is_an_interruption(
    plan: TrainingPlan, happens: str, reason: str
) -> None:
    with pytest.raises(TrainingInterrupted, match=reason):
        epochs(scripted(plan, happens=happens))


@pytest.mark.parametrize("happens", ["hang", "stubborn", "children"])
def test_closing_ends_the_process_and_all_its_children(plan: TrainingPlan, happens: str) -> None:
    async def whole() -> None:
        hanging = plan.output / "hanging"
        training = train(ScriptedTrainer, scripted(plan, happens=happens, at=2), kill_after_s=0.5)
        async with aclosing(training):
            await anext(training)
            await reached(hanging)

    asyncio.run(whole())
    marks = [plan.output / f"{happens}.mark", plan.output / "child.pid"]
    for pid in [int(mark.read_text()) for mark in marks if mark.exists()]:
        wait_until(partial(gone, pid), what=f"{pid} is gone", timeout_s=30)


def test_a_cancelled_training_ends_its_process(plan: TrainingPlan) -> None:
    async def whole() -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(consume(scripted(plan, happens="hang")))
            await reached(plan.output / "hanging")
            task.cancel()

    asyncio.run(whole())
    assert not running(int((plan.output / "hang.mark").read_text()))


def test_the_process_ends_with_its_node(plan: TrainingPlan, tmp_path: Path) -> None:
    program = tmp_path / "node.py"
    program.write_text(NODE)
    environment = child_environment(ClientSettings(), PYTHONPATH=str(TESTS), ROOT=str(tmp_path))
    with subprocess.Popen([sys.executable, program], env=environment) as node:
        asyncio.run(reached(plan.output / "hanging"))
        worker = psutil.Process(int((plan.output / "children.mark").read_text()))
        child = psutil.Process(int((plan.output / "child.pid").read_text()))
        node.kill()
    gone, alive = psutil.wait_procs([worker, child], timeout=10)
    assert alive == []
    assert len(gone) == 2


def test_a_script_without_a_main_guard_is_told_so(plan: TrainingPlan, tmp_path: Path) -> None:
    program = tmp_path / "node.py"
    program.write_text(NODE.replace('if __name__ == "__main__":\n    ', ""))
    environment = child_environment(ClientSettings(), PYTHONPATH=str(TESTS), ROOT=str(tmp_path))
    ended = subprocess.run(
        [sys.executable, program], env=environment, capture_output=True, text=True, check=False
    )
    assert "could not begin" in ended.stderr


NODE = """
import asyncio, os
from pathlib import Path
from fakes import jpeg
from nodes.trainer.scripted import ScriptedTrainer
from edgeloop.nodes.trainer.worker import TrainingPlan, train
from edgeloop.types import Category

async def whole():
    root = Path(os.environ["ROOT"])
    plan = TrainingPlan(3, root / "dataset.json", root / "images", (Category("c1", "cup"),),
                        {"happens": "children"}, root / "output", root / "checkpoints",
                        root / "epochs.jsonl")
    async for _ in train(ScriptedTrainer, plan):
        pass

if __name__ == "__main__":
    asyncio.run(whole())
"""


@pytest.mark.parametrize(
    ("yields", "reason"),
    [
        (["text"], "yielded str instead of Epoch"),
        ([Epoch(1, 1, metrics={"loss": "low"})], "no plain JSON"),  # type: ignore[dict-item]
        ([Epoch(1, 1, model_json={"path": Path("x")})], "no plain JSON"),
        ([Epoch(1, 1, files={"edge": [Path("x")]})], r"files of \['edge'\], but the trainer"),
        ([Epoch(1, 1, files={"edge": [], "weights": []})], "name at least one"),
        (
            [Epoch(1, 1, files={"edge": [Path("model.json")], "weights": [Path("a")]})],
            "leave model.json to the node",
        ),
        (
            [Epoch(1, 1, files={"edge": [Path("a/x"), Path("b/x")], "weights": [Path("a")]})],
            "each name once",
        ),
        (
            [Epoch(1, 1, files={"edge": [Path("/nowhere/x")], "weights": [Path("a")]})],
            "do not exist",
        ),
    ],
)
def test_an_epoch_that_makes_no_sense_fails_the_training(
    plan: TrainingPlan, yields: list[Any], reason: str
) -> None:
    with pytest.raises(TrainingFailed, match=reason):
        epochs(replace(plan, hyperparameters={"yields": yields}), OddTrainer)


def test_copies_that_a_newer_epoch_replaced_are_dropped(plan: TrainingPlan) -> None:
    first, second = epochs(plan)
    drop(None)
    drop(first)
    assert second.files["edge"][0].exists()
    assert not first.files["edge"][0].exists()


def test_copies_that_nobody_knows_are_dropped(plan: TrainingPlan) -> None:
    _, second = epochs(plan)
    drop_others(plan.checkpoints, second)
    assert list(plan.checkpoints.iterdir()) == [second.files["edge"][0].parent.parent]
    drop_others(plan.checkpoints / "none", None)


def test_hyperparameters_become_the_trainers_own_dataclass() -> None:
    script = read_hyperparameters(ScriptedTrainer, {"epochs": "7", "unknown": 1})
    assert (script.epochs, script.at) == (7, 2)


def test_an_unknown_hyperparameter_is_told_with_the_nearest_known_one() -> None:
    epoch, bogus = ignored_hyperparameters(ScriptedTrainer, {"epoch": 7, "bogus": 1, "at": 1})
    assert epoch.startswith("'epoch' is no hyperparameter of ScriptedTrainer")
    assert epoch.endswith("is 'epochs' meant?")
    assert "'bogus'" in bogus
    assert "it knows epochs, " in bogus


def test_a_trainer_without_hyperparameters_ignores_none() -> None:
    assert ignored_hyperparameters(OddTrainer, {"a": 1}) == []


def test_a_wrong_hyperparameter_is_named() -> None:
    with pytest.raises(InputError, match="Hyperparameters: epochs is wrong"):
        read_hyperparameters(ScriptedTrainer, {"epochs": "many"})


def test_what_a_dataclass_refuses_is_an_input_error() -> None:
    with pytest.raises(InputError, match="cannot make sense of that"):
        read_hyperparameters(ScriptedTrainer, {"happens": "confusion"})


def test_a_trainer_without_hyperparameters_gets_the_mapping() -> None:
    assert read_hyperparameters(OddTrainer, {"a": 1}) == {"a": 1}


def test_a_dataset_file_that_is_damaged_fails_the_training(plan: TrainingPlan) -> None:
    plan.dataset.write_text("{")
    with pytest.raises(TrainingFailed, match="is no dataset"):
        epochs(plan)


@pytest.fixture
def model(tmp_path: Path) -> LocalModel:
    (tmp_path / "weights.edge").write_text("")
    return LocalModel(INFO, tmp_path)


def pictures(folder: Path, widths: Mapping[str, int]) -> tuple[Path, ...]:
    for name, width in widths.items():
        (folder / f"{name}.jpg").write_bytes(jpeg(width, 48))
    return tuple(folder / f"{name}.jpg" for name in widths)


def detections(model: LocalModel, paths: tuple[Path, ...]) -> dict[str, Detections | None]:
    async def whole() -> dict[str, Detections | None]:
        plan = DetectionPlan(model, paths, batch_size=3)
        return {image: found async for image, found in detect(ScriptedDetector, plan)}

    return asyncio.run(whole())


@pytest.mark.parametrize("behaviour", ["", "miscounts"])
def test_each_image_gets_the_detections_of_this_model(model: LocalModel, behaviour: str) -> None:
    (model.path / "weights.edge").write_text(behaviour)
    paths = pictures(model.path, {"a": 64, "b": 72, "c": 80, "d": 88})
    found = detections(model, paths)
    assert list(found) == ["a", "b", "c", "d"]
    widths = [box.width for one in found.values() if one for box in one.boxes]
    assert widths == [64, 72, 80, 88]


def test_detections_bear_the_models_version_and_are_not_too_uncertain(model: LocalModel) -> None:
    found = detections(model, pictures(model.path, {"a": 64}))["a"]
    assert found is not None
    assert [(box.model_name, box.confidence) for box in found] == [("3.1", 0.9)]


def test_an_image_on_which_the_detector_fails_fails_alone(model: LocalModel) -> None:
    (model.path / "weights.edge").write_text("shy")
    found = detections(model, pictures(model.path, {"a": 64, "b": 40, "c": 72}))
    assert [image for image, seen in found.items() if seen is None] == ["b"]


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [("blind", "failed on every image"), ("unloadable", "OSError: no such accelerator")],
)
def test_a_model_that_cannot_be_used_fails_the_detection(
    model: LocalModel, behaviour: str, reason: str
) -> None:
    (model.path / "weights.edge").write_text(behaviour)
    with pytest.raises(TrainingFailed, match=reason):
        detections(model, pictures(model.path, {"a": 64}))


def test_work_that_cannot_be_spawned_leaves_nothing_behind() -> None:
    async def whole() -> None:
        def local() -> list[dict[str, Any]]:
            return []

        async with WorkerProcess(local):
            pass

    with pytest.raises(AttributeError, match="local object"):
        asyncio.run(whole())


async def consume(plan: TrainingPlan) -> None:
    async for _ in train(ScriptedTrainer, plan, kill_after_s=1.0):
        pass


async def reached(mark: Path) -> None:
    await asyncio.to_thread(
        wait_until, mark.exists, what=f"{mark.name} is there", timeout_s=30, pause_s=0.01
    )


def gone(pid: int) -> bool:
    return not running(pid)


def running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
