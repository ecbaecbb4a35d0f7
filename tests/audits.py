"""A loop's data folder with something of everything, and audits of it, for tests."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from edgeloop.loop import LoopSettings, check
from edgeloop.loop.services.audit.findings import Verdict
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from fakes import jpeg
from loops import PASSWORD, loop_in_process
from uploading import pair, receipts

FRAMES = 4


@dataclass(frozen=True)
class Data:
    """A data folder; no loop runs on it."""

    folder: Path

    @property
    def settings(self) -> LoopSettings:
        """Settings of a loop on it."""
        return LoopSettings(data_folder=self.folder, admin_password=SecretStr(PASSWORD))

    @property
    def images(self) -> list[Path]:
        """The files of the images; the first one is that of the annotated image."""
        found = sorted((self.folder / "files" / "images").rglob("*.jpg"))
        return sorted(found, key=lambda path: path.read_bytes() != jpeg(seed=0))

    @property
    def model(self) -> Path:
        """The file of the model."""
        (found,) = (self.folder / "files" / "models").rglob("*.zip")
        return found

    def key(self, path: Path) -> str:
        """A file's key in the storage."""
        return path.relative_to(self.folder / "files").as_posix()

    def audit(self, *, repair: bool = False, deep: bool = False) -> Verdict:
        """Check it."""
        steps: list[str] = []
        return asyncio.run(
            check(
                self.settings,
                repair=repair,
                deep=deep,
                on_progress=lambda step, done, total: steps.append(f"{step} {done} of {total}"),
            )
        )

    def found(self, **options: bool) -> list[tuple[str, str]]:
        """The kinds and subjects of all findings."""
        return [(f.kind.value, f.subject) for f in self.audit(**options).found.findings]

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """Change the database behind the loop's back."""
        with closing(sqlite3.connect(self.folder / "loop.sqlite")) as connection:
            rows = connection.execute(statement, values).fetchall()
            connection.commit()
        return rows

    def add_training(self, number: int) -> None:
        """Add one to zoo/cats, whose project does not know of it."""
        columns = [
            *("id", "project_id", "number", "state", "variant", "hyperparameters", "errors"),
            *("trainer_name", "skipped_images", "rank", "model_format", "created"),
        ]
        ((project,),) = self.sql("SELECT id FROM projects WHERE name = 'cats'")
        values = ["t", project, number, "finished", "", "{}", "{}", "", 0, 0, "", "2026-01-01"]
        marks = ", ".join("?" for _ in columns)
        names = ", ".join(columns)
        self.sql(f"INSERT INTO trainings ({names}) VALUES ({marks})", *values)

    def removed(self, pattern: str) -> list[Path]:
        """What repair moved out of the loop."""
        return sorted((self.folder / "removed").rglob(pattern))


async def fill(folder: Path) -> None:
    """Images of all kinds with thumbnails, and a model."""
    box = {"category_name": "cat", "x": 1, "y": 2, "width": 10, "height": 10}
    seen = {**box, "model_name": "1.0", "confidence": 0.75}
    async with loop_in_process(Data(folder).settings) as loop:
        await loop.project()
        await loop.project(name="dogs")
        client = await loop.client()
        whole = pair(
            0,
            frame_id="frame-0",
            box_annotations=[box],
            box_detections=[seen],
            tags=["night"],
            state="complete",
            set="test",
            source="belt 3",
        )
        sent = await receipts(client, whole)
        for number in range(1, FRAMES):
            sent += await receipts(client, pair(number, frame_id=f"frame-{number}"))
        dogs = routes.images("zoo", "dogs")
        assert (await client.post(dogs, files=pair(0, frame_id="dog"))).status_code == 200
        for receipt in sent:
            answer = await client.get(f"{V1}/images/{receipt['id']}/thumbnail")
            assert answer.status_code == 200
        weights = [("files", ("weights.onnx", b"weights", "application/octet-stream"))]
        path = "/api/zoo/projects/cats/models/onnx"
        answer = await client.post(path, files=weights)
        assert answer.status_code == 200, answer.text
