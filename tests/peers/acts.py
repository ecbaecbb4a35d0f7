"""What cameras and people do in the stories, and what they wait for."""

from typing import Any

import httpx

from edgeloop.client import Call
from edgeloop.client.calls.records import TrainingRecord
from edgeloop.client.calls.trainings import begin_training
from edgeloop.protocol.routes import V1
from edgeloop.types import Detections
from fakes import jpeg
from peers.node import PublishedNode
from peers.site import Site

IMAGES = 7
"""How many images a training has: 3 to train with, 4 to test with; in the last batch is but one."""


def runs(detector: PublishedNode, version: str) -> bool:
    """Whether this version of the model is in service."""
    told = httpx.get(f"{detector.url}/about", timeout=30).json()
    return bool(told["model_info"]) and told["model_info"]["version"] == version


def take_pictures(detector: PublishedNode, *, seed: int = 1) -> None:
    """Have one image looked at and kept, and another one only kept."""
    with httpx.Client(base_url=detector.url, timeout=30) as camera:
        headers = {"autoupload": "all", "camera-id": "front", "tags": "dusk,rain"}
        seen = camera.post("/detect", files={"file": jpeg(seed=seed)}, headers=headers)
        assert seen.status_code == 200, seen.text
        files = {"files": jpeg(seed=seed + 1)}
        sent = camera.post("/upload", files=files, params={"source": "belt"})
        assert sent.status_code == 200, sent.text


def check_seen(site: Site, found: Detections) -> None:
    """These are the box and the triangle that the nodes of these tests see."""
    (box,), (triangle,) = found.boxes, found.segmentations
    ids = site.project.category_ids()
    assert (box.x, box.y, box.width, box.height) == (4, 6, 20, 10)
    assert list(triangle.points) == [(4, 6), (24, 6), (4, 16)]
    assert (box.category_id, triangle.category_id) == (ids["bolt"], ids["outline"])
    assert box.confidence == triangle.confidence == 0.5


def begin(site: Site, trainer: PublishedNode, *, base_model_id: str | None = None) -> str:
    """Have it train, from scratch or from a model; returns the training's id."""
    site.until_known(trainer)
    wish = begin_training(
        site.project.id,
        hyperparameters={"resolution": 320},
        variant="small",
        base_model_id=base_model_id,
        trainer_id=trainer.id,
    )
    return site.client.send(wish).id


def is_running(site: Site, training_id: str) -> bool:
    """Whether the loop sees the trainer's own process at work."""
    return site.training(training_id).trainer_state == "running"


def ended(site: Site, training_id: str, trainer: PublishedNode) -> TrainingRecord:
    """The training, once it has ended."""
    site.until(lambda: site.training(training_id).has_ended, "the training ends", trainer)
    return site.training(training_id)


def gesture(site: Site, annotator: PublishedNode, image_id: str, **fields: Any) -> str:
    """What an annotator shows for the mouse at (3, 4), released unless told otherwise."""
    body = {
        "frontend_id": "page-1",
        "image_id": image_id,
        "category_id": site.project.category_ids()["outline"],
        "event": "left_mouse_up",
        "x": 3,
        "y": 4,
        **fields,
    }
    path = f"{V1}/nodes/{annotator.id}/user_input"
    return site.client.send(Call("POST", path, lambda answer: str(answer.json()["svg"]), json=body))
