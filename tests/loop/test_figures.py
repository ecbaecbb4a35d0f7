"""How good a model is, from the detections that the loop keeps of it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from sqlalchemy import func, select

from edgeloop.errors import Conflict, NotFound
from edgeloop.loop.db.tables import AnnotationsRow, DetectionsRow, ImageRow
from edgeloop.loop.dispatch import Dispatcher
from edgeloop.loop.services import figures, models
from edgeloop.loop.services.figures import Selection
from edgeloop.protocol.payloads.annotations import annotations_to_json
from edgeloop.protocol.payloads.detections import detections_to_json
from edgeloop.protocol.routes import V1
from edgeloop.types import Annotations, BoxAnnotation, BoxDetection, Detections
from fleets import PERSON, LoopInHand, loop_in_hand
from loops import LoopInProcess, OpenLoop

Story = Callable[[LoopInHand], Awaitable[None]]
Seen = Literal["hit", "nothing", "not looked"]


def run(folder: Path, story: Story) -> None:
    async def whole() -> None:
        async with loop_in_hand(folder) as loop:
            await story(loop)

    asyncio.run(whole())


def cat_of(loop: LoopInHand) -> tuple[str, str]:
    """The ids of zoo/cats and of its category cat."""
    return loop.project.id, loop.project.categories[0].id


async def published(loop: LoopInHand) -> str:
    """The id of the model 1.0."""
    await loop.begin()
    return await loop.upload()


async def image(
    loop: LoopInHand | LoopInProcess,
    cat: tuple[str, str],
    name: str,
    seen: Seen = "hit",
    **fields: Any,
) -> None:
    """A complete test image with one ``cat`` (ids of its project and category), and what the
    model 1.0 saw in it."""
    now = loop.clock.now
    project_id, category_id = cat
    row = {"state": "complete", "split": "test", **fields}
    tag = row.pop("tag", None)
    async with loop.workspaces.write() as workspace:
        session = workspace.session
        number = (await session.scalar(select(func.count()).select_from(ImageRow)) or 0) + 1
        session.add(
            ImageRow(
                id=name,
                number=number,
                tags=(tag,) if tag else (),
                project_id=project_id,
                frame_id=name,
                content_hash="0" * 64,
                size_bytes=1,
                width=100,
                height=100,
                camera_id="",
                received=now,
                taken=now,
                **row,
            )
        )
        await session.flush()
        box = BoxAnnotation(category_id, 10, 10, 20, 20)
        truth = annotations_to_json(Annotations(boxes=(box,)))
        session.add(AnnotationsRow(image_id=name, version=1, shapes=truth, author="", updated=now))
        if seen != "not looked":
            hit = BoxDetection(category_id, "cat", 10, 10, 20, 20, 0.9, "1.0")
            found = Detections(boxes=(hit,)) if seen == "hit" else Detections()
            shapes = detections_to_json(found)
            session.add(
                DetectionsRow(
                    image_id=name,
                    model_version="1.0",
                    project_id=project_id,
                    number=number,
                    shapes=shapes,
                    updated=now,
                )
            )


async def map50(loop: LoopInHand, model_id: str, **selection: Any) -> tuple[float | None, int]:
    """The figure and the number of images it comes from."""
    found = await figures.evaluation(
        loop.workspaces, PERSON, model_id=model_id, selection=Selection(**selection)
    )
    return found.map50, found.images


async def metrics(loop: LoopInHand, model_id: str) -> dict[str, Any]:
    """What is kept with the model."""
    async with loop.workspaces.read() as workspace:
        return (await models.get(workspace, model_id)).row.metrics


def test_a_model_that_sees_all_is_perfect(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        model_id = await published(loop)
        await image(loop, cat_of(loop), "a")
        await image(loop, cat_of(loop), "b")
        figure, images = await map50(loop, model_id)
        assert figure == pytest.approx(1)
        assert images == 2

    run(tmp_path, story)


def test_an_image_in_which_the_model_saw_nothing_counts(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        model_id = await published(loop)
        await image(loop, cat_of(loop), "a")
        await image(loop, cat_of(loop), "b", "nothing")
        figure, images = await map50(loop, model_id)
        assert figure == pytest.approx(0.5, abs=0.01)
        assert images == 2

    run(tmp_path, story)


@pytest.mark.parametrize(
    "other",
    [{"seen": "not looked"}, {"state": "review"}, {"split": "train"}],
    ids=["never seen by the model", "not complete", "of another split"],
)
def test_other_images_do_not_count(tmp_path: Path, other: dict[str, Any]) -> None:
    async def story(loop: LoopInHand) -> None:
        model_id = await published(loop)
        await image(loop, cat_of(loop), "a")
        await image(loop, cat_of(loop), "b", **{"seen": "nothing", **other})
        assert (await map50(loop, model_id))[1] == 1

    run(tmp_path, story)


def test_a_tag_chooses_images(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        model_id = await published(loop)
        await image(loop, cat_of(loop), "a", tag="night")
        await image(loop, cat_of(loop), "b", "nothing")
        assert (await map50(loop, model_id, tag="night"))[1] == 1
        with pytest.raises(Conflict, match="test images tagged day"):
            await map50(loop, model_id, tag="day")

    run(tmp_path, story)


def test_only_figures_of_the_whole_test_split_are_kept(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        model_id = await published(loop)
        await image(loop, cat_of(loop), "a", tag="night")
        await map50(loop, model_id, tag="night")
        assert await metrics(loop, model_id) == {}
        await map50(loop, model_id)
        assert (await metrics(loop, model_id))["images"] == 1

    run(tmp_path, story)


def test_an_unknown_model_has_no_figures(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        with pytest.raises(NotFound):
            await map50(loop, "none")

    run(tmp_path, story)


async def trained(loop: LoopInHand) -> str:
    """A training runs on t1 to its end; returns the id of its model."""
    dispatcher = Dispatcher(loop.workspaces)
    await loop.begin()
    await loop.hear("idle")
    await dispatcher.look()
    await loop.hear("running")
    model_id = await loop.upload()
    await loop.hear("idle")
    await dispatcher.look()
    return model_id


def test_a_finished_training_leaves_its_model_with_figures(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await image(loop, cat_of(loop), "a")
        kept = await metrics(loop, await trained(loop))
        assert kept == {"map50": pytest.approx(1), "map50_95": pytest.approx(1), "images": 1}

    run(tmp_path, story)


def test_a_training_without_detections_ends_without_figures(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        assert await metrics(loop, await trained(loop)) == {}

    run(tmp_path, story)


def test_a_training_ends_also_when_its_figures_cannot_be_computed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(loop: LoopInHand) -> None:
        await image(loop, cat_of(loop), "a")
        async with loop.workspaces.write() as workspace:
            row = await workspace.session.get_one(DetectionsRow, ("a", "1.0"))
            row.shapes = {"box_detections": "broken"}
        model_id = await trained(loop)
        assert await metrics(loop, model_id) == {}
        assert (await loop.training(await loop.training_id(1))).state == "finished"

    run(tmp_path, story)
    assert "cannot be computed" in caplog.text


def test_people_see_all_figures(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            project = await loop.project()
            project_id, cat = project["id"], project["categories"][0]["id"]
            client = await loop.client()
            await client.post(f"{V1}/projects/{project_id}/trainings", json={})
            upload = "/api/zoo/projects/cats/trainings/1/models/latest/onnx/file"
            model_id = (await client.put(upload, files={"files": ("m.onnx", b"w")})).json()["id"]
            path = f"{V1}/models/{model_id}/evaluation"
            assert (await client.get(path)).status_code == 409
            await image(loop, (project_id, cat), "a", split="train", tag="night")
            answer = await client.get(f"{path}?set=train&tag=night")
            body = answer.json()
            assert body["map50"] == pytest.approx(1)
            assert body["per_category"][cat]["ap50_95"] == pytest.approx(1)
            assert body["counts"] == {cat: {"tp": 1, "fp": 0, "fn": 0}}
            assert (body["confusion"], body["images"]) == ([[1, 0], [0, 0]], 1)
            assert (await client.get(f"{path}?set=all")).status_code == 422

    asyncio.run(story())
