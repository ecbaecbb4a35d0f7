"""The loop is killed while a trainer reports epochs and uploads its model."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from campaigns import Campaign, until
from edgeloop import durable
from edgeloop.client import LoopClient
from edgeloop.client.calls.projects import create_project
from edgeloop.client.calls.records import TrainingRecord
from edgeloop.errors import LoopUnreachable
from journeys.paced import PacedTrainer
from nodes.trainer.workshop import Workshop, beside_a_trainer, upload
from processes import settings_for

ROUND = 20
"""So many epochs are let go between two kills."""
MEGABYTES = 24


def story_beside_a_trainer(
    campaign: Campaign, tmp_path: Path, story: Callable[[Workshop], None]
) -> None:
    with LoopClient(settings_for(campaign.loop.url)) as client:
        project = client.send(create_project("acme", "cups", [{"name": "cup"}]))
        shop = Workshop(client, project, tmp_path)
        upload(client, project)
        beside_a_trainer(shop, lambda _: story(shop), trainer=PacedTrainer)
    campaign.finish()


def let_go(gate: Path, epochs: int) -> None:
    durable.write_bytes(gate, str(epochs).encode())


def epochs_of(campaign: Campaign) -> int:
    """How many epochs the frozen loop has acknowledged, or is about to."""
    return campaign.ask_the_dead("SELECT count(*) FROM epochs")


def kill_among_epochs(campaign: Campaign, shop: Workshop, training: TrainingRecord) -> None:
    """Let some epochs go, and kill the loop when it has heard some of them, but not all."""
    gate = shop.folder / "gate"
    before = int(gate.read_text())
    let_go(gate, before + ROUND)
    assert until(lambda: len(shop.epochs(training)) > before)
    campaign.wait(0.2)
    campaign.freeze()
    heard = epochs_of(campaign)
    campaign.kill_and_restart(hit=before < heard < before + ROUND)
    known = len(shop.epochs(training))
    assert known >= heard, "an epoch is lost"
    campaign.figures.acknowledged += heard - before
    campaign.figures.cut += before + ROUND - heard
    shop.wait(lambda: len(shop.epochs(training)) == before + ROUND, "all epochs are told")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_epoch_of_a_training_is_there_once_after_the_loop_was_killed(
    campaign: Campaign, tmp_path: Path
) -> None:
    campaign.figures.step = "reports of a training's epochs"
    gate = tmp_path / "gate"
    let_go(gate, 0)

    def story(shop: Workshop) -> None:
        allowed = ROUND * campaign.wanted * 6
        training = shop.begin(epochs=allowed, gate=str(gate))
        while campaign.goes_on:
            kill_among_epochs(campaign, shop, training)
        let_go(gate, allowed)
        ended = shop.until_ended(training)
        assert (ended.state, ended.errors) == ("finished", {})
        assert shop.epochs(training) == list(range(1, allowed + 1))

    story_beside_a_trainer(campaign, tmp_path, story)


def models_in_doubt(campaign: Campaign) -> list[str]:
    """The keys of models that the loop is about to store."""
    keys = []
    for intent in campaign.intents:
        try:
            keys += json.loads(intent.read_bytes())
        except FileNotFoundError:
            continue
    return [key for key in keys if key.startswith("models/")]


def kill_among_bytes(campaign: Campaign, shop: Workshop, training: TrainingRecord) -> bool:
    """Kill the loop while it stores a model of the training; says whether to go on with it."""
    if not until(lambda: bool(models_in_doubt(campaign)) or is_over(shop, training)):
        return False
    if not models_in_doubt(campaign):
        return False
    campaign.wait(0.1)
    campaign.freeze()
    campaign.kill_and_restart(hit=bool(models_in_doubt(campaign)))
    campaign.figures.cut += 1
    return campaign.goes_on


def is_over(shop: Workshop, training: TrainingRecord) -> bool:
    try:
        return shop.training(training).has_ended
    except LoopUnreachable:
        return False


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_model_is_there_whole_and_once_after_the_loop_was_killed_during_its_upload(
    campaign: Campaign, tmp_path: Path
) -> None:
    campaign.figures.step = "an upload of a training's model"
    gate = tmp_path / "gate"
    let_go(gate, 1)

    def story(shop: Workshop) -> None:
        trainings = 0
        while campaign.goes_on:
            training = shop.begin(epochs=1, gate=str(gate), megabytes=MEGABYTES)
            trainings += 1
            while kill_among_bytes(campaign, shop, training):
                pass
            ended = shop.until_ended(training)
            assert (ended.state, ended.errors) == ("finished", {})
            models = shop.models()
            assert len(models) == trainings
            assert {tuple(sorted(model.formats)) for model in models} == {("edge", "weights")}
            campaign.figures.acknowledged += 2

    story_beside_a_trainer(campaign, tmp_path, story)
