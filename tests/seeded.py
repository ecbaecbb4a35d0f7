"""A loop's data folder with a small project that has something for every page to show."""

import asyncio
import contextlib
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from edgeloop.demo.scenes import CATEGORIES, Scene, draw_scenes
from edgeloop.imaging import encode_jpeg
from edgeloop.loop.db.session import Database
from edgeloop.loop.services import (
    conversions,
    curation,
    deployments,
    endings,
    figures,
    hearing,
    models,
    progress,
    projects,
    publishing,
    queue,
    trainings,
    uploads,
)
from edgeloop.loop.services.conversions import LeaseRequest
from edgeloop.loop.services.curation import ModelChange
from edgeloop.loop.services.projects import NewProject, Project, ProjectChange
from edgeloop.loop.services.publishing import Upload as ModelUpload
from edgeloop.loop.services.queue import Match
from edgeloop.loop.services.trainings import TrainingRequest
from edgeloop.loop.services.workspace import Workspaces
from edgeloop.loop.storage import FolderStorage
from edgeloop.protocol.payloads.images import image_metadata_to_json
from edgeloop.protocol.payloads.trainings import (
    CountsPayload,
    EpochPayload,
    EpochReportPayload,
    LogReportPayload,
    TrainingProgressPayload,
)
from edgeloop.types import (
    Annotations,
    BoxAnnotation,
    BoxDetection,
    Category,
    Detections,
    DetectorStatus,
    ImageMetadata,
    ImageState,
    OperationMode,
    TrainerStatus,
)
from fleets import PERSON, FleetInHand, received

HOSTILE = '<img src="/hostile" onerror="window.hostile=1">'
"""A name that some user may choose; pages must show it and not obey it."""
TRAINER = "trainer-1"


@dataclass
class Seed:
    """The loop that is being filled; its clock is moved by hand and ends at the present."""

    workspaces: Workspaces
    fleet: FleetInHand
    clock: "Clock"


@dataclass
class Clock:
    """The time now, less what is said."""

    back: timedelta = timedelta()

    def __call__(self) -> datetime:
        """The time it pretends to be."""
        return datetime.now(UTC) - self.back


def seed(folder: Path, fill: Callable[[Seed], Awaitable[None]]) -> None:
    """Fill the data folder of a loop that is not running."""
    folder.mkdir(parents=True, exist_ok=True)

    async def story() -> None:
        async with _opened(folder) as loop:
            await fill(loop)

    asyncio.run(story())


async def workshop(loop: Seed) -> None:
    """The projects workshop/parts, with all that a project can have, and workshop/empty."""
    loop.clock.back = timedelta(days=3)
    categories = tuple(Category("", name, color="") for name in (*CATEGORIES, HOSTILE))
    async with loop.workspaces.write(PERSON) as workspace:
        project = await projects.create(workspace, NewProject("workshop", "parts", categories))
        await projects.create(workspace, NewProject("workshop", "empty", open_to_devices=True))
    labelled = list(draw_scenes(14, seed=1, shifted_share=0.0))
    await add_images(loop, project, labelled, state="complete", model="1.0")
    await add_images(loop, project, labelled[:3], state="review", model="1.0", again=True)
    loop.clock.back = timedelta(days=2)
    await _finished_training(loop, project)
    loop.clock.back = timedelta(hours=5)
    field = list(draw_scenes(12, seed=2, shifted_share=1.0, prefix="field"))
    await add_images(loop, project, field, state="inbox", model="1.0")
    await _more_trainings(loop, project)
    await _curate(loop, project)
    await _nodes(loop, project)


async def add_images(
    loop: Seed,
    project: Project,
    scenes: Sequence[Scene],
    *,
    state: ImageState,
    model: str,
    again: bool = False,
) -> None:
    """Scenes as images; those in the inbox have detections only, the others both."""
    pairs = [
        _pair(loop, scene, project, state=state, model=model, quality=60 if again else 90)
        for scene in scenes
    ]
    await uploads.receive(loop.workspaces, PERSON, project, pairs=pairs)


