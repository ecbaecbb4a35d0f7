"""A served loop with a project, and the command line beside it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from typer.testing import CliRunner

from edgeloop.cli.main import app
from edgeloop.client import ClientSettings, LoopClient
from edgeloop.client.calls import models, trainings
from edgeloop.client.calls.projects import create_project
from edgeloop.client.calls.records import ProjectRecord
from edgeloop.errors import EdgeloopError
from edgeloop.loop import LoopSettings
from edgeloop.protocol import routes
from loops import PASSWORD, ServedLoop, loop_served


class Shop:
    """The project o/p on a loop."""

    def __init__(self, loop: ServedLoop, client: LoopClient, project: ProjectRecord) -> None:
        self.loop = loop
        self.client = client
        self.project = project

    def run(self, *arguments: str) -> str:
        """Run ``edgeloop`` and return its stdout; what it refuses is raised."""
        login = ["--loop", self.client.settings.host, "--username", "admin"]
        result = CliRunner().invoke(
            app, [*arguments, *login, "--password", PASSWORD], env={"COLUMNS": "200"}
        )
        if isinstance(result.exception, EdgeloopError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: str) -> Any:
        """What programs read."""
        return json.loads(self.run(*arguments, "--json"))

    def publish(self, folder: Path, model_format: str = "onnx", **wishes: Any) -> str:
        """A model of a new training; its id."""
        begun = self.client.send(
            trainings.begin_training(self.project.id, hyperparameters={}, **wishes)
        )
        file = folder / f"model.{model_format}"
        file.write_bytes(b"weights")
        upload = models.upload_training_model("o", "p", begun.number, model_format, [file])
        return self.client.send(upload)

    def hear_detector(self, **status: Any) -> None:
        """A detector of the project reports."""
        report = {"uuid": "d1", "name": "press", "operation_mode": "idle", **status}
        path = f"{self.loop.url}{routes.detectors('o', 'p')}"
        assert httpx.post(path, json=report).is_success


@contextmanager
def shop_in(folder: Path) -> Iterator[Shop]:
    """Serve a loop with its data in ``folder``."""
    settings = LoopSettings(data_folder=folder / "loop", admin_password=SecretStr(PASSWORD))
    with loop_served(settings) as loop:
        mine = ClientSettings(host=loop.host, username="admin", password=SecretStr(PASSWORD))
        with LoopClient(mine) as client:
            project = client.send(create_project("o", "p", [{"name": "bolt"}]))
            yield Shop(loop, client, project)
