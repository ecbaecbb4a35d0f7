"""Published nodes of both versions at work at the same time, in one project."""

from functools import partial

import pytest

from edgeloop.client.calls.models import project_models
from peers import isolation
from peers.acts import IMAGES, begin, ended, gesture, is_running, runs, take_pictures
from peers.node import PublishedNode
from peers.published import VERSIONS
from peers.site import Site

pytestmark = [
    pytest.mark.peers,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not isolation.is_possible(),
        reason="the published clients share names below /tmp: several need mount namespaces",
    ),
]


def both(site: Site, kind: str) -> list[PublishedNode]:
    """One node of each version."""
    return [site.start(kind, version) for version in VERSIONS]


def test_detectors_trainers_and_annotators_of_both_versions_work_at_once(site: Site) -> None:
    deployed = site.deploy(site.publish_model())
    site.label(IMAGES)
    labelled = site.images()
    trainers, detectors = both(site, "trainer"), both(site, "detector")
    annotators = both(site, "annotator")
    trainings = [begin(site, trainer) for trainer in trainers]
    site.until_known(*annotators)
    for training in trainings:
        site.until(partial(is_running, site, training), "all trainers train", *trainers)
    for number, detector in enumerate(detectors):
        site.until(partial(runs, detector, deployed), "the model is in service", detector)
        take_pictures(detector, seed=100 + 10 * number)
    for annotator, image in zip(annotators, labelled, strict=False):
        assert gesture(site, annotator, image.id).startswith("<polygon")
    site.until(lambda: len(site.images("inbox")) == 4, "all images arrive", *detectors)
    for trainer in trainers:
        trainer.finish_training()
    for trainer, training in zip(trainers, trainings, strict=True):
        assert ended(site, training, trainer).state == "finished"
    made = site.client.send(project_models(site.project.id)).items
    assert {model.version: len(model.formats) for model in made} == {"1.0": 1, "2.0": 2, "3.0": 2}
    for image in site.images():
        assert {"2.0", "3.0"} <= set(site.detections(image))
    annotated = [image for image in site.images() if image.annotations.segmentations]
    assert len(annotated) == len(annotators)
