"""A loop's data folder with many images, written past the API and without files."""

import asyncio
import hashlib
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from edgeloop.loop.db.session import Database
from edgeloop.loop.db.tables import AnnotationsRow, DetectionsRow, ImageRow
from edgeloop.loop.services import projects
from edgeloop.loop.services.fleet import NoFleet
from edgeloop.loop.services.projects import NewProject, Project
from edgeloop.loop.services.workspace import Workspaces
from edgeloop.loop.storage import FolderStorage
from edgeloop.protocol.payloads.annotations import annotations_to_json
from edgeloop.protocol.payloads.detections import detections_to_json
from edgeloop.types import Annotations, BoxAnnotation, BoxDetection, Category, Detections
from loop.pictures import HEIGHT, SIZE, WIDTH
from loop.site import ORGANIZATION, PROJECT

CAMERAS, SOURCES, MODELS = 40, 5, ("1.0", "2.0")
TAGS = ("night", "day", "uncertain", "picked_by_system", "rain", "sun")
STATES = {"inbox": 60, "annotate": 5, "review": 5, "complete": 29, "trash": 1}
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_AT_ONCE = 2000


def fill(data_folder: Path, count: int) -> str:
    """A project with so many images, each with boxes; two models looked at all. Returns its id."""
    data_folder.mkdir(parents=True, exist_ok=True)
    return asyncio.run(_fill(data_folder, count))


async def _fill(data_folder: Path, count: int) -> str:
    database = Database(f"sqlite+aiosqlite:///{data_folder / 'loop.sqlite'}")
    storage = FolderStorage(data_folder / "files")
    workspaces = Workspaces(database, storage, NoFleet(), lambda: BEGAN)
    try:
        await database.migrate()
        async with workspaces.write() as workspace:
            categories = tuple(Category("", name, color="") for name in ("bolt", "nut", "ring"))
            project = await projects.create(
                workspace, NewProject(ORGANIZATION, PROJECT, categories)
            )
        rng = random.Random(1)
        for start in range(0, count, _AT_ONCE):
            numbers = range(start + 1, min(start + _AT_ONCE, count) + 1)
            images = [_image(project, number, rng) for number in numbers]
            async with workspaces.write() as workspace:
                await workspace.session.execute(insert(ImageRow), images)
                found = [row for image in images for row in _detections(image, project, rng)]
                await workspace.session.execute(insert(DetectionsRow), found)
                if annotated := [_annotations(image) for image in images if image["annotated"]]:
                    await workspace.session.execute(insert(AnnotationsRow), annotated)
    finally:
        await database.close()
    return project.id


def _image(project: Project, number: int, rng: random.Random) -> dict[str, Any]:
    received = BEGAN + timedelta(seconds=30 * number + rng.random())
    state = rng.choices(list(STATES), list(STATES.values()))[0]
    category = rng.choice(project.categories).id
    return {
        "id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "project_id": project.id,
        "number": number,
        "frame_id": f"frame-{number}",
        "content_hash": hashlib.sha256(str(number).encode()).hexdigest(),
        "size_bytes": SIZE,
        "width": WIDTH,
        "height": HEIGHT,
        "state": state,
        "split": rng.choices(["train", "test"], [8, 2])[0],
        "source": f"line-{rng.randrange(SOURCES)}",
        "camera_id": f"camera-{rng.randrange(CAMERAS)}",
        "novelty": rng.random() if number % 3 == 0 else None,
        "created": received.isoformat(),
        "received": received,
        "taken": received - timedelta(seconds=rng.random() * 3600),
        "confidence": rng.random(),
        "tags": tuple(sorted(rng.sample(TAGS, 2))),
        "annotated": (category,) if state in ("review", "complete") else (),
        "detected": (category,),
    }


def _detections(
    image: dict[str, Any], project: Project, rng: random.Random
) -> Iterator[dict[str, Any]]:
    for version in MODELS:
        category = rng.choice(project.categories)
        boxes = tuple(
            BoxDetection(category.id, category.name, 50 * n, 30, 40, 50, rng.random(), version)
            for n in range(3)
        )
        yield {
            "image_id": image["id"],
            "model_version": version,
            "project_id": project.id,
            "number": image["number"],
            "categories": (category.id,),
            "shapes": detections_to_json(Detections(boxes=boxes)),
            "max_confidence": max(box.confidence for box in boxes),
            "updated": image["received"],
        }


def _annotations(image: dict[str, Any]) -> dict[str, Any]:
    boxes = tuple(BoxAnnotation(image["annotated"][0], 50 * n, 30, 40, 50) for n in range(3))
    return {
        "image_id": image["id"],
        "version": 1,
        "shapes": annotations_to_json(Annotations(boxes=boxes)),
        "author": "admin",
        "updated": image["received"],
    }
