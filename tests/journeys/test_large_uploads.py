"""Uploads that are larger than what the loop may hold in memory."""

import hashlib
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from pydantic import SecretStr

from edgeloop.client import ClientSettings, LoopClient
from edgeloop.client.calls.images import image_ids, upload_images
from edgeloop.client.calls.projects import create_project
from edgeloop.imaging import encode_jpeg
from edgeloop.protocol import routes
from edgeloop.types import ImageMetadata
from processes import PASSWORD, StartLoop

COUNT, SIZE = 20, 10_000_000
ROOM = 100_000_000
"""Half of what is sent."""


def large_jpeg() -> bytes:
    """A JPEG of noise with ``SIZE`` bytes: filled up with comments."""
    pixels = np.random.default_rng(1).integers(0, 256, (1500, 2000, 3), dtype=np.uint8)
    data = encode_jpeg(pixels, quality=95)
    missing = SIZE - len(data)
    comments = [b"\xff\xfe\xff\xff" + bytes(65_533)] * (missing // 65_537)
    return data[:2] + b"".join(comments) + data[2:]


def with_comment(jpeg: bytes, text: str) -> bytes:
    """The same picture in other bytes."""
    comment = text.encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + jpeg[2:]


@pytest.mark.slow
def test_a_large_upload_is_streamed_to_the_disk(start_loop: StartLoop) -> None:
    loop = start_loop()
    settings = ClientSettings(host=loop.url, username="admin", password=SecretStr(PASSWORD))
    base = large_jpeg()
    images = [with_comment(base, f"number {number}") for number in range(COUNT)]
    assert sum(map(len, images)) > COUNT * SIZE * 0.99
    (process,) = [p for p in psutil.Process().children() if "loop" in p.cmdline()]
    with LoopClient(settings) as client:
        client.send(create_project("o", "p", [{"name": "bolt"}]))
        client.send(upload_images("o", "p", [(ImageMetadata("warm"), base)], login=True))
        before = process.memory_info().rss
        pairs = [(ImageMetadata(f"frame-{n}"), image) for n, image in enumerate(images)]
        ids = client.send(upload_images("o", "p", pairs, login=True))
        assert peak_of(process) - before < ROOM
        assert len(client.send(image_ids("o", "p"))) == COUNT + 1
        with httpx.Client(base_url=loop.url) as plain:
            form = {"username": "admin", "password": PASSWORD}
            assert plain.post(routes.LOGIN, data=form).status_code == 200
            got = plain.get(routes.image_file("o", "p", ids[-1])).content
        assert hashlib.sha256(got).digest() == hashlib.sha256(images[-1]).digest()


def peak_of(process: psutil.Process) -> int:
    """The most memory that it ever held, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
