"""The published README's lines for detectors, and what becomes of them at the loop."""

import json
from pathlib import Path

import pytest

from fakes import jpeg
from peers import shell
from peers.acts import runs
from peers.node import PublishedNode
from peers.site import Site

pytestmark = [pytest.mark.peers, pytest.mark.timeout(900)]

DETECT = {
    "0.11.1": "curl --request POST -F 'file=@test.jpg' localhost:8004/detect",
    "0.27.0": (
        "curl --request POST -F 'file=@test.jpg' -H 'autoupload: all' -H 'camera_id: front_cam' "
        "localhost:8004/detect"
    ),
}
UPLOAD = """curl -X POST -F 'files=@test.jpg' "http://localhost:/upload\""""
MODEL_VERSION = "curl http://localhost/model_version"
USE_1_0 = 'curl -X PUT -d "1.0" http://localhost/model_version'
FOLLOW = 'curl -X PUT -d "follow_loop" http://localhost/model_version'
PAUSE = 'curl -X PUT -d "pause" http://localhost/model_version'
OUTBOX_MODE = "curl http://localhost/outbox_mode"
UPLOAD_ON = 'curl -X PUT -d "continuous_upload" http://localhost/outbox_mode'
UPLOAD_OFF = 'curl -X PUT -d "stopped" http://localhost/outbox_mode'
HOSTS = ("localhost:8004", "http://localhost:", "http://localhost")


def curl(detector: PublishedNode, line: str, *, more: str = "") -> str:
    """What the node answers to a line of the README."""
    host = next(host for host in HOSTS if host in line)
    return shell.run(line, at=detector.url, instead_of=host, folder=detector.folder, more=more)


def picture(detector: PublishedNode, *, seed: int) -> None:
    """Put another ``test.jpg`` where the lines look for it."""
    (Path(detector.folder) / "test.jpg").write_bytes(jpeg(seed=seed))


def test_the_lines_are_those_of_the_published_readme(version: str) -> None:
    readme = shell.readme_of(version)
    lines = (DETECT[version], UPLOAD, MODEL_VERSION, USE_1_0, FOLLOW, PAUSE)
    assert all(line in readme for line in (*lines, OUTBOX_MODE, UPLOAD_ON, UPLOAD_OFF))


def test_a_detector_uses_the_version_that_it_is_told(site: Site, version: str) -> None:
    models = [site.publish_model(), site.publish_model()]
    site.deploy(models[1])
    detector = site.start("detector", version)
    site.until(lambda: runs(detector, "2.0"), "the target is in service", detector)
    assert json.loads(curl(detector, MODEL_VERSION))["loop_version"] == "2.0"
    curl(detector, USE_1_0)
    site.until(lambda: runs(detector, "1.0"), "the wanted version is in service", detector)
    curl(detector, FOLLOW)
    site.until(lambda: runs(detector, "2.0"), "the target is in service again", detector)
    curl(detector, PAUSE)
    assert json.loads(curl(detector, MODEL_VERSION))["version_control"] == "pause"


def test_a_detector_uploads_when_it_is_told(site: Site, version: str) -> None:
    site.deploy(site.publish_model())
    detector = site.start("detector", version)
    site.until(lambda: runs(detector, "1.0"), "the target is in service", detector)
    curl(detector, UPLOAD_OFF)
    assert curl(detector, OUTBOX_MODE) == "stopped"
    picture(detector, seed=1)
    seen = json.loads(curl(detector, DETECT[version], more="-H 'autoupload: all'"))
    assert [box["category_name"] for box in seen["box_detections"]] == ["bolt"]
    picture(detector, seed=2)
    curl(detector, UPLOAD)
    assert site.images() == []
    curl(detector, UPLOAD_ON)
    site.until(lambda: len(site.images("inbox")) == 2, "both images arrive", detector)
