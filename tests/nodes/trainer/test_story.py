"""Whole trainings: a real loop, a real trainer, its processes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeloop.client.calls import trainings
from edgeloop.nodes.trainer.node.desk import TrainerDesk
from edgeloop.types import TrainerState
from nodes.trainer.scripted import NewerTrainer
from nodes.trainer.workshop import Workshop, beside_a_trainer, workshop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    with workshop(tmp_path) as made:
        yield made


def test_a_training_becomes_a_model_with_detections(shop: Workshop) -> None:
    def story(desk: TrainerDesk) -> None:
        record = shop.until_ended(shop.begin(epochs=3))
        assert (record.state, record.errors) == ("finished", {})
        assert (record.train_images, record.test_images) == (3, 1)
        [model] = shop.models()
        assert (model.version, sorted(model.formats)) == ("1.0", ["edge", "weights"])
        assert model.best_epoch == 3
        assert list(model.counts.values()) == [{"tp": 3, "fp": 0, "fn": 0}]
        assert shop.epochs(record) == [1, 2, 3]
        assert shop.detections("1.0") == [1] * 7
        assert desk.status().state == TrainerState.IDLE

    beside_a_trainer(shop, story)
    trainer = shop.folder / "trainer"
    assert not (trainer / "training.json").exists()
    assert list((trainer / "trainings").iterdir()) == []


def test_the_uploaded_model_is_the_last_epochs(shop: Workshop, tmp_path: Path) -> None:
    def story(desk: TrainerDesk) -> None:
        record = shop.until_ended(shop.begin(epochs=3))
        again = shop.until_ended(shop.begin(base_model_id=record.model_id, epochs=1))
        assert again.state == "finished"
        assert (kept() / "weights.txt").read_text() == "3+1"
        described = json.loads((kept() / "model.json").read_text())
        assert described["resolution"] == 64
        assert [category["name"] for category in described["categories"]] == ["cup"]

    def kept() -> Path:
        return next((tmp_path / "trainer" / "trainings").glob("*_2_*/checkpoints/*/weights"))

    beside_a_trainer(shop, story, keep_old_trainings=True)


def test_images_are_downloaded_once_for_all_trainings(shop: Workshop, tmp_path: Path) -> None:
    def story(desk: TrainerDesk) -> None:
        shop.until_ended(shop.begin())
        for image in shop.loop_files.rglob("*.jpg"):
            image.unlink()
        assert shop.until_ended(shop.begin()).state == "finished"

    beside_a_trainer(shop, story)


def test_a_stop_keeps_the_last_model(shop: Workshop) -> None:
    def story(desk: TrainerDesk) -> None:
        record = shop.begin(epochs=9, happens="hang", at=3)
        hang(shop)
        shop.client.send(trainings.stop_training(record.id))
        ended = shop.until_ended(record)
        assert ended.state == "stopped"
        [model] = shop.models()
        assert (model.id, model.best_epoch) == (ended.model_id, 2)
        assert shop.detections("1.0") == [1] * 7

    beside_a_trainer(shop, story)


def test_an_abort_discards_everything(shop: Workshop) -> None:
    def story(desk: TrainerDesk) -> None:
        record = shop.begin(epochs=9, happens="hang", at=3)
        hang(shop)
        shop.client.send(trainings.abort_training(record.id))
        assert shop.until_ended(record).state == "aborted"
        shop.wait(lambda: desk.status().state == TrainerState.IDLE, "the trainer is idle")
        assert shop.models() == []

    beside_a_trainer(shop, story)
    assert list((shop.folder / "trainer" / "trainings").iterdir()) == []


def test_a_crash_of_the_trainer_is_shown_and_repeated(shop: Workshop) -> None:
    def story(desk: TrainerDesk) -> None:
        record = shop.begin(epochs=3, happens="crash", at=3)
        shop.until(record, lambda training: "out of memory" in str(training.errors))
        ended = shop.until_ended(record)
        assert (ended.state, ended.errors) == ("finished", {})
        assert shop.epochs(record) == [1, 2, 3]
        assert len(shop.models()) == 1

    beside_a_trainer(shop, story, pause_s=1.0)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ({"happens": "failure"}, "the annotations contradict each other"),
        ({"happens": "no files"}, "without an epoch that has files"),
    ],
)
def test_a_training_that_cannot_succeed_fails_with_its_reason(
    shop: Workshop, script: dict[str, str], reason: str
) -> None:
    def story(desk: TrainerDesk) -> None:
        ended = shop.until_ended(shop.begin(**script))
        assert ended.state == "failed"
        assert reason in ended.errors["run_training"]

    beside_a_trainer(shop, story)


def test_a_project_without_images_to_train_on_fails_the_training(shop: Workshop) -> None:
    def story(desk: TrainerDesk) -> None:
        shop.trash_all()
        ended = shop.until_ended(shop.begin())
        assert "annotate some images first" in ended.errors["prepare"]

    beside_a_trainer(shop, story)


@pytest.mark.parametrize("wrong", [{"epochs": "many"}, {"happens": "confusion"}])
def test_wrong_hyperparameters_are_refused_at_once(shop: Workshop, wrong: dict[str, str]) -> None:
    def story(desk: TrainerDesk) -> None:
        ended = shop.until_ended(shop.begin(**wrong))
        assert ended.state == "failed"
        assert "Hyperparameters" in str(ended.errors)

    beside_a_trainer(shop, story)


def test_corrupt_images_are_counted_and_left_out(shop: Workshop) -> None:
    def story(desk: TrainerDesk) -> None:
        shop.damage_one_training_image()
        record = shop.until_ended(shop.begin())
        assert record.state == "finished"
        assert (record.train_images, record.skipped_images) == (2, 1)
        assert shop.detections("1.0") == [1] * 6

    beside_a_trainer(shop, story)


def test_a_detector_that_cannot_load_its_model_fails_the_training_and_leaves_the_model(
    shop: Workshop,
) -> None:
    def story(desk: TrainerDesk) -> None:
        shop.until_ended(shop.begin(happens="unloadable"))
        assert len(shop.models()) == 1

    beside_a_trainer(shop, story)
    assert len(list((shop.folder / "trainer" / "trainings").iterdir())) == 1


def test_a_training_from_a_model_that_no_trainer_can_read_waits_and_says_so(
    shop: Workshop,
) -> None:
    def first(desk: TrainerDesk) -> None:
        shop.until_ended(shop.begin())

    def second(desk: TrainerDesk) -> None:
        [model] = shop.models()
        shop.begin(base_model_id=model.id)
        reason = (
            "No trainer that is online offers training from a model in the format edge or weights."
        )
        shop.wait(lambda: waits_for(shop) == reason, "the trainer is found not to fit")

    beside_a_trainer(shop, first)
    beside_a_trainer(shop, second, trainer=NewerTrainer)


def waits_for(shop: Workshop) -> str:
    """What the only training in the queue waits for."""
    [waiting] = shop.client.send(trainings.queue()).items
    return waiting.reason


def hang(shop: Workshop) -> None:
    """Wait until the training hangs."""
    folder = shop.folder / "trainer" / "trainings"
    shop.wait(lambda: any(folder.glob("*/output/hanging")), "the training hangs")


def test_what_a_training_process_writes_can_be_read_at_the_loop(shop: Workshop) -> None:
    def story(desk: TrainerDesk) -> None:
        record = shop.until_ended(shop.begin(happens="crash"))
        assert record.state == "finished"
        shop.wait(lambda: "RuntimeError: out of memory" in shop.log(record), "the log is there")
        assert desk.status().state == TrainerState.IDLE

    beside_a_trainer(shop, story)


def test_a_hyperparameter_that_the_trainer_does_not_know_is_told_in_the_log(shop: Workshop) -> None:
    def story(desk: TrainerDesk) -> None:
        ended = shop.until_ended(shop.begin(epoch=1))
        assert ended.state == "finished"
        what = "the log names what is ignored"
        shop.wait(lambda: "'epoch' is no hyperparameter" in shop.log(ended), what)

    beside_a_trainer(shop, story)
