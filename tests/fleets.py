"""A loop's services without a server, and trainers that a test moves by hand."""

import contextlib
import io
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeloop.errors import NotFound
from edgeloop.loop.db.session import Database
from edgeloop.loop.db.tables import ModelRow, TrainingRow
from edgeloop.loop.services import progress, projects, publishing, trainings
from edgeloop.loop.services.archives import ReceivedFile
from edgeloop.loop.services.projects import NewProject, Project
from edgeloop.loop.services.publishing import Upload
from edgeloop.loop.services.trainings import TrainingRequest
from edgeloop.loop.services.workspace import Caller, Workspaces
from edgeloop.loop.storage import FolderStorage
from edgeloop.protocol.payloads.trainings import TrainingProgressPayload
from edgeloop.types import Category, TrainerStatus
from loops import MovedClock

PERSON = Caller(account_id="1", username="ada", grants={"": "admin"}, has_session=True)


@dataclass
class FleetInHand:
    """Keeps what was sent; answers as the test says, else with success."""

    connected: set[str] = field(default_factory=set)
    sent: list[tuple[Any, ...]] = field(default_factory=list)
    answers: dict[str, Exception] = field(default_factory=dict)
    callers: dict[str, Caller] = field(default_factory=dict)

    def is_connected(self, node_id: str) -> bool:
        """Whether the test says so."""
        return node_id in self.connected

    def caller_of(self, node_id: str) -> Caller:
        """Whom the test says, else somebody who may do everything."""
        return self.callers.get(node_id, PERSON)

    async def send(self, node_id: str, command: str, *arguments: Any) -> Any:
        """Keep the command, then raise what the test wants for it."""
        if node_id not in self.connected:
            raise NotFound(f"The node {node_id} is not connected.")
        self.sent.append((node_id, command, *arguments))
        if command in self.answers:
            raise self.answers[command]

    async def look_again(self) -> None:
        """Nobody is logged in."""

    def commands(self) -> list[tuple[str, str]]:
        """Who was sent which command, in order."""
        return [(node, command) for node, command, *_ in self.sent]


@dataclass
class LoopInHand:
    """The services of a loop with the project zoo/cats."""

    workspaces: Workspaces
    fleet: FleetInHand
    clock: MovedClock
    project: Project

    async def hear(self, state: str, trainer: str = "t1", **fields: Any) -> TrainingRow | None:
        """A trainer reports; busy ones work for zoo/cats unless told otherwise."""
        self.fleet.connected.add(trainer)
        if state not in ("idle", "blocked"):
            fields = {"organization": "zoo", "project": "cats", **fields}
        status = TrainerStatus(id=trainer, name=trainer.upper(), state=state, **fields)
        async with self.workspaces.write() as workspace:
            return await progress.heard_from_trainer(workspace, status)

    async def begin(self, **fields: Any) -> str:
        """Queue a training; returns its id."""
        async with self.workspaces.write(PERSON) as workspace:
            request = TrainingRequest(**fields)
            return (await trainings.begin(workspace, self.project.id, request)).row.id

    async def training(self, training_id: str) -> TrainingRow:
        """The training as it is now."""
        async with self.workspaces.read() as workspace:
            return (await trainings.get(workspace, training_id)).row

    async def training_id(self, number: int) -> str:
        """The id of the training with this number."""
        async with self.workspaces.read() as workspace:
            return (await trainings.numbered(workspace, self.project.id, number)).id

    async def abort(self, training_id: str) -> None:
        """Abort the training."""
        async with self.workspaces.write(PERSON) as workspace:
            await trainings.abort(workspace, training_id)

    async def improve(self, trainer: str = "t1", **fields: Any) -> ModelRow:
        """A trainer tells of a better model."""
        report = TrainingProgressPayload(trainer_id=trainer, **fields)
        async with self.workspaces.write() as workspace:
            return await progress.heard_progress(workspace, "zoo", "cats", report)

    async def upload(
        self, number: int = 1, model_format: str = "onnx", **files: bytes | Mapping[str, Any]
    ) -> str:
        """Upload a format of a training's newest model; returns the model's id."""
        upload = Upload(model_format, received(**files), "http://loop")
        return await publishing.publish_newest(
            self.workspaces, PERSON, project=self.project, number=number, upload=upload
        )


def received(**files: bytes | Mapping[str, Any]) -> list[ReceivedFile]:
    """Files as they come: ``model_onnx=b"..."`` is ``model.onnx``; weights where none are said."""
    contents = {"model_onnx": b"weights", **files}
    return [
        ReceivedFile(
            name.replace("_", "."),
            io.BytesIO(content if isinstance(content, bytes) else json.dumps(content).encode()),
        )
        for name, content in contents.items()
    ]


@contextlib.asynccontextmanager
async def loop_in_hand(folder: Path) -> AsyncIterator[LoopInHand]:
    """Services on a database and a storage in ``folder``."""
    database = Database(f"sqlite+aiosqlite:///{folder / 'loop.sqlite'}")
    fleet, clock = FleetInHand(), MovedClock()
    workspaces = Workspaces(database, FolderStorage(folder / "files"), fleet, clock)
    try:
        await database.migrate()
        async with workspaces.write() as workspace:
            categories = (Category("", "cat"), Category("", "dog", "point", point_size=20))
            project = await projects.create(workspace, NewProject("zoo", "cats", categories))
        yield LoopInHand(workspaces, fleet, clock, project)
    finally:
        await database.close()