def _pair(
    loop: Seed, scene: Scene, project: Project, *, state: ImageState, model: str, quality: int
) -> uploads.Upload:
    ids = project.ids_by_name
    is_new = state == "inbox"
    boxes = tuple(
        BoxAnnotation(ids[box.category], box.x, box.y, box.width, box.height) for box in scene.boxes
    )
    metadata = ImageMetadata(
        frame_id=f"{scene.name}-{quality}",
        detections=_seen(scene, ids, model),
        annotations=None if is_new else Annotations(boxes=boxes),
        tags=("uncertain", "night") if is_new else ("import", HOSTILE),
        source="belt 3" if is_new else HOSTILE,
        created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).isoformat(),
        camera_id="overhead" if is_new else "",
        state=state,
    )
    document = image_metadata_to_json(metadata)
    draft = loop.workspaces.storage.draft()
    draft.write(encode_jpeg(scene.image, quality=quality))
    return uploads.Upload(scene.name, json.dumps(document).encode(), draft)


def _seen(scene: Scene, ids: Mapping[str, str], model: str) -> Detections:
    """What a fair model would see: most parts, a little off, some taken for others."""
    rng = np.random.default_rng(len(scene.name) + int(scene.boxes[0].x * 10))
    found = []
    for box in scene.boxes:
        if rng.random() < 0.1:
            continue
        name = str(rng.choice(CATEGORIES)) if rng.random() < 0.12 else box.category
        dx, dy = rng.normal(0, 1.2, 2)
        found.append(
            BoxDetection(
                category_id=ids[name],
                category_name=name,
                x=box.x + dx,
                y=box.y + dy,
                width=box.width,
                height=box.height,
                confidence=float(rng.uniform(0.35, 0.98)),
                model_name=model,
            )
        )
    return Detections(boxes=tuple(found))


@contextlib.asynccontextmanager
async def _opened(folder: Path) -> AsyncIterator[Seed]:
    database = Database(f"sqlite+aiosqlite:///{folder / 'loop.sqlite'}")
    fleet, clock = FleetInHand(), Clock()
    workspaces = Workspaces(database, FolderStorage(folder / "files"), fleet, clock)
    try:
        await database.migrate()
        yield Seed(workspaces, fleet, clock)
    finally:
        await database.close()


async def hear(loop: Seed, project: Project, state: str, **fields: object) -> None:
    """The trainer reports from the project."""
    loop.fleet.connected.add(TRAINER)
    status = TrainerStatus(
        id=TRAINER,
        name="Workstation",
        state=state,
        architecture="compact",
        **({} if state == "idle" else {"organization": "workshop", "project": project.name}),  # type: ignore[arg-type]
        **fields,  # type: ignore[arg-type]
    )
    async with loop.workspaces.write() as workspace:
        await progress.heard_from_trainer(workspace, status)


async def begin(loop: Seed, project: Project) -> int:
    """A training that the trainer has; returns its number."""
    await hear(loop, project, "idle")
    async with loop.workspaces.write(PERSON) as workspace:
        training = await trainings.begin(workspace, project.id, TrainingRequest(variant="small"))
    async with loop.workspaces.write() as workspace:
        match = Match(training.row.id, TRAINER)
        await queue.claim(workspace, match)
        await queue.accepted(workspace, match)
    return training.row.number


async def learn(loop: Seed, project: Project, number: int, *, epochs: int, of: int) -> None:
    """So many epochs of a training."""
    async with loop.workspaces.write() as workspace:
        for epoch in range(1, epochs + 1):
            wave = 0.02 * math.sin(epoch * 1.7)
            metrics = {
                "loss": 2.4 * math.exp(-epoch / 8) + 0.3 + wave,
                "map50": 0.9 * (1 - math.exp(-epoch / 7)) + wave,
                "map50_95": 0.6 * (1 - math.exp(-epoch / 9)) + wave,
            }
            report = EpochReportPayload(
                training_number=number,
                epoch=EpochPayload(number=epoch, of=of, metrics=metrics),
            )
            await progress.heard_epoch(workspace, "workshop", project.name, report)


