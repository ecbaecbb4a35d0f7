"""The loop is killed while people annotate."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from campaigns import Campaign, until
from edgeloop.client import LoopClient
from edgeloop.client.call import Call
from edgeloop.client.calls.annotations import annotate
from edgeloop.client.calls.images import image_ids, upload_images
from edgeloop.client.calls.projects import create_project
from edgeloop.errors import LoopUnreachable
from edgeloop.protocol.routes import V1
from edgeloop.types import Annotations, BoxAnnotation, ImageMetadata
from fakes import jpeg
from processes import settings_for

PEOPLE = 4
_SETTLE_S = 0.3


@dataclass
class Person:
    """Draws a box in one image again and again; its place tells the how-manieth it is."""

    image_id: str
    category_id: str
    client: LoopClient
    acknowledged: int = 0
    is_waiting: bool = False
    has_drawn: threading.Event = field(default_factory=threading.Event)

    def draw(self) -> None:
        """Annotate until the loop does not answer any more."""
        self.has_drawn.clear()
        try:
            while True:
                self.is_waiting = True
                self.client.send(
                    annotate(
                        self.image_id, self.box(self.acknowledged + 1), version=self.acknowledged
                    )
                )
                self.is_waiting = False
                self.acknowledged += 1
                self.has_drawn.set()
        except LoopUnreachable:
            self.has_drawn.set()

    def box(self, number: int) -> Annotations:
        """The box with this number."""
        place = (number % 30, number // 30 % 20)
        return Annotations(boxes=(BoxAnnotation(self.category_id, *place, 5, 5),))


@contextmanager
def people(campaign: Campaign) -> Iterator[list[Person]]:
    """A person and an image for each."""
    settings = settings_for(campaign.loop.url)
    with ExitStack() as stack:
        clients = [stack.enter_context(LoopClient(settings)) for _ in range(PEOPLE)]
        project = clients[0].send(create_project("o", "p", [{"name": "bolt"}]))
        pairs = [(ImageMetadata(f"frame-{n}"), jpeg(seed=n)) for n in range(PEOPLE)]
        clients[0].send(upload_images("o", "p", pairs, login=True))
        ids = clients[0].send(image_ids("o", "p"))
        category = project.category_ids()["bolt"]
        yield [
            Person(image_id, category, client)
            for image_id, client in zip(ids, clients, strict=True)
        ]


def is_answering(campaign: Campaign, anyone: list[Person]) -> bool:
    """Whether the frozen loop has read a request that it has not answered.

    Everybody's next request is on its way by now: one that the loop has read leaves nothing in its
    connection, nor is there an answer on the other side that somebody has not read yet.
    """
    threading.Event().wait(_SETTLE_S)
    port = urlsplit(campaign.loop.url).port
    waiting = queues(port or 0)
    return all(person.is_waiting for person in anyone) and 0 in waiting


def queues(port: int) -> list[int]:
    """How many bytes wait unread in each connection to a port, on both sides together."""
    unread: dict[int, int] = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, queue, *_ = line.split()
        ends = [int(end.rpartition(":")[2], 16) for end in (local, remote)]
        if state == "01" and port in ends:
            other = ends[1] if ends[0] == port else ends[0]
            sent, received = (int(part, 16) for part in queue.split(":"))
            unread[other] = unread.get(other, 0) + sent + received
    return list(unread.values())


def draw_until_killed(campaign: Campaign, everybody: list[Person]) -> bool:
    """Let everybody draw until the loop is killed; says whether it was at a request."""
    threads = [threading.Thread(target=person.draw) for person in everybody]
    for thread in threads:
        thread.start()
    assert until(lambda: all(person.has_drawn.is_set() for person in everybody))
    campaign.wait(0.2)
    campaign.freeze()
    hit = is_answering(campaign, everybody)
    campaign.loop.kill()
    for thread in threads:
        thread.join()
    return hit


def assert_kept(person: Person) -> None:
    """What was acknowledged is there whole, or what was on its way then."""
    path = f"{V1}/images/{person.image_id}"
    image = person.client.send(Call("GET", path, lambda answer: answer.json()))
    version = image["annotation_version"]
    assert version in {person.acknowledged, person.acknowledged + 1}
    (box,) = image["box_annotations"]
    (expected,) = person.box(version).boxes
    assert (box["x"], box["y"]) == (expected.x, expected.y)
    person.acknowledged = version


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_acknowledged_annotation_is_there_after_the_loop_was_killed(
    campaign: Campaign,
) -> None:
    campaign.figures.step = "a change of annotations"
    with people(campaign) as everybody:
        while campaign.goes_on:
            before = sum(person.acknowledged for person in everybody)
            hit = draw_until_killed(campaign, everybody)
            campaign.figures.acknowledged += sum(p.acknowledged for p in everybody) - before
            campaign.figures.cut += sum(person.is_waiting for person in everybody)
            campaign.kill_and_restart(hit=hit)
            for person in everybody:
                assert_kept(person)
    campaign.finish()
