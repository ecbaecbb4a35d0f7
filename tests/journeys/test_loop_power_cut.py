"""The loop is killed while images arrive."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pydantic import SecretStr

from edgeloop.client import ClientSettings, LoopClient
from edgeloop.client.calls.images import image_file, image_ids, image_records, upload_images
from edgeloop.client.calls.projects import create_project
from edgeloop.demo.processes import EdgeloopProcess
from edgeloop.errors import LoopUnreachable
from edgeloop.types import ImageMetadata
from fakes import jpeg
from processes import PASSWORD, StartLoop

KILLS, BATCHES, BATCH = 5, 40, 5
Pairs = list[tuple[ImageMetadata, bytes]]


def batch(number: int) -> Pairs:
    names = [f"frame-{number}-{place}" for place in range(BATCH)]
    return [
        (ImageMetadata(name, tags=(name,)), jpeg(320, 240, seed=number * BATCH + place))
        for place, name in enumerate(names)
    ]


@contextmanager
def killed_soon(process: EdgeloopProcess, *, after_s: float) -> Iterator[None]:
    timer = threading.Timer(after_s, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def upload_until_killed(client: LoopClient, loop: EdgeloopProcess, first: int) -> int:
    """Upload batches until one is cut off; says which was the last that was acknowledged."""
    number = first
    with killed_soon(loop, after_s=0.15 + 0.05 * first % 0.3):
        while True:
            try:
                client.send(upload_images("o", "p", batch(number), login=True))
            except LoopUnreachable:
                return number - 1
            number += 1


@pytest.mark.slow
def test_every_acknowledged_image_is_there_once_after_the_loop_was_killed(
    start_loop: StartLoop,
) -> None:
    loop = start_loop()
    settings = ClientSettings(host=loop.url, username="admin", password=SecretStr(PASSWORD))
    sent = 0
    with LoopClient(settings) as client:
        client.send(create_project("o", "p", [{"name": "bolt"}]))
        for _ in range(KILLS):
            acknowledged = upload_until_killed(client, loop, sent)
            loop.start()
            ids = client.send(image_ids("o", "p"))
            assert len(ids) >= (acknowledged + 1) * BATCH  # what was acknowledged is there
            sent = acknowledged + 1
            client.send(upload_images("o", "p", batch(sent), login=True))  # the cut one, again
            sent += 1
        ids = client.send(image_ids("o", "p"))
        assert len(ids) == sent * BATCH  # and nothing is there twice
        expected = {metadata.frame_id: image for n in range(sent) for metadata, image in batch(n)}
        for start in range(0, len(ids), 100):
            for record in client.send(image_records("o", "p", ids[start : start + 100])):
                image = client.send(image_file("o", "p", record.id))
                assert image == expected.pop(record.frame_id)
        assert not expected
