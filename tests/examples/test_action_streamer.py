"""The example of a robot that streams what it sees."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import cv2
import numpy as np
import pytest

from edgeloop.imaging import decode
from edgeloop.types import ImageArray
from scripts import Script

EXAMPLE = "action_streamer.py"
WAIT_S = 60


@pytest.fixture
def page() -> Iterator[str]:
    """The URL of a page on which drawn frames are shown."""
    with Script(EXAMPLE, "--server", "--port", 0, "--source", "drawn") as robot:
        port = robot.printed(r"streaming at tcp://.*:(\d+)")[1]
        with Script(EXAMPLE, "--client", "--port", port, "--page", 0) as watcher:
            yield watcher.printed(r"watch at (http://.*/)")[1]


def frames_of(stream: Any) -> Iterator[ImageArray]:
    """The images of an MJPEG stream."""
    data = b""
    while True:
        data += stream.read1()
        begin = data.find(b"\xff\xd8")
        end = data.find(b"\xff\xd9\r\n", begin)
        if 0 <= begin < end:
            yield decode(data[begin : end + 2])
            data = data[end + 2 :]


def is_mirrored(frame: ImageArray) -> bool:
    """Whether the words at the top are on the right."""
    top = frame[:60].max(axis=2) > 200
    return bool(top[:, 320:].any() and not top[:, :320].any())


def test_a_page_shows_the_frames_and_asks_the_robot_to_act(page: str) -> None:
    with urlopen(page, timeout=WAIT_S) as answer:
        assert b'<img src="/frames"' in answer.read()
    with urlopen(f"{page}frames", timeout=WAIT_S) as stream:
        frames = frames_of(stream)
        first = next(frames)
        assert first.shape == (480, 640, 3)
        assert not is_mirrored(first)
        with urlopen(Request(f"{page}mirror", method="POST"), timeout=WAIT_S) as answer:
            assert answer.status == 204
        assert any(is_mirrored(frame) for frame in frames)


def test_a_video_file_is_streamed_until_enough_frames_came(tmp_path: Path) -> None:
    video = tmp_path / "blue.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(3):
        writer.write(np.full((48, 64, 3), (255, 0, 0), np.uint8))  # BGR
    writer.release()
    with Script(EXAMPLE, "--server", "--port", 0, "--source", video) as robot:
        port = robot.printed(r"streaming at tcp://.*:(\d+)")[1]
        with Script(EXAMPLE, "--client", "--port", port, "--page", 0, "--frames", 5) as watcher:
            assert int(watcher.printed(r"(\d+) frames came")[1]) >= 5
            assert watcher.ended() == 0


def test_a_robot_ends_after_so_many_frames() -> None:
    with Script(EXAMPLE, "--server", "--port", 0, "--source", "drawn", "--frames", 3) as robot:
        assert robot.ended() == 0


def test_what_is_no_video_is_said(tmp_path: Path) -> None:
    with Script(EXAMPLE, "--server", "--port", 0, "--source", tmp_path / "none.avi") as robot:
        assert robot.ended() == 1
    assert "none.avi gives no frames" in robot.output
