"""Published annotators at work."""

import pytest

from edgeloop.client import Call
from edgeloop.client.call import nothing
from edgeloop.protocol.routes import V1
from edgeloop.types import SegmentationAnnotation
from peers.acts import gesture
from peers.site import Site

pytestmark = [pytest.mark.peers, pytest.mark.timeout(900)]


def polygons(site: Site) -> tuple[SegmentationAnnotation, ...]:
    """What the only image of the project has."""
    (image,) = site.images()
    return image.annotations.segmentations


def triangle(clicks: int) -> str:
    """What the annotator's logic draws there."""
    return f'<polygon points="3,4 13,4 3,14" data-clicks="{clicks}"/>'


def test_an_annotator_answers_a_click_and_its_annotation_arrives(site: Site, version: str) -> None:
    site.label(1)
    (image,) = site.images()
    annotator = site.start("annotator", version)
    site.until_known(annotator)
    assert gesture(site, annotator, image.id, event="mouse_move") == triangle(1)
    assert not polygons(site)
    assert gesture(site, annotator, image.id) == triangle(2)
    (polygon,) = polygons(site)
    assert list(polygon.points) == [(3, 4), (13, 4), (3, 14)]
    assert polygon.category_id == site.project.category_ids()["outline"]
    assert site.images()[0].annotations.boxes == image.annotations.boxes


def test_an_annotator_forgets_what_a_person_drew_at_escape_and_when_the_page_closes(
    site: Site, version: str
) -> None:
    site.label(1)
    (image,) = site.images()
    annotator = site.start("annotator", version)
    site.until_known(annotator)
    move = {"event": "mouse_move"}
    assert gesture(site, annotator, image.id, **move) == triangle(1)
    assert gesture(site, annotator, image.id, event="key_up", key_up="Escape") == ""
    assert gesture(site, annotator, image.id, **move) == triangle(1)
    path = f"{V1}/nodes/{annotator.id}/user_logout"
    site.client.send(Call("POST", path, nothing, json={"frontend_id": "page-1"}))
    assert gesture(site, annotator, image.id, **move) == triangle(1)


def test_an_annotator_that_is_told_to_restart_ends(site: Site, version: str) -> None:
    annotator = site.start("annotator", version)
    site.until_known(annotator)
    site.client.send(Call("POST", f"{V1}/nodes/{annotator.id}/restart", nothing))
    assert annotator.wait() == 0
