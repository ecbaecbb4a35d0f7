"""Published trainers at work."""

import pytest

from edgeloop.client.calls.models import project_models
from edgeloop.client.calls.trainings import abort_training, stop_training
from peers.acts import IMAGES, begin, check_seen, ended, is_running
from peers.node import BATCH
from peers.site import Site

pytestmark = [pytest.mark.peers, pytest.mark.timeout(900)]

STAGES = [
    "DataDownloading",
    "TrainModelDownloading",
    "TrainingRunning",
    "ConfusionMatrixSyncing",
    "TrainModelUploading",
    "Detecting",
    "DetectionUploading",
]


def test_a_trainer_goes_through_all_its_states_and_its_model_and_detections_arrive(
    site: Site, version: str
) -> None:
    trainer = site.start("trainer", version)
    trainer.finish_training()
    site.label(IMAGES)
    training = ended(site, begin(site, trainer), trainer)
    assert (training.state, training.errors) == ("finished", {})
    assert trainer.performed == STAGES
    assert (training.train_images, training.test_images) == (3, 4)
    (model,) = site.client.send(project_models(site.project.id)).items
    assert (model.version, sorted(model.formats)) == ("1.0", ["mocked", "mocked_2"])
    bolt = site.project.category_ids()["bolt"]
    assert model.counts[bolt] == {"tp": 3, "fp": 2, "fn": 1}
    found = [site.detections(image)["1.0"] for image in site.images()]
    seen = [detections for detections in found if len(detections)]
    assert (len(found), len(seen)) == (IMAGES, BATCH - 1)  # nothing in the first of a batch
    for detections in seen:
        check_seen(site, detections)
    node = site.node(trainer)
    assert node is not None
    assert (node.kind, node.status["state"], node.online) == ("trainer", "idle", True)


def test_a_trainer_goes_on_from_a_model_of_the_loop(site: Site, version: str) -> None:
    base = site.publish_model()
    trainer = site.start("trainer", version)
    trainer.finish_training()
    site.label(IMAGES)
    training = ended(site, begin(site, trainer, base_model_id=base), trainer)
    assert (training.state, training.errors) == ("finished", {})
    assert f"downloading model {base} as mocked" in trainer.log


def test_a_stopped_trainer_uploads_the_model_that_it_has(site: Site, version: str) -> None:
    trainer = site.start("trainer", version)
    site.label(IMAGES)
    training_id = begin(site, trainer)
    site.until(lambda: is_running(site, training_id), "the trainer trains", trainer)
    site.client.send(stop_training(training_id))
    training = ended(site, training_id, trainer)
    assert (training.state, training.errors) == ("stopped", {})
    assert trainer.performed == STAGES
    (model,) = site.client.send(project_models(site.project.id)).items
    assert sorted(model.formats) == ["mocked", "mocked_2"]


def test_an_aborted_trainer_drops_its_model_and_is_idle_again(site: Site, version: str) -> None:
    trainer = site.start("trainer", version)
    site.label(IMAGES)
    training_id = begin(site, trainer)
    site.until(lambda: is_running(site, training_id), "the trainer trains", trainer)
    site.client.send(abort_training(training_id))
    training = ended(site, training_id, trainer)
    assert training.state == "aborted"
    assert site.client.send(project_models(site.project.id)).items == ()
