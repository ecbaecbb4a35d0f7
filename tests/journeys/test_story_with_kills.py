"""The whole story, while each of its processes is killed in the middle of each chapter."""

from pathlib import Path

import pytest

from edgeloop.client.calls.images import image_ids
from edgeloop.demo.material import SceneCounts
from edgeloop.demo.plan import ORGANIZATION, PROJECT, Plan
from edgeloop.demo.result import StoryResult
from edgeloop.demo.stage import set_stage
from edgeloop.demo.tell import prepare, tell
from journeys.listening import ListeningNarrator

TRAINING = {"width": 96, "height": 64, "iterations": 60, "epochs": 6, "threads": 1, "batch_size": 4}
PLAN = Plan(
    seed=1,
    first=TRAINING | {"learning_rate": 5e-3, "ema_decay": 0.9},
    second=TRAINING,
    counts=SceneCounts(start=21, field=8, test=2),
    uncertain=(0.0, 1.0),  # every frame with a detection: the story is about losing none
)
CHAPTERS = {
    "importing images",
    "training 1",
    "streaming images",
    "labelling images",
    "training 2",
}


def tell_with_kills(folder: Path, victim: str) -> tuple[StoryResult, set[str], int]:
    killed: set[str] = set()

    def kill(chapter: str) -> None:
        if chapter in CHAPTERS:
            processes[victim].kill()
            killed.add(chapter)

    material = prepare(PLAN, folder, narrator=ListeningNarrator(lambda what: None))
    with set_stage(folder, uncertain=PLAN.uncertain) as stage:
        processes = {"loop": stage.loop, "trainer": stage.trainer, "detector": stage.detector}
        narrator = ListeningNarrator(kill)
        result = tell(PLAN, material, stage=stage, narrator=narrator, folder=folder)
        images = len(stage.send(image_ids(ORGANIZATION, PROJECT)))
    return result, killed, images


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("victim", ["loop", "trainer", "detector"])
def test_the_story_ends_well_although_a_process_is_killed_in_each_chapter(
    tmp_path: Path, victim: str
) -> None:
    result, killed, images = tell_with_kills(tmp_path, victim)
    assert killed == CHAPTERS
    first, second = result.models
    assert first.images == 21
    assert second.uploaded == second.labelled > 1
    assert second.images == 21 + second.labelled
    assert images == 21 + 2 * 2 + second.uploaded  # nothing is missing, nothing there twice
