"""Published detectors at work."""

import pytest

from peers.acts import check_seen, runs, take_pictures
from peers.site import Site

pytestmark = [pytest.mark.peers, pytest.mark.timeout(900)]


def test_a_detector_follows_the_target_and_its_images_arrive(site: Site, version: str) -> None:
    models = [site.publish_model(), site.publish_model()]
    first = site.deploy(models[0])
    detector = site.start("detector", version)
    site.until(lambda: runs(detector, first), "the first model is in service", detector)
    second = site.deploy(models[1])
    site.until(lambda: runs(detector, second), "the second model is in service", detector)
    take_pictures(detector)
    site.until(lambda: len(site.images("inbox")) == 2, "both images arrive", detector)
    by_source = {image.source == "belt": image for image in site.images()}
    assert by_source[False].tags == ("dusk", "rain")
    check_seen(site, site.detections(by_source[False])[second])
    assert by_source[True].tags == ("picked_by_system",)
    node = site.node(detector)
    assert node is not None
    assert (node.kind, node.project, node.online) == ("detector", site.project.name, True)
