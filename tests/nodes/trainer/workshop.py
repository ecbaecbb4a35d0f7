"""A project on a real loop, and a trainer beside it, for whole stories."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from edgeloop.client import AsyncLoopClient, Backoff, ClientSettings, LoopClient
from edgeloop.client.calls import annotations, images, models, projects, trainings
from edgeloop.client.calls.records import ModelRecord, ProjectRecord, TrainingRecord
from edgeloop.demo.processes import wait_until
from edgeloop.loop import LoopSettings
from edgeloop.nodes.contracts import Trainer
from edgeloop.nodes.settings import TrainerSettings
from edgeloop.nodes.trainer.node.desk import TrainerDesk
from edgeloop.nodes.trainer.runner import Pace
from edgeloop.types import Annotations, BoxAnnotation, ImageMetadata, ImageState, Split
from fakes import jpeg
from loops import PASSWORD, USERNAME, loop_served
from nodes.trainer.scripted import ScriptedTrainer


@dataclass
class Workshop:
    """A project with eight images on a loop: three to train, one to test, four to look at."""

    client: LoopClient
    project: ProjectRecord
    folder: Path
    event_loop: asyncio.AbstractEventLoop | None = None

    def ask(self, desk: TrainerDesk, command: str, *arguments: Any) -> dict[str, Any]:
        """Give the trainer a command, as the loop would."""
        assert self.event_loop is not None
        asked = asyncio.run_coroutine_threadsafe(desk.obey(command, *arguments), self.event_loop)
        return asked.result(30)

    @property
    def address(self) -> ClientSettings:
        """Where the loop is, and who asks."""
        return self.client.settings

    @property
    def loop_files(self) -> Path:
        """Where the loop keeps the images."""
        return self.folder / "loop" / "files" / "images"

    def begin(self, base_model_id: str | None = None, **script: Any) -> TrainingRecord:
        """Ask for a training."""
        call = trainings.begin_training(
            self.project.id, hyperparameters=script, base_model_id=base_model_id
        )
        return self.client.send(call)

    def training(self, record: TrainingRecord) -> TrainingRecord:
        """How it stands now."""
        return self.client.send(trainings.training(record.id))

    def until(
        self, record: TrainingRecord, condition: Callable[[TrainingRecord], bool]
    ) -> TrainingRecord:
        """Wait until the training is so."""
        self.wait(lambda: condition(self.training(record)), f"training {record.number} is so")
        return self.training(record)

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until something is so."""
        wait_until(condition, what=what, timeout_s=100)

    def until_ended(self, record: TrainingRecord) -> TrainingRecord:
        """Wait for the end of the training."""
        return self.until(record, lambda training: training.has_ended)

    def models(self) -> list[ModelRecord]:
        """The models with files, newest first."""
        return list(self.client.send(models.project_models(self.project.id)).items)

    def epochs(self, record: TrainingRecord) -> list[int]:
        """The numbers of the epochs that the loop knows."""
        page = self.client.send(trainings.epochs(record.id))
        found = [epoch.number for epoch in page.items]
        while page.next is not None:
            page = self.client.send(trainings.epochs(record.id, after=page.next))
            found += [epoch.number for epoch in page.items]
        return found

    def log(self, record: TrainingRecord) -> str:
        """The end of the training's log, as the loop knows it."""
        return self.client.send(trainings.training_log(record.id)).text

    def image_ids(self, state: ImageState) -> list[str]:
        """The project's images in a state."""
        return self.client.send(images.image_ids("acme", "cups", state=state))

    def trash_all(self) -> None:
        """Put the complete images into the trash."""
        for image_id in self.image_ids("complete"):
            self.client.send(annotations.annotate(image_id, Annotations(), state="trash"))

    def damage_one_training_image(self) -> None:
        """Cut the file of a training image on the loop's disk."""
        wanted = jpeg(64, 48, seed=0)
        [path] = [p for p in self.loop_files.rglob("*.jpg") if p.read_bytes() == wanted]
        path.write_bytes(wanted[: len(wanted) // 2])

    def detections(self, version: str) -> list[int]:
        """How many boxes a model has in each image that it saw."""
        states: tuple[ImageState, ...] = ("inbox", "annotate", "review", "complete", "trash")
        found = []
        for state in states:
            for image_id in self.image_ids(state):
                seen = self.client.send(images.image_detections(image_id))
                found += [len(seen[version])] if version in seen else []
        return found


@contextmanager
def workshop(folder: Path) -> Iterator[Workshop]:
    """Serve a loop and fill a project."""
    settings = LoopSettings(data_folder=folder / "loop", admin_password=SecretStr(PASSWORD))
    with loop_served(settings) as loop:
        address = ClientSettings(host=loop.url, username=USERNAME, password=SecretStr(PASSWORD))
        with LoopClient(address) as client:
            call = projects.create_project("acme", "cups", [{"name": "cup"}])
            project = client.send(call)
            upload(client, project)
            yield Workshop(client, project, folder)


def upload(client: LoopClient, project: ProjectRecord) -> None:
    """Eight images in the five states."""
    cup = project.category_ids()["cup"]
    annotations = Annotations(boxes=(BoxAnnotation(cup, 8, 8, 16, 16),))
    plan: list[tuple[ImageState, Split | None]] = [
        ("complete", "train"),
        ("complete", "train"),
        ("complete", "train"),
        ("complete", "test"),
        ("inbox", None),
        ("annotate", None),
        ("review", None),
        ("trash", None),
    ]
    pairs = [
        (
            ImageMetadata(
                f"frame-{number}",
                state=state,
                split=split,
                annotations=annotations if state == "complete" else None,
            ),
            jpeg(64, 48, seed=number),
        )
        for number, (state, split) in enumerate(plan)
    ]
    client.send(images.upload_images("acme", "cups", pairs, login=True))


def trainer_settings(folder: Path, **settings: Any) -> TrainerSettings:
    """Settings of a trainer with its data in ``folder``."""
    return TrainerSettings(port=0, data_folder=folder / "trainer", **settings)


def beside_a_trainer(
    shop: Workshop,
    story: Callable[[TrainerDesk], None],
    *,
    trainer: type[Trainer] = ScriptedTrainer,
    pause_s: float = 0.01,
    **settings: Any,
) -> None:
    """Tell a story (in a thread) while a trainer runs."""

    async def whole() -> None:
        shop.event_loop = asyncio.get_running_loop()
        pace = Pace(backoff=lambda: Backoff(first_s=pause_s, max_s=pause_s))
        async with AsyncLoopClient(shop.address) as client, asyncio.TaskGroup() as group:
            desk = TrainerDesk(
                trainer, trainer_settings(shop.folder, **settings), client=client, pace=pace
            )
            tasks = [group.create_task(run(task)) for task in desk.tasks()]
            try:
                await asyncio.to_thread(story, desk)
            finally:
                for task in tasks:
                    task.cancel()

    async def run(task: Callable[[], Any]) -> None:
        await task()

    asyncio.run(whole())
