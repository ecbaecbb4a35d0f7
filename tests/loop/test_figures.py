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
from edgeloop.loop.services import figures, models, projects, trainings
from edgeloop.loop.services.figures import Selection
from edgeloop.loop.services.projects import NewProject
from edgeloop.loop.services.trainings import TrainingRequest
from edgeloop.protocol import routes
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


async def look(loop: LoopInHand, name: str, version: str, *, hit: bool) -> None:
    """A model has looked at an image."""
    async with loop.workspaces.write() as workspace:
        row = await workspace.session.get_one(ImageRow, name)
        box = BoxDetection(cat_of(loop)[1], "cat", 10, 10, 20, 20, 0.9, version)
        shapes = detections_to_json(Detections(boxes=(box,)) if hit else Detections())
        workspace.session.add(
            DetectionsRow(
                image_id=name,
                model_version=version,
                project_id=row.project_id,
                number=row.number,
                shapes=shapes,
                updated=loop.clock.now,
            )
        )


def test_two_models_are_compared_on_the_images_that_both_have_looked_at(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        first = await published(loop)
        await loop.begin()
        second = await loop.upload(2)
        for name, seen in (("a", "hit"), ("b", "nothing"), ("c", "hit")):
            await image(loop, cat_of(loop), name, seen)  # type: ignore[arg-type]
        await look(loop, "a", "2.0", hit=True)
        await look(loop, "b", "2.0", hit=True)
        found = await figures.compare(loop.workspaces, PERSON, model_ids=(first, second))
        assert (found.first.version, found.second.version) == ("1.0", "2.0")
        assert found.of_first.images == found.of_second.images == 2
        assert found.of_first.map50 == pytest.approx(0.5, abs=0.01)
        assert found.of_second.map50 == 1.0

    run(tmp_path, story)


def test_models_that_have_no_image_in_common_cannot_be_compared(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        first = await published(loop)
        await loop.begin()
        second = await loop.upload(2)
        await image(loop, cat_of(loop), "a")
        with pytest.raises(Conflict, match="have looked at no complete test images"):
            await figures.compare(loop.workspaces, PERSON, model_ids=(first, second))
        with pytest.raises(NotFound):
            await figures.compare(loop.workspaces, PERSON, model_ids=(first, "none"))

    run(tmp_path, story)


def test_models_of_two_projects_cannot_be_compared(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        first = await published(loop)
        async with loop.workspaces.write() as workspace:
            other = await projects.create(workspace, NewProject("zoo", "dogs"))
            training = (await trainings.begin(workspace, other.id, TrainingRequest())).row
            second = await models.add(workspace, training)
        with pytest.raises(Conflict, match="two projects"):
            await figures.compare(loop.workspaces, PERSON, model_ids=(first, second.id))

    run(tmp_path, story)


def test_people_see_two_models_side_by_side(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            project = await loop.project()
            client = await loop.client()
            path = f"{V1}/projects/{project['id']}/trainings"
            await client.post(path, json={})
            upload = routes.training_model_file("zoo", "cats", 1, "onnx")
            model_id = (await client.put(upload, files={"files": ("m.onnx", b"w")})).json()["id"]
            await image(loop, (project["id"], project["categories"][0]["id"]), "a")
            answer = await client.get(f"{V1}/models/{model_id}/comparison/{model_id}?set=test")
            found = answer.json()
            assert found["images"] == 1
            assert [side["map50"] for side in found["models"]] == [1.0, 1.0]
            assert found["models"][0]["version"] == "1.0"
            assert list(found["models"][0]["per_category"]) == [project["categories"][0]["id"]]

    asyncio.run(story())
