"""Tells the whole story on a stage, from the first image to the table."""

from pathlib import Path

from edgeloop import durable
from edgeloop.demo.controls import run_controls
from edgeloop.demo.material import Material
from edgeloop.demo.narrator import Narrator
from edgeloop.demo.picture import draw_before_and_after
from edgeloop.demo.plan import Plan
from edgeloop.demo.result import StoryResult
from edgeloop.demo.stage import Stage
from edgeloop.demo.story import Story

PICTURE = "before_after.jpg"
FIGURES = "figures.json"


def prepare(plan: Plan, folder: Path, *, narrator: Narrator) -> Material:
    """The story's images; scenes are drawn into ``folder`` first."""
    if plan.data:
        return plan.make_material(folder, on_progress=lambda count: None)
    narrator.chapter("Drawing the scenes")
    with narrator.progress("drawing scenes", total=plan.counts.total) as bar:
        return plan.make_material(folder / "scenes", on_progress=bar.advance)


def tell(
    plan: Plan, material: Material, *, stage: Stage, narrator: Narrator, folder: Path
) -> StoryResult:
    """All chapters; leaves a picture and the figures in ``folder``."""
    story = Story(plan, material, stage=stage, narrator=narrator)
    story.import_images()
    first = story.train("The first model", plan.first)
    before = story.measure(first, iterations=plan.first["iterations"])
    story.deploy(first)
    before_ms = story.ms_per_image()
    uploaded = story.stream_field()
    labelled = story.label_inbox()
    second = story.train("The second model, from the first", plan.second, base=first)
    after = story.measure(
        second, iterations=plan.second["iterations"], uploaded=uploaded, labelled=labelled
    )
    story.deploy(second)
    after_ms = story.ms_per_image()
    draw_before_and_after(story, (before.version, after.version), target=folder / PICTURE)
    control = run_controls(story, first, labelled=labelled) if plan.with_control else ()
    models = (before.with_ms(before_ms), after.with_ms(after_ms))
    result = StoryResult(plan.seed, models, control)
    durable.write_json(folder / FIGURES, result.to_json())
    return result
