"""The loop's disk is full."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeloop.client import LoopClient
from edgeloop.client.calls.images import image_ids, upload_images
from edgeloop.client.calls.projects import create_project
from edgeloop.errors import StorageFull
from edgeloop.types import ImageMetadata
from fakes import jpeg
from processes import StartLoop, edgeloop, settings_for

pytestmark = pytest.mark.root


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def pair(number: int) -> tuple[ImageMetadata, bytes]:
    return ImageMetadata(f"frame-{number}"), jpeg(1600, 1200, seed=number)


def fill(client: LoopClient, accepted: list[str]) -> None:
    for number in range(100):
        accepted.extend(client.send(upload_images("o", "p", [pair(number)], login=True)))


def test_a_full_disk_refuses_images_and_keeps_all_that_it_accepted(
    start_loop: StartLoop, small_disk: Path
) -> None:
    loop = start_loop(small_disk)
    accepted: list[str] = []
    with LoopClient(settings_for(loop.url)) as client:
        client.send(create_project("o", "p", [{"name": "bolt"}]))
        with pytest.raises(StorageFull, match="free some disk space"):
            fill(client, accepted)
        assert accepted
        assert sorted(client.send(image_ids("o", "p"))) == sorted(accepted)
        assert not list(small_disk.rglob(".draft-*"))


def test_a_loop_that_has_no_space_to_start_says_what_to_do(small_disk: Path) -> None:
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(4096))
            except OSError:
                break
    ended = edgeloop("loop", "--port", "0", "--data-folder", small_disk / "loop")
    assert ended.returncode == 2
    assert "free some disk space" in ended.stderr
    assert "Traceback" not in ended.stderr
