"""What the gain is due to: the same training on other images, from the same first model."""

import random

from edgeloop.client.calls.annotations import annotate
from edgeloop.client.calls.records import ModelRecord
from edgeloop.client.detector import DetectorClient
from edgeloop.demo.labelling import images_in, label
from edgeloop.demo.processes import wait_until
from edgeloop.demo.result import ModelFigures
from edgeloop.demo.story import SETTLE_S, Story
from edgeloop.types import ImageRecord, ImageState


def run_controls(story: Story, first: ModelRecord, *, labelled: int) -> tuple[ModelFigures, ...]:
    """Model 1 trained on with the start images alone, and with as many random field images.

    The field images that the story labelled are set aside meanwhile, and brought back at the end.
    """
    selected = [
        image
        for image in images_in(story.stage, story.project, "complete")
        if "uncertain" in image.tags
    ]
    _move(story, selected, "review")
    alone = _trained(story, first, "Control: the start images alone, as long again", labelled=0)
    drawn = _label_at_random(story, count=labelled)
    randomly = _trained(story, first, f"Control: {labelled} random field images", labelled=labelled)
    ids = {image.id for image in selected}
    _move(story, [image for image in drawn if image.id not in ids], "review")
    _move(story, selected, "complete")
    return alone, randomly


def _trained(story: Story, first: ModelRecord, title: str, *, labelled: int) -> ModelFigures:
    model = story.train(title, story.plan.second, base=first)
    name = "at random" if labelled else "start only"
    iterations = story.plan.second["iterations"]
    return story.measure(model, iterations=iterations, name=name, labelled=labelled)


def _label_at_random(story: Story, *, count: int) -> list[ImageRecord]:
    frames = random.Random(story.plan.seed).sample(story.material.field, count)
    names = {file.name for file in frames}
    with DetectorClient(story.stage.detector.url) as detector:
        for file in frames:  # those that are in the loop already are not stored twice
            story.detect(detector, file, wish="all")

    def arrived() -> list[ImageRecord]:
        states: tuple[ImageState, ...] = ("inbox", "review")
        images = [i for state in states for i in images_in(story.stage, story.project, state)]
        return [image for image in images if image.frame_id in names]

    wait_until(lambda: len(arrived()) == count, what="the random frames arrive", timeout_s=SETTLE_S)
    chosen = arrived()
    truth = {file.name: file for file in frames}
    with story.narrator.progress("labelling images", total=count) as bar:
        label(story.stage, story.project, chosen, truth=truth, on_progress=bar.advance)
    return chosen


def _move(story: Story, images: list[ImageRecord], state: ImageState) -> None:
    for image in images:
        story.stage.send(annotate(image.id, image.annotations, state=state))
