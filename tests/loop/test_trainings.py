"""Trainings: queued, followed on their trainer, ended."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edgeloop.errors import Conflict, NotFound, Unauthenticated, Unprocessable
from edgeloop.loop.services import endings, progress, queue, trainings
from edgeloop.loop.services.queue import Match
from edgeloop.loop.services.workspace import Caller
from edgeloop.protocol.payloads.trainings import EpochReportPayload
from edgeloop.protocol.routes import V1
from fleets import PERSON, LoopInHand, loop_in_hand
from loops import OpenLoop

Story = Callable[[LoopInHand], Awaitable[None]]


def run(folder: Path, story: Story) -> None:
    async def whole() -> None:
        async with loop_in_hand(folder) as loop:
            await story(loop)

    asyncio.run(whole())


async def begun(loop: LoopInHand, trainer: str = "t1", **fields: Any) -> str:
    """A training that the trainer has accepted."""
    training_id = await loop.begin(**fields)
    await loop.hear("idle", trainer)
    async with loop.workspaces.write() as workspace:
        match = Match(training_id, trainer)
        await queue.claim(workspace, match)
        await queue.accepted(workspace, match)
    return training_id


async def end(loop: LoopInHand, training_id: str) -> str:
    """End the training if it was let go; its state then."""
    async with loop.workspaces.write() as workspace:
        if training_id in [row.id for row in await endings.let_go(workspace)]:
            await endings.end(workspace, training_id, {})
    return (await loop.training(training_id)).state


async def wish(loop: LoopInHand, training_id: str, verb: str) -> str:
    """Stop or abort the training; its state then."""
    async with loop.workspaces.write(PERSON) as workspace:
        return (await getattr(trainings, verb)(workspace, training_id)).row.state  # type: ignore[no-any-return]


def test_trainings_of_a_project_are_numbered_from_one(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        ids = [await loop.begin() for _ in range(3)]
        assert [(await loop.training(id_)).number for id_ in ids] == [1, 2, 3]

    run(tmp_path, story)


def test_a_new_training_waits_with_what_was_asked(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        row = await loop.training(
            await loop.begin(hyperparameters={"resolution": 320}, variant="small")
        )
        assert (row.state, row.variant, row.hyperparameters) == (
            "queued",
            "small",
            {"resolution": 320},
        )

    run(tmp_path, story)


@pytest.mark.parametrize("fields", [{"base_model_id": "no"}, {"trainer_id": "no"}])
def test_a_training_with_an_unknown_model_or_trainer_is_refused(
    tmp_path: Path, fields: dict[str, str]
) -> None:
    async def story(loop: LoopInHand) -> None:
        with pytest.raises(NotFound):
            await loop.begin(**fields)

    run(tmp_path, story)


def test_a_model_without_files_is_nothing_to_start_from(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await begun(loop)
        model = await loop.improve()
        with pytest.raises(Unprocessable, match="no files"):
            await loop.begin(base_model_id=model.id)

    run(tmp_path, story)


def test_a_training_may_start_from_a_model_with_files_on_a_known_trainer(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await begun(loop)
        model_id = await loop.upload()
        row = await loop.training(await loop.begin(base_model_id=model_id, trainer_id="t1"))
        assert (row.base_model_id, row.wanted_trainer_id) == (model_id, "t1")

    run(tmp_path, story)


def test_a_device_may_not_look_at_trainings(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await loop.begin()
        async with loop.workspaces.read(Caller(is_local=True)) as workspace:
            with pytest.raises(Unauthenticated):
                await trainings.get(workspace, training_id)

    run(tmp_path, story)


def test_a_trainer_is_told_all_that_it_needs(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await loop.begin(hyperparameters={"epochs": 3}, variant="s")
        async with loop.workspaces.read() as workspace:
            order = await trainings.order_for(workspace, await loop.training(training_id))
        assert (order.organization, order.project, order.number) == ("zoo", "cats", 1)
        assert [category.name for category in order.categories] == ["cat", "dog"]
        assert (order.variant, order.hyperparameters) == ("s", {"epochs": 3})

    run(tmp_path, story)


def test_a_training_follows_its_trainer(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await begun(loop)
        await loop.hear("running", progress=0.4, errors={"run": "slow"}, skipped_images=2)
        row = await loop.training(training_id)
        assert (row.state, row.trainer_state, row.progress) == ("running", "running", 0.4)
        assert (row.errors, row.skipped_images, row.trainer_name) == ({"run": "slow"}, 2, "T1")

    run(tmp_path, story)


def test_an_error_that_was_overcome_is_forgotten(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await begun(loop)
        await loop.hear("running", errors={"run": "slow"})
        await loop.hear("running")
        assert (await loop.training(training_id)).errors == {}
        await loop.hear("confusion_matrix_syncing", errors={"sync_confusion_matrix": "no loop"})
        await loop.hear("ready_for_cleanup")
        assert (await loop.training(training_id)).errors == {}

    run(tmp_path, story)


def test_an_idle_trainer_without_a_model_has_failed_and_its_last_errors_stay(
    tmp_path: Path,
) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await begun(loop)
        await loop.hear("data_downloading", errors={"prepare": "no images"})
        await loop.hear("ready_for_cleanup", errors={"prepare": "no images"})
        await loop.hear("idle")
        assert await end(loop, training_id) == "failed"
        row = await loop.training(training_id)
        assert row.errors == {"prepare": "no images"}
        assert row.ended == loop.clock.now

    run(tmp_path, story)


def test_a_failure_without_an_error_says_where_to_look(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await begun(loop)
        await loop.hear("running")
        await loop.hear("blocked")
        assert await end(loop, training_id) == "failed"
        assert "see its log" in (await loop.training(training_id)).errors["training"]

    run(tmp_path, story)


def test_an_idle_trainer_whose_model_has_files_has_finished(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await begun(loop)
        await loop.hear("running")
        await loop.improve()
        await loop.upload()
        await loop.hear("idle")
        assert await end(loop, training_id) == "finished"

    run(tmp_path, story)


def test_an_idle_report_from_before_the_beginning_ends_nothing(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await begun(loop)
        await loop.hear("idle")
        assert await end(loop, training_id) == "running"
        loop.clock.move(timedelta(seconds=20))
        await loop.hear("idle")
        assert await end(loop, training_id) == "failed"

    run(tmp_path, story)


def test_a_training_that_a_trainer_never_began_waits_again(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await loop.begin()
        await loop.hear("idle")
        async with loop.workspaces.write() as workspace:
            await queue.claim(workspace, Match(training_id, "t1"))
        await loop.hear("idle")
        assert (await loop.training(training_id)).state == "running"
        loop.clock.move(timedelta(seconds=61))
        await loop.hear("idle")
        row = await loop.training(training_id)
        assert (row.state, row.trainer_id) == ("queued", None)

    run(tmp_path, story)


def test_a_training_stays_running_while_its_trainer_is_away(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await begun(loop)
        await loop.hear("running")
        loop.fleet.connected.clear()
        loop.clock.move(timedelta(days=1))
        assert await end(loop, training_id) == "running"
        await loop.hear("running", progress=0.9)
        assert (await loop.training(training_id)).progress == 0.9

    run(tmp_path, story)


def test_a_trainer_that_goes_on_has_its_training_back(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await begun(loop)
        await loop.hear("running")
        await loop.hear("idle")
        assert await end(loop, training_id) == "failed"
        await loop.hear("train_model_uploading")
        row = await loop.training(training_id)
        assert (row.state, row.ended) == ("running", None)

    run(tmp_path, story)


def test_progress_of_a_trainer_that_was_given_up_takes_its_training_up_again(
    tmp_path: Path,
) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await begun(loop)
        await loop.hear("running")
        await loop.hear("idle")
        await end(loop, training_id)
        await loop.improve()
        assert (await loop.training(training_id)).state == "running"

    run(tmp_path, story)


def test_a_trainer_that_works_for_another_loop_has_let_its_training_go(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await begun(loop)
        await loop.hear("running")
        await loop.hear("running", organization="other", project="elsewhere")
        assert await end(loop, training_id) == "failed"

    run(tmp_path, story)


def test_a_busy_trainer_whose_project_is_unnamed_works_on_its_training(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await begun(loop)
        await loop.hear("waiting_for_slot", organization=None, project=None)
        assert (await loop.training(training_id)).trainer_state == "waiting_for_slot"

    run(tmp_path, story)


def test_a_busy_trainer_without_a_training_is_only_remembered(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        assert await loop.hear("running") is None

    run(tmp_path, story)


def test_an_end_that_came_too_early_is_taken_back_by_the_trainer(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await begun(loop)
        await loop.hear("running")
        await loop.hear("idle")
        await loop.hear("running")
        async with loop.workspaces.write() as workspace:
            assert (await endings.end(workspace, training_id, {})).state == "running"

    run(tmp_path, story)


def test_improvements_change_one_model_until_it_has_files(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await begun(loop)
        await loop.hear("running")
        first = await loop.improve(best_epoch=1)
        again = await loop.improve(
            best_epoch=2,
            confusion_matrix={"c1": {"tp": 1, "fp": 2, "fn": 3}},
            train_image_count=8,
            test_image_count=2,
        )
        assert (again.id, again.version, again.best_epoch) == (first.id, None, 2)
        assert again.counts == {"c1": {"tp": 1, "fp": 2, "fn": 3}}
        assert (again.train_images, again.test_images) == (8, 2)

    run(tmp_path, story)


def test_an_improvement_after_files_came_is_a_new_model(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await begun(loop)
        first = await loop.improve()
        await loop.upload()
        assert (await loop.improve()).id != first.id

    run(tmp_path, story)


def test_the_model_stays_the_same_while_the_trainer_uploads(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await begun(loop)
        first = await loop.improve()
        await loop.upload()
        await loop.hear("train_model_uploading")
        assert (await loop.improve()).id == first.id

    run(tmp_path, story)


def test_progress_of_a_trainer_without_a_training_is_refused(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        with pytest.raises(NotFound, match="has no training in zoo/cats"):
            await loop.improve("stranger")

    run(tmp_path, story)


def test_an_epoch_that_is_told_twice_is_kept_once(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await begun(loop)
        for number, loss in ((1, 0.5), (2, 0.4), (2, 0.3)):
            metrics = {"loss": loss, "map50": float("nan")}
            report = {
                "training_number": 1,
                "epoch": {"number": number, "of": 5, "metrics": metrics},
            }
            async with loop.workspaces.write() as workspace:
                read = EpochReportPayload.read(report)
                await progress.heard_epoch(workspace, "zoo", "cats", read)
        async with loop.workspaces.read() as workspace:
            rows = await trainings.epochs(workspace, training_id, limit=10)
            later = await trainings.epochs(workspace, training_id, limit=10, after=1)
        assert [(row.number, row.metrics) for row in rows] == [
            (1, {"loss": 0.5}),
            (2, {"loss": 0.3}),
        ]
        assert [row.number for row in later] == [2]

    run(tmp_path, story)


@pytest.mark.parametrize(("verb", "state"), [("stop", "stopped"), ("abort", "aborted")])
def test_a_waiting_training_ends_at_once(tmp_path: Path, verb: str, state: str) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await loop.begin()
        assert await wish(loop, training_id, verb) == state
        with pytest.raises(Conflict, match=f"it is {state}"):
            await wish(loop, training_id, verb)

    run(tmp_path, story)


@pytest.mark.parametrize(("verb", "state"), [("stop", "stopped"), ("abort", "aborted")])
def test_a_running_training_ends_as_wanted_when_its_trainer_is_idle(
    tmp_path: Path, verb: str, state: str
) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await begun(loop)
        await loop.hear("running")
        await loop.upload()
        assert await wish(loop, training_id, verb) == "running"
        await loop.hear("idle")
        assert await end(loop, training_id) == state

    run(tmp_path, story)


def test_an_abort_wins_over_a_stop(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await begun(loop)
        await loop.hear("running")
        for verb in ("stop", "abort", "stop"):
            await wish(loop, training_id, verb)
        assert (await loop.training(training_id)).wish == "abort"

    run(tmp_path, story)


def test_with_its_trainer_away_a_training_is_aborted_at_once(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await begun(loop)
        await loop.hear("running")
        loop.fleet.connected.clear()
        assert await wish(loop, training_id, "abort") == "aborted"

    run(tmp_path, story)


def test_a_training_that_shall_stop_does_not_wait_again(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await loop.begin()
        await loop.hear("idle")
        async with loop.workspaces.write() as workspace:
            await queue.claim(workspace, Match(training_id, "t1"))
        await wish(loop, training_id, "stop")
        loop.clock.move(timedelta(seconds=61))
        await loop.hear("idle")
        assert (await loop.training(training_id)).state == "stopped"

    run(tmp_path, story)


def test_an_answer_that_comes_after_the_report_changes_nothing(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training_id = await loop.begin()
        match = Match(training_id, "t1")
        await loop.hear("idle")
        async with loop.workspaces.write() as workspace:
            await queue.claim(workspace, match)
        await loop.hear("data_downloading")
        async with loop.workspaces.write() as workspace:
            await queue.accepted(workspace, match)
        assert (await loop.training(training_id)).trainer_state == "data_downloading"

    run(tmp_path, story)


def test_unknown_trainings_are_not_found(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        async with loop.workspaces.read() as workspace:
            with pytest.raises(NotFound):
                await trainings.get(workspace, "none")
            with pytest.raises(NotFound):
                await trainings.numbered(workspace, loop.project.id, 0)

    run(tmp_path, story)


def test_people_begin_see_and_stop_trainings(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            project_id = (await loop.project())["id"]
            client = await loop.client()
            path = f"{V1}/projects/{project_id}/trainings"
            body = {"hyperparameters": {"epochs": 2}, "variant": "s", "base_model_id": None}
            begun = (await client.post(path, json=body)).json()
            assert begun == {
                "id": begun["id"],
                "project_id": project_id,
                "number": 1,
                "state": "queued",
                "variant": "s",
                "model_format": "",
                "base_model_id": None,
                "hyperparameters": {"epochs": 2},
                "wanted_trainer_id": None,
                "trainer_id": None,
                "trainer_name": "",
                "trainer_state": None,
                "lost": False,
                "wish": None,
                "progress": None,
                "errors": {},
                "train_images": None,
                "test_images": None,
                "skipped_images": 0,
                "created": loop.clock.now.isoformat(),
                "started": None,
                "ended": None,
                "model_id": None,
            }
            one = f"{V1}/trainings/{begun['id']}"
            assert (await client.get(one)).json() == begun
            assert (await client.get(f"{one}/epochs")).json() == {"items": [], "next": None}
            stopped = (await client.post(f"{one}/stop")).json()
            assert (stopped["state"], stopped["ended"]) == ("stopped", begun["created"])
            assert (await client.post(f"{one}/abort")).status_code == 409

    asyncio.run(story())


def test_trainings_come_newest_first_and_in_pages(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            project_id = (await loop.project())["id"]
            client = await loop.client()
            path = f"{V1}/projects/{project_id}/trainings"
            for _ in range(3):
                await client.post(path, json={})
            page = (await client.get(f"{path}?limit=2")).json()
            rest = (await client.get(f"{path}?limit=2&after={page['next']}")).json()
            assert [item["number"] for item in page["items"] + rest["items"]] == [3, 2, 1]
            assert rest["next"] is None

    asyncio.run(story())


def test_an_abort_over_the_wire_ends_a_waiting_training(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            project_id = (await loop.project())["id"]
            client = await loop.client()
            begun = await client.post(f"{V1}/projects/{project_id}/trainings", json={})
            answer = await client.post(f"{V1}/trainings/{begun.json()['id']}/abort")
            assert answer.json()["state"] == "aborted"

    asyncio.run(story())


@pytest.mark.parametrize(
    "body", [{"hyperparameters": []}, {"variant": 1}, {"base_model_id": "no"}, {"trainer_id": "no"}]
)
def test_an_impossible_training_is_refused(open_loop: OpenLoop, body: dict[str, Any]) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            project_id = (await loop.project())["id"]
            path = f"{V1}/projects/{project_id}/trainings"
            client = await loop.client()
            assert (await client.post(path, json=body)).status_code in (404, 422)
            assert (await client.get(path)).json()["items"] == []

    asyncio.run(story())
