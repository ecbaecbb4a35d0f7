"""A loop with a project of its own, and the published nodes that work for it."""

import contextlib
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from edgeloop.client import Call, ClientSettings, LoopClient
from edgeloop.client.call import nothing
from edgeloop.client.calls import deployments, models, trainings
from edgeloop.client.calls.images import (
    image_detections,
    image_ids,
    image_records,
    upload_images,
)
from edgeloop.client.calls.nodes import nodes
from edgeloop.client.calls.projects import create_project
from edgeloop.client.calls.records import NodeRecord, ProjectRecord, TrainingRecord
from edgeloop.demo.processes import wait_until
from edgeloop.errors import EdgeloopError
from edgeloop.protocol import routes
from edgeloop.types import (
    Annotations,
    BoxAnnotation,
    Detections,
    ImageMetadata,
    ImageRecord,
    ImageState,
)
from fakes import jpeg
from peers.node import PublishedNode

WITHIN_S = 150.0
ORGANIZATION = "peers"
CATEGORIES = [
    {"name": "bolt", "type": "box", "color": "#ff00ff"},
    {"name": "outline", "type": "segmentation", "color": "#00ff00"},
]


@dataclass
class Site:
    """What a story needs of the loop, asked as a person with an account."""

    client: LoopClient
    project: ProjectRecord
    folder: Path
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def start(self, kind: str, version: str) -> PublishedNode:
        """A published node that works for the project; it ends with the story."""
        settings = self.client.settings.model_copy(
            update={"organization": self.project.organization, "project": self.project.name}
        )
        if kind == "detector":  # devices have no account
            settings = settings.model_copy(update={"username": "", "password": SecretStr("")})
        node = PublishedNode(kind, version, self.folder / f"{kind}-{version}", settings)
        self.stack.callback(node.kill)
        node.start()
        return node

    def until(self, condition: Callable[[], bool], what: str, *nodes: PublishedNode) -> None:
        """Wait for it; raises ProcessError, also when one of these nodes has ended."""

        def look() -> bool:
            for node in nodes:
                node.check()
            try:
                return condition()
            except EdgeloopError as error:
                if error.retryable:  # the loop is just being restarted
                    return False
                raise

        wait_until(look, what=what, timeout_s=WITHIN_S, pause_s=0.1)

    def node(self, node: PublishedNode) -> NodeRecord | None:
        """What the loop knows of a node; None where it has not heard of it."""
        known = self.client.send(nodes()).items
        return next((record for record in known if record.id == node.id), None)

    def knows(self, node: PublishedNode) -> bool:
        """Whether the loop has heard of a node."""
        return self.node(node) is not None

    def until_known(self, *nodes: PublishedNode) -> None:
        """Wait until the loop has heard of all of these nodes."""
        for node in nodes:
            self.until(partial(self.knows, node), f"{node.name} reports", node)

    def images(self, state: ImageState | None = None) -> list[ImageRecord]:
        """The images of the project."""
        address = (self.project.organization, self.project.name)
        ids = self.client.send(image_ids(*address, state=state))
        return self.client.send(image_records(*address, ids)) if ids else []

    def detections(self, image: ImageRecord) -> dict[str, Detections]:
        """What each model saw in an image, by version."""
        return self.client.send(image_detections(image.id))

    def label(self, count: int) -> None:
        """Upload images with annotations, half of which a trainer may see."""
        bolt = self.project.category_ids()["bolt"]
        boxes = Annotations(boxes=(BoxAnnotation(bolt, 4, 6, 20, 10),))
        pairs = [
            (
                ImageMetadata(
                    f"labelled-{number}",
                    annotations=boxes,
                    state="complete",
                    split="train" if number % 2 else "test",
                ),
                jpeg(seed=number),
            )
            for number in range(count)
        ]
        address = (self.project.organization, self.project.name)
        self.client.send(upload_images(*address, pairs, login=True))

    def publish_model(self, model_format: str = "mocked") -> str:
        """A model with files that no trainer has made; returns its id."""
        training = self.client.send(trainings.begin_training(self.project.id, hyperparameters={}))
        self.client.send(trainings.stop_training(training.id))
        folder = self.folder / f"model-{training.number}"
        folder.mkdir()
        files = [folder / "model.json", folder / "model.weights"]
        files[0].write_text(json.dumps({"categories": self._categories_to_json()}))
        files[1].write_bytes(b"weights")
        address = (self.project.organization, self.project.name)
        return self.client.send(
            models.upload_training_model(*address, training.number, model_format, files)
        )

    def deploy(self, model_id: str) -> str:
        """Make a model the deployment target; returns its version."""
        return self.client.send(deployments.deploy(self.project.id, model_id)).version

    def training(self, training_id: str) -> TrainingRecord:
        """A training as it is now."""
        return self.client.send(trainings.training(training_id))

    def _categories_to_json(self) -> list[dict[str, object]]:
        return [category.model_dump() for category in self.project.categories]


@contextlib.contextmanager
def site_at(settings: ClientSettings, folder: Path, *, is_elsewhere: bool) -> Iterator[Site]:
    """A new project; at a loop ``is_elsewhere`` it is open to devices, and deleted at the end."""
    name = f"peers-{uuid.uuid4().hex[:12]}"
    with LoopClient(settings) as client, contextlib.ExitStack() as stack:
        project = client.send(
            create_project(ORGANIZATION, name, CATEGORIES, open_to_devices=is_elsewhere)
        )
        if is_elsewhere:
            path = routes.project(ORGANIZATION, name)
            stack.callback(client.send, Call("DELETE", path, nothing))
        yield Site(client, project, folder, stack)
