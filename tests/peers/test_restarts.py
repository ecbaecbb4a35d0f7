"""The loop is killed and started again while published nodes work for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeloop.client.calls.models import project_models
from edgeloop.demo.processes import EdgeloopProcess
from peers.acts import IMAGES, begin, ended, is_running, runs, take_pictures
from peers.site import Site, site_at
from processes import StartLoop, settings_for

pytestmark = [pytest.mark.peers, pytest.mark.timeout(900)]


@pytest.fixture
def mortal_loop(start_loop: StartLoop) -> EdgeloopProcess:
    """A loop that no other story needs."""
    return start_loop()


@pytest.fixture
def site(mortal_loop: EdgeloopProcess, tmp_path: Path) -> Iterator[Site]:
    """A project at that loop."""
    settings = settings_for(mortal_loop.url.removeprefix("http://"))
    with site_at(settings, tmp_path, is_elsewhere=False) as made:
        yield made


def test_a_detector_and_a_trainer_come_back_and_finish_after_the_loop_was_killed(
    site: Site, mortal_loop: EdgeloopProcess, version: str
) -> None:
    models = [site.publish_model(), site.publish_model()]
    first = site.deploy(models[0])
    detector, trainer = site.start("detector", version), site.start("trainer", version)
    site.label(IMAGES)
    training_id = begin(site, trainer)
    site.until(lambda: runs(detector, first), "the first model is in service", detector)
    site.until(lambda: is_running(site, training_id), "the trainer trains", trainer)
    before = site.node(trainer)
    mortal_loop.kill()
    take_pictures(detector)
    trainer.finish_training()
    mortal_loop.start()
    second = site.deploy(models[1])
    training = ended(site, training_id, trainer)
    assert (training.state, training.errors) == ("finished", {})
    site.until(lambda: runs(detector, second), "the second model is in service", detector)
    site.until(lambda: len(site.images("inbox")) == 2, "both images arrive", detector)
    trained = site.client.send(project_models(site.project.id)).items[0]
    assert trained.training_id == training_id
    assert sorted(trained.formats) == ["mocked", "mocked_2"]
    after = site.node(trainer)
    assert before is not None
    assert after is not None
    assert after.last_seen > before.last_seen
