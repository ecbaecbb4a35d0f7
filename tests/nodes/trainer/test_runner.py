"""A job goes through its stages, however often something comes in between."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from edgeloop.client import Backoff
from edgeloop.errors import (
    EdgeloopError,
    InputError,
    LoopUnreachable,
    StorageFull,
    TrainingFailed,
    Unauthenticated,
)
from edgeloop.nodes.trainer.job import JobFile, StageName, TrainingJob, new_job
from edgeloop.nodes.trainer.runner import Pace, TrainingRunner
from edgeloop.nodes.trainer.stages import Stage
from edgeloop.protocol.payloads.trainings import TrainingOrder
from edgeloop.types import Epoch, TrainerState

S = TrainerState
Script = Callable[[TrainingJob], Awaitable[TrainingJob]]


async def do_nothing(job: TrainingJob) -> TrainingJob:
    """A stage that works."""
    return job


@dataclass
class World:
    """A runner with stages that the test writes, and what was heard of it."""

    folder: Path
    scripts: dict[StageName, Script] = field(default_factory=dict)
    keep_folders: bool = False
    unheard: int = 0
    states: list[tuple[TrainerState, dict[str, str]]] = field(default_factory=list)
    reports: list[tuple[TrainerState, dict[str, str]]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    ran: list[StageName] = field(default_factory=list)
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.file = JobFile(self.folder / "training.json")
        names: list[tuple[StageName, TrainerState, TrainerState]] = [
            ("download_dataset", S.DATA_DOWNLOADING, S.DATA_DOWNLOADED),
            ("train", S.RUNNING, S.TRAINING_FINISHED),
            ("report_metrics", S.CONFUSION_MATRIX_SYNCING, S.CONFUSION_MATRIX_SYNCED),
        ]
        stages = [Stage(name, doing, done, name, self._stage(name)) for name, doing, done in names]
        backoff = lambda: Backoff(first_s=5, max_s=300, chance=lambda: 0.0)  # noqa: E731
        self.runner = TrainingRunner(
            stages,
            self.file,
            listener=self,
            keep_folders=self.keep_folders,
            pace=Pace(backoff, self._sleep),
        )

    def changed(self) -> None:
        self.states.append((self.runner.state, dict(self.runner.errors)))

    async def report(self) -> None:
        if self.unheard:
            self.unheard -= 1
            raise LoopUnreachable("away")
        self.reports.append((self.runner.state, dict(self.runner.errors)))

    async def begin(self) -> None:
        order = TrainingOrder("acme", "cups", 3, (), {})
        job = new_job(order, self.folder, training_id="abc", now=0.0)
        job.folder.mkdir(parents=True)
        await self.runner.begin(job)

    def _stage(self, name: StageName) -> Script:
        async def run(job: TrainingJob) -> TrainingJob:
            self.ran.append(name)
            return await self.scripts.get(name, do_nothing)(job)

        return run

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def failing(*errors: Exception) -> Script:
    left = list(errors)

    async def run(job: TrainingJob) -> TrainingJob:
        if left:
            raise left.pop(0)
        return job

    return run


def hanging(reached: asyncio.Event) -> Script:
    async def run(job: TrainingJob) -> TrainingJob:
        reached.set()
        await asyncio.Event().wait()
        return job

    return run


def go(world: World) -> None:
    async def story() -> None:
        await world.begin()
        await world.runner.run()

    asyncio.run(story())


def test_a_job_walks_through_all_states_to_idle(world: World) -> None:
    go(world)
    assert [state for state, _ in world.states] == [
        S.INITIALIZED,
        S.DATA_DOWNLOADING,
        S.DATA_DOWNLOADED,
        S.RUNNING,
        S.TRAINING_FINISHED,
        S.CONFUSION_MATRIX_SYNCING,
        S.CONFUSION_MATRIX_SYNCED,
        S.READY_FOR_CLEANUP,
        S.IDLE,
    ]


def test_nothing_is_left_of_a_finished_training(world: World) -> None:
    go(world)
    assert world.file.job is None
    assert not (world.folder / "training.json").exists()
    assert list((world.folder / "trainings").iterdir()) == []


def test_folders_of_old_trainings_can_be_kept(tmp_path: Path) -> None:
    world = World(tmp_path, keep_folders=True)
    go(world)
    assert len(list((tmp_path / "trainings").iterdir())) == 1


@pytest.mark.parametrize(
    "error", [LoopUnreachable("away"), StorageFull("full"), Unauthenticated("who?"), OSError("io")]
)
def test_a_passing_failure_is_repeated_and_shown_meanwhile(world: World, error: Exception) -> None:
    world.scripts["train"] = failing(error, error)
    go(world)
    assert world.ran.count("train") == 3
    assert (S.DATA_DOWNLOADED, {"train": str(error)}) in world.states
    assert (S.TRAINING_FINISHED, {}) in world.states


def test_the_pauses_between_failures_double_up_to_five_minutes(world: World) -> None:
    world.scripts["download_dataset"] = failing(*[LoopUnreachable("away")] * 8)
    go(world)
    assert world.pauses == [5, 10, 20, 40, 80, 160, 300, 300]
    assert world.states[2][0] == S.INITIALIZED


@pytest.mark.parametrize("error", [TrainingFailed("no images"), InputError("odd")])
def test_a_hopeless_failure_ends_the_training_and_is_reported(
    world: World, error: EdgeloopError
) -> None:
    world.scripts["train"] = failing(error)
    go(world)
    assert world.ran == ["download_dataset", "train"]
    assert world.reports == [(S.READY_FOR_CLEANUP, {"train": str(error)})]
    assert world.states[-1] == (S.IDLE, {})


def test_the_end_is_reported_until_the_loop_has_heard(world: World) -> None:
    world.unheard = 2
    go(world)
    assert [state for state, _ in world.reports] == [S.READY_FOR_CLEANUP]
    assert world.pauses == [5, 10]


def test_the_model_of_a_training_that_failed_later_is_kept(world: World) -> None:
    async def learn(job: TrainingJob) -> TrainingJob:
        return replace(job, checkpoint=Epoch(1, 1))

    world.scripts["train"] = learn
    world.scripts["report_metrics"] = failing(TrainingFailed("gone"))
    go(world)
    assert len(list((world.folder / "trainings").iterdir())) == 1


def interrupted(world: World, stage: StageName, act: Callable[[], None]) -> None:
    async def story() -> None:
        reached = asyncio.Event()
        world.scripts[stage] = hanging(reached)
        await world.begin()
        async with asyncio.TaskGroup() as group:
            group.create_task(world.runner.run())
            await reached.wait()
            act()

    asyncio.run(story())


def test_an_abort_discards_the_training(world: World) -> None:
    interrupted(world, "train", world.runner.abort)
    assert world.ran == ["download_dataset", "train"]
    assert world.states[-1][0] == S.IDLE
    assert not (world.folder / "training.json").exists()
    assert list((world.folder / "trainings").iterdir()) == []


def test_an_abort_discards_a_model_that_is_on_its_way(world: World) -> None:
    async def learn(job: TrainingJob) -> TrainingJob:
        return replace(job, checkpoint=Epoch(1, 1))

    world.scripts["train"] = learn
    interrupted(world, "report_metrics", world.runner.abort)
    assert list((world.folder / "trainings").iterdir()) == []


@pytest.mark.parametrize("ending", ["abort", "failure"])
def test_a_full_disk_keeps_no_training_from_being_given_up(
    world: World, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        reached = asyncio.Event()

        async def fill_the_disk(job: TrainingJob) -> TrainingJob:
            monkeypatch.setattr(world.file, "save", full)
            if ending == "failure":
                raise TrainingFailed("hopeless")
            return await hanging(reached)(job)

        async def full(_job: TrainingJob) -> None:
            raise StorageFull("no space left")

        world.scripts["train"] = fill_the_disk
        await world.begin()
        async with asyncio.TaskGroup() as group:
            group.create_task(world.runner.run())
            if ending == "abort":
                await reached.wait()
                world.runner.abort()

    asyncio.run(story())
    assert world.file.job is None
    assert list((world.folder / "trainings").iterdir()) == []


def test_a_stop_goes_on_with_the_last_epoch_that_has_files(world: World) -> None:
    async def story() -> None:
        reached = asyncio.Event()

        async def learn(job: TrainingJob) -> TrainingJob:
            await world.file.save(replace(job, checkpoint=Epoch(1, 9)))
            return await hanging(reached)(job)

        world.scripts["train"] = learn
        await world.begin()
        async with asyncio.TaskGroup() as group:
            group.create_task(world.runner.run())
            await reached.wait()
            world.runner.stop()

    asyncio.run(story())
    assert world.ran == ["download_dataset", "train", "report_metrics"]


@pytest.mark.parametrize("stage", ["download_dataset", "train"])
def test_a_stop_without_a_model_ends_the_training(world: World, stage: StageName) -> None:
    interrupted(world, stage, world.runner.stop)
    assert "report_metrics" not in world.ran
    assert world.states[-1][0] == S.IDLE


def test_a_stop_does_not_matter_once_the_training_is_over(world: World) -> None:
    async def story() -> None:
        reached, leave = asyncio.Event(), asyncio.Event()

        async def report(job: TrainingJob) -> TrainingJob:
            reached.set()
            await leave.wait()
            return job

        world.scripts["report_metrics"] = report
        await world.begin()
        async with asyncio.TaskGroup() as group:
            group.create_task(world.runner.run())
            await reached.wait()
            world.runner.stop()
            leave.set()

    asyncio.run(story())
    assert world.ran.count("report_metrics") == 1


def test_an_abort_also_ends_the_wait_for_the_next_attempt(world: World) -> None:
    async def story() -> None:
        reached = asyncio.Event()

        async def sleep(_seconds: float) -> None:
            reached.set()
            await asyncio.Event().wait()

        world.runner = TrainingRunner(
            [Stage("train", S.RUNNING, S.TRAINING_FINISHED, "t", failing(LoopUnreachable("x")))],
            world.file,
            listener=world,
            pace=Pace(sleep=sleep),
        )
        await world.begin()
        assert world.file.job is not None
        await world.file.save(replace(world.file.job, stage="train"))
        async with asyncio.TaskGroup() as group:
            group.create_task(world.runner.run())
            await reached.wait()
            world.runner.abort()

    asyncio.run(story())
    assert world.file.job is None


def test_an_abort_after_a_stop_wins(world: World) -> None:
    async def story() -> None:
        reached = asyncio.Event()

        async def learn(job: TrainingJob) -> TrainingJob:
            await world.file.save(replace(job, checkpoint=Epoch(1, 9)))
            return await hanging(reached)(job)

        world.scripts["train"] = learn
        await world.begin()
        async with asyncio.TaskGroup() as group:
            group.create_task(world.runner.run())
            await reached.wait()
            world.runner.abort()
            world.runner.stop()

    asyncio.run(story())
    assert "report_metrics" not in world.ran


def test_wishes_without_a_training_change_nothing(world: World) -> None:
    world.runner.stop()
    world.runner.abort()
    go(world)
    assert world.ran == ["download_dataset", "train", "report_metrics"]


def test_a_cancelled_run_stays_to_be_resumed(world: World) -> None:
    async def story() -> None:
        reached = asyncio.Event()
        world.scripts["train"] = hanging(reached)
        await world.begin()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(world.runner.run())
            await reached.wait()
            task.cancel()

    asyncio.run(story())
    again = World(world.folder)
    assert again.file.load() is not None
    asyncio.run(again.runner.run())
    assert again.ran == ["train", "report_metrics"]


def test_a_timeout_inside_a_stage_is_no_wish_of_anybody(world: World) -> None:
    world.scripts["train"] = failing(TimeoutError("of its own"))
    go(world)
    assert world.ran.count("train") == 2


def test_progress_begins_anew_with_each_stage(world: World) -> None:
    seen: list[float | None] = []

    async def learn(job: TrainingJob) -> TrainingJob:
        seen.append(world.runner.progress)
        world.runner.note_progress(0.5)
        seen.append(world.runner.progress)
        return job

    world.scripts["train"] = learn
    go(world)
    assert seen == [None, 0.5]
    assert world.runner.progress is None
