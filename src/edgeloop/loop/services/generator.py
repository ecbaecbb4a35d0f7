"""Projects full of drawn images, trainings and models: for the test suites of published clients."""

import asyncio
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import get_args

import numpy as np

from edgeloop.errors import Unprocessable
from edgeloop.loop.db.tables import ImageRow
from edgeloop.loop.services import arrivals, files, projects, publishing, trainings
from edgeloop.loop.services.archives import ReceivedFile
from edgeloop.loop.services.arrivals import Arrival
from edgeloop.loop.services.depictions import annotated, detected
from edgeloop.loop.services.drawings import COLORS, Drawing, Style, draw
from edgeloop.loop.services.projects import NewProject, Project
from edgeloop.loop.services.publishing import Upload
from edgeloop.loop.services.shapes import Canvas
from edgeloop.loop.services.trainings import TrainingRequest, TrainingState
from edgeloop.loop.services.workspace import Caller, Workspace, Workspaces
from edgeloop.types import Category, CategoryType, ImageMetadata, ImageState, Split

FORMAT = "mocked"
"""The format of the models that the trainers and detectors of those suites understand."""
FIRST_IDS = {
    "pytest_nodelib_annotator": ("10f7d7d2-4076-7006-af37-fa28a6a848ae",),
    "pytest_p": (
        "501205a9-9b64-3df0-3785-507a677b7f05",
        "f786350c-89ca-9424-9b00-720a9a85fe09",
    ),
    "pytest": (
        "285a92db-bc64-240d-50c2-3212d3973566",
        "04e9b13d-9f5b-02c5-af46-5bf40b1ca0a7",
        "94d1c90f-9ea5-abda-2696-6ab322d1e243",
        "d99747e9-7c6f-5753-2769-4184f870f18b",
    ),
}
"""Ids of images that those suites name, by project."""
_ANNOTATED: tuple[ImageState, ...] = ("review", "complete")
_MAX_IMAGES = 1000
_SPLITS: tuple[Split, ...] = ("train", "test", "train")
_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What a generated project shall have.

    ``images`` by state, ``categories`` by type; ``detections`` and ``annotations`` are per image
    and per type of category.
    """

    organization: str
    name: str
    images: Mapping[ImageState, int] = field(default_factory=dict)
    categories: Mapping[CategoryType, int] = field(default_factory=dict)
    style: Style = "plain"
    tags: int = 0
    trainings: int = 0
    detections: int = 3
    annotations: int = 3


async def generate(workspaces: Workspaces, caller: Caller, plan: Plan, *, loop_uri: str) -> Project:
    """Make the project and all that is in it.

    Raises Conflict where there is such a project, Unprocessable for a name that cannot be one and
    for more images than fit into a minute.
    """
    if sum(plan.images.values()) > _MAX_IMAGES:
        raise Unprocessable(f"A generated project has up to {_MAX_IMAGES} images.")
    async with workspaces.write(caller) as workspace:
        categories = tuple(_categories(plan))
        new = NewProject(plan.organization, plan.name, categories, open_to_devices=True)
        project = await projects.create(workspace, new)
    await add_images(workspaces, caller, project, plan)
    for _ in range(plan.trainings):
        async with workspaces.write(caller) as workspace:
            number = await finished_training(workspace, project)
        await publishing.publish_newest(
            workspaces, caller, project=project, number=number, upload=mocked_model(loop_uri)
        )
    return project


async def add_images(workspaces: Workspaces, caller: Caller, project: Project, plan: Plan) -> None:
    """Draw the images of a plan and add them to its project, those of the inbox first."""
    states = [state for state in get_args(ImageState) for _ in range(plan.images.get(state, 0))]
    async with workspaces.read(caller) as workspace:
        image_ids = await _free_ids(workspace, project, len(states))
    for start in range(0, len(states), _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, len(states)))
        drawings = [await asyncio.to_thread(_drawn, plan, project, n) for n in numbers]
        drawn = [
            _arrival(plan, drawing, number=n, state=states[n], image_id=image_ids[n])
            for n, drawing in zip(numbers, drawings, strict=True)
        ]
        keys = [files.image_key(arrival.content_hash) for arrival in drawn]
        async with files.in_doubt(workspaces, keys):
            for key, drawing in zip(keys, drawings, strict=True):
                await workspaces.storage.put(key, drawing.jpeg)
            async with workspaces.write(caller) as workspace:
                await arrivals.add(workspace, project, drawn)


async def finished_training(workspace: Workspace, project: Project) -> int:
    """A training that no trainer ever saw; returns its number."""
    request = TrainingRequest(hyperparameters={"resolution": 800}, variant="small")
    row = (await trainings.begin(workspace, project.id, request)).row
    row.state, row.trainer_name = TrainingState.FINISHED, "generator"
    row.started = row.ended = workspace.clock()
    return row.number


def mocked_model(loop_uri: str) -> Upload:
    """The files that the test suites expect in a model."""
    contents = {"file_1.txt": b"content of file one", "file_2.txt": b"content of file two"}
    received = [ReceivedFile(name, io.BytesIO(content)) for name, content in contents.items()]
    return Upload(FORMAT, received, loop_uri)


def _categories(plan: Plan) -> Iterator[Category]:
    names = list(COLORS)
    for kind, count in plan.categories.items():
        for number in range(count):
            color = names[number % len(names)]
            lap = number // len(names)
            name = f"{color} {kind}" + (f" {lap + 1}" if lap else "")
            size = 20 if kind == "point" else None
            yield Category("", name, kind, color=COLORS[color], point_size=size)


async def _free_ids(workspace: Workspace, project: Project, count: int) -> list[str]:
    """Known ids as far as no other image has them, then new ones."""
    known = FIRST_IDS.get(project.name, ())[:count]
    taken = [id_ for id_ in known if await workspace.session.get(ImageRow, id_)]
    free = [id_ for id_ in known if id_ not in taken]
    return free + [""] * (count - len(free))


def _drawn(plan: Plan, project: Project, number: int) -> Drawing:
    seed = hashlib.sha256(f"{plan.organization}/{plan.name}/{number}".encode()).digest()
    each = max(plan.detections, plan.annotations)
    rng = np.random.default_rng(list(seed))
    return draw(plan.style, project.categories, each=each, rng=rng)


def _arrival(
    plan: Plan, drawing: Drawing, *, number: int, state: ImageState, image_id: str
) -> Arrival:
    metadata = ImageMetadata(
        frame_id=f"generated-{number}",
        detections=detected(drawing, each=plan.detections),
        annotations=annotated(drawing, each=plan.annotations) if state in _ANNOTATED else None,
        tags=(f"tag {number % plan.tags + 1}",) if plan.tags else (),
        source="generator",
        state=state,
        split=_SPLITS[number % len(_SPLITS)],
    )
    content_hash = hashlib.sha256(drawing.jpeg).hexdigest()
    canvas = Canvas(drawing.width, drawing.height)
    return Arrival(metadata, content_hash, len(drawing.jpeg), canvas, image_id)
