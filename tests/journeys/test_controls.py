"""The controls of the demo: the same training on other images."""

from dataclasses import replace
from pathlib import Path

import pytest

from edgeloop.client.calls.images import image_ids
from edgeloop.demo.plan import ORGANIZATION, PROJECT
from edgeloop.demo.stage import set_stage
from edgeloop.demo.tell import prepare, tell
from journeys.listening import ListeningNarrator
from journeys.test_story_with_kills import PLAN


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_controls_train_on_the_start_alone_and_on_random_images_and_leave_no_trace(
    tmp_path: Path,
) -> None:
    plan = replace(PLAN, with_control=True, budget=3)
    narrator = ListeningNarrator(lambda what: None)
    material = prepare(plan, tmp_path, narrator=narrator)
    with set_stage(tmp_path, uncertain=plan.uncertain) as stage:
        result = tell(plan, material, stage=stage, narrator=narrator, folder=tmp_path)
        complete = len(stage.send(image_ids(ORGANIZATION, PROJECT, state="complete")))
    alone, random = result.control
    assert result.models[1].labelled == 3  # the budget
    assert (alone.name, alone.images, alone.labelled) == ("start only", 21, 0)
    assert (random.name, random.images, random.labelled) == ("at random", 24, 3)
    assert complete == 21 + 2 * 2 + 3