async def _finished_training(loop: Seed, project: Project) -> None:
    number = await begin(loop, project)
    await learn(loop, project, number, epochs=30, of=30)
    counts = {
        category.id: CountsPayload(tp=20 - index, fp=index, fn=2)
        for index, category in enumerate(project.categories)
    }
    model_id = await publish(loop, project, number, counts=counts, formats=("onnx", "torch"))
    loop.clock.back -= timedelta(minutes=42)
    await hear(loop, project, "ready_for_cleanup")
    await hear(loop, project, "idle")
    async with loop.workspaces.read() as workspace:
        training = await trainings.numbered(workspace, project.id, number)
    metrics = await figures.test_metrics(loop.workspaces, training.id)
    async with loop.workspaces.write(PERSON) as workspace:
        await endings.end(workspace, training.id, metrics)
        await deployments.deploy(workspace, project, model_id=model_id)


async def publish(
    loop: Seed,
    project: Project,
    number: int,
    *,
    counts: Mapping[str, CountsPayload],
    formats: Sequence[str],
) -> str:
    """The trainer has a better model and uploads it; returns the model's id."""
    report = TrainingProgressPayload(
        trainer_id=TRAINER,
        trainer_name="Workstation",
        confusion_matrix=dict(counts),
        train_image_count=16,
        test_image_count=4,
        best_epoch=28,
    )
    async with loop.workspaces.write() as workspace:
        await progress.heard_progress(workspace, "workshop", project.name, report)
    for model_format in formats:
        upload = ModelUpload(model_format, received(), "http://loop")
        model_id = await publishing.publish_newest(
            loop.workspaces, PERSON, project=project, number=number, upload=upload
        )
    return model_id


async def _more_trainings(loop: Seed, project: Project) -> None:
    failed = await begin(loop, project)
    async with loop.workspaces.write() as workspace:
        training = await trainings.numbered(workspace, project.id, failed)
        training.state, training.ended = "failed", loop.clock()
        training.errors = {"train": f"CUDA out of memory {HOSTILE}"}
    loop.clock.back = timedelta(minutes=7)
    running = await begin(loop, project)
    await learn(loop, project, running, epochs=12, of=30)
    await publish(loop, project, running, counts={}, formats=["onnx"])
    async with loop.workspaces.write() as workspace:
        text = f"1 image is corrupt {HOSTILE}\nepoch 12 of 30: loss 0.83\n"
        said = LogReportPayload(training_number=running, text=text)
        await progress.heard_log(workspace, "workshop", project.name, said)
    loop.clock.back = timedelta()
    await hear(loop, project, "running", progress=0.4, uptime_s=400.0)
    async with loop.workspaces.write(PERSON) as workspace:
        await trainings.begin(workspace, project.id, TrainingRequest())


async def _curate(loop: Seed, project: Project) -> None:
    """1.0 is promoted, a later model was deployed, rolled back and retired; a format lacks."""
    async with loop.workspaces.read() as workspace:
        found = await models.with_files(workspace, project.id)
    newest, first = (model.row.id for model in (found[0], found[-1]))
    async with loop.workspaces.write(PERSON) as workspace:
        await deployments.deploy(workspace, project, model_id=newest)
        change = ProjectChange(wanted_formats=["engine"])
        await projects.update(workspace, project.id, change)
        await curation.change(workspace, first, ModelChange(promoted=True))
        lease = await conversions.lease(workspace, LeaseRequest("onnx", "engine", converter="c1"))
        assert lease is not None
        error = "The operator grid_sample is not supported."
        await conversions.fail(workspace, lease.id, error=error)
    await deployments.roll_back(loop.workspaces, PERSON, project.id)


async def _nodes(loop: Seed, project: Project) -> None:
    reports: tuple[tuple[str, timedelta, str | None, str, int, dict[str, str]], ...] = (
        ("cell-1", timedelta(), "1.0", "1.0", 0, {}),
        ("cell-2", timedelta(), None, "1.0", 17, {"update": f"no space left {HOSTILE}"}),
        (HOSTILE, timedelta(days=2), "0.9", "1.0", 3, {}),
    )
    for index, (name, back, current, target, depth, errors) in enumerate(reports):
        loop.clock.back = back
        status = DetectorStatus(
            id=f"detector-{index}",
            name=name,
            model_format="onnx",
            operation_mode=OperationMode.DETECTING,
            uptime_s=93784.0,
            current_model=current,
            target_model=target,
            errors=errors,
            node_version="0.1",
            outbox_depth=depth,
        )
        await hearing.hear_detector(loop.workspaces, PERSON, project, status)
