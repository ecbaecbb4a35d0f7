"""The loop is killed while images arrive."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from campaigns import Campaign, until
from edgeloop.client import LoopClient
from edgeloop.client.calls.images import image_file, image_ids, image_records, upload_images
from edgeloop.client.calls.projects import create_project
from edgeloop.errors import LoopUnreachable
from edgeloop.types import ImageMetadata
from fakes import jpeg
from processes import settings_for

BATCH = 5
Pairs = list[tuple[ImageMetadata, bytes]]


def batch(number: int) -> Pairs:
    names = [f"frame-{number}-{place}" for place in range(BATCH)]
    return [
        (ImageMetadata(name, tags=(name,)), jpeg(320, 240, seed=number * BATCH + place))
        for place, name in enumerate(names)
    ]


@contextmanager
def frozen_inside(campaign: Campaign, armed: threading.Event) -> Iterator[None]:
    """From the moment that it is armed, stop the loop soon after it began to store files."""

    def freeze() -> None:
        armed.wait()
        until(lambda: bool(campaign.intents))
        campaign.wait(0.02)
        campaign.freeze()
        campaign.loop.kill()

    thread = threading.Thread(target=freeze)
    thread.start()
    try:
        yield
    finally:
        armed.set()
        thread.join()


def upload_until_killed(client: LoopClient, campaign: Campaign, first: int) -> int:
    """Upload batches until one is cut off; says how many were acknowledged, of all."""
    number, armed = first, threading.Event()
    with frozen_inside(campaign, armed):
        while True:
            try:
                client.send(upload_images("o", "p", batch(number), login=True))
            except LoopUnreachable:
                return number
            number += 1
            armed.set()


def stored(campaign: Campaign) -> set[str]:
    """The hashes of all images that have a file."""
    return {path.stem for path in (campaign.folder / "files" / "images").rglob("*.jpg")}


def hashes(batches: int) -> set[str]:
    """The hashes of all images of the first batches."""
    return {hashlib.sha256(data).hexdigest() for n in range(batches) for _, data in batch(n)}


def assert_all_there(client: LoopClient, batches: int) -> None:
    """Each frame of these batches is there once, with its bytes."""
    ids = client.send(image_ids("o", "p"))
    expected = {metadata.frame_id: image for n in range(batches) for metadata, image in batch(n)}
    assert len(ids) == len(expected)
    for start in range(0, len(ids), 100):
        for record in client.send(image_records("o", "p", ids[start : start + 100])):
            image = client.send(image_file("o", "p", record.id))
            assert image == expected.pop(record.frame_id)
    assert not expected


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_acknowledged_image_is_there_once_after_the_loop_was_killed(
    campaign: Campaign,
) -> None:
    campaign.figures.step = "an upload of images"
    sent = 0
    with LoopClient(settings_for(campaign.loop.url)) as client:
        client.send(create_project("o", "p", [{"name": "bolt"}]))
        while campaign.goes_on:
            acknowledged = upload_until_killed(client, campaign, sent)
            campaign.figures.acknowledged += (acknowledged - sent) * BATCH
            campaign.kill_and_restart(hit=bool(campaign.intents))
            batches, rest = divmod(len(client.send(image_ids("o", "p"))), BATCH)
            assert rest == 0  # a request is stored whole or not at all
            assert batches in {acknowledged, acknowledged + 1}  # its answer may have been cut off
            assert stored(campaign) == hashes(batches)  # no file is lost, none is left over
            client.send(upload_images("o", "p", batch(acknowledged), login=True))
            campaign.figures.cut += BATCH
            sent = acknowledged + 1
        assert_all_there(client, sent)
    campaign.finish()
