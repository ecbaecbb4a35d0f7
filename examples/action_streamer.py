"""A robot streams what it sees; whoever connects watches it on a page of their own.

python examples/action_streamer.py --server                the robot: camera, video or drawn frames
python examples/action_streamer.py --client --ip ROBOT     who watches: open the page that it names
"""

import argparse
import itertools
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from edgeloop.imaging import encode_jpeg
from edgeloop.stream import ActionClient, ActionConfig, ActionServer, Message
from edgeloop.types import ImageArray

FRAMES_PER_S = 15
WIDTH, HEIGHT = 640, 480
PAGE = b"""<!doctype html><title>Robot</title>
<body style="margin:2em;font-family:sans-serif;background:#111;color:#eee">
<img src="/frames" style="max-width:100%"><p>
<button onclick="fetch('/mirror', {method: 'POST'})">Mirror</button>"""


def config_at(port: int) -> ActionConfig:
    """What the robot sees and does; the same on both sides."""
    return ActionConfig(port, action_keys=["mirror"], observation_keys=["image"])


def serve(arguments: argparse.Namespace) -> None:
    """Publish frames, and do what clients ask for."""
    robot = Robot()
    url = f"tcp://{arguments.ip}:{arguments.port}"
    config = config_at(arguments.port)
    with ActionServer(config, robot.observe, robot.act, url=url) as server:
        print(f"streaming at {server.url}", flush=True)
        pause = threading.Event()
        for frame in itertools.islice(frames(arguments.source), arguments.frames):
            server.publish_obs(robot.see(frame))
            pause.wait(1 / FRAMES_PER_S)


def watch(arguments: argparse.Namespace) -> None:
    """Show the robot's frames on a page at a local port."""
    shown = Shown()
    with (
        ActionClient(arguments.ip, config_at(arguments.port), wait_for_server_s=60) as robot,
        ThreadingHTTPServer(("127.0.0.1", arguments.page), page_of(shown, robot)) as page,
    ):
        threading.Thread(target=page.serve_forever, daemon=True).start()
        print(f"watch at http://127.0.0.1:{page.server_port}/", flush=True)
        robot.register_obs_callback(lambda seen: shown.put(encode_jpeg(seen["image"])))
        shown.wait_for(arguments.frames)
        page.shutdown()
    print(f"{shown.number} frames came")


class Robot:
    """Has seen a frame, and shows it mirrored or not."""

    def __init__(self) -> None:
        self.frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        self.is_mirrored = False

    def see(self, frame: ImageArray) -> Message:
        """Take a new frame: what is published of it."""
        self.frame = frame
        return self.observe({"image"})

    def observe(self, keys: set[str]) -> Message:
        """What clients get that ask."""
        return {"image": self.frame[:, ::-1] if self.is_mirrored else self.frame}

    def act(self, key: str, payload: Message) -> Message:
        """Mirror from now on, or no longer."""
        self.is_mirrored = not self.is_mirrored
        return {"is_mirrored": self.is_mirrored}


class Shown:
    """The newest frame as a JPEG, for as many viewers as there are."""

    def __init__(self) -> None:
        self.number = 0
        self.jpeg = b""
        self.changed = threading.Condition()

    def put(self, jpeg: bytes) -> None:
        """Show a frame."""
        with self.changed:
            self.number, self.jpeg = self.number + 1, jpeg
            self.changed.notify_all()

    def after(self, number: int) -> tuple[int, bytes]:
        """The number of the newest frame and the frame, once there is one after ``number``."""
        with self.changed:
            self.changed.wait_for(lambda: self.number > number)
            return self.number, self.jpeg

    def wait_for(self, number: int | None) -> None:
        """Return once so many frames came; without a number, never."""
        with self.changed:
            self.changed.wait_for(lambda: number is not None and self.number >= number)


def page_of(shown: Shown, robot: ActionClient) -> type[BaseHTTPRequestHandler]:
    """A page with the frames as MJPEG and a button."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            is_stream = self.path == "/frames"
            kind = "multipart/x-mixed-replace; boundary=frame" if is_stream else "text/html"
            self.send_header("Content-Type", kind)
            self.end_headers()
            if not is_stream:
                self.wfile.write(PAGE)
                return
            number = 0
            with suppress(ConnectionError):
                while True:
                    number, jpeg = shown.after(number)
                    self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n")
                    self.wfile.write(jpeg + b"\r\n")

        def do_POST(self) -> None:
            robot.act("mirror")
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Stay silent."""

    return Page


def frames(source: str) -> Iterator[ImageArray]:
    """RGB frames without end: of a camera by its number, of a video file, or drawn."""
    if source == "drawn":
        return (drawn(number) for number in itertools.count())
    return captured(source)


def captured(source: str) -> Iterator[ImageArray]:
    """Frames of a camera or, again and again, of a video file."""
    import cv2

    video = cv2.VideoCapture(int(source) if source.isdigit() else source)
    failures = 0
    while failures < 2:
        has_frame, frame = video.read()
        if has_frame:
            failures = 0
            yield np.asarray(frame[..., ::-1], np.uint8)
        else:
            failures += 1
            video.set(cv2.CAP_PROP_POS_FRAMES, 0)
    raise SystemExit(f"{source} gives no frames: is it a camera's number or a video file?")


def drawn(number: int) -> ImageArray:
    """A ball on its way, and the number of the frame."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "#234")
    pen = ImageDraw.Draw(image)
    x, y = 40 + abs(number * 7 % 1120 - 560), 220 + 160 * np.sin(number / 9)
    pen.ellipse([x - 30, y - 30, x + 30, y + 30], fill="#fa3")
    pen.text((20, 20), f"frame {number}", fill="white", font=ImageFont.load_default(28))
    return np.asarray(image)


def default_source() -> str:
    """The first camera, where there is one and OpenCV to read it."""
    has_camera = Path("/dev/video0").exists() and find_spec("cv2") is not None
    return "0" if has_camera else "drawn"


def parse() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="A robot's frames on a page elsewhere.")
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--server", action="store_true", help="the robot")
    mode.add_argument("--client", action="store_true", help="who watches")
    parser.add_argument("--ip", default="127.0.0.1", help="of the robot; 0.0.0.0 there")
    parser.add_argument("--port", type=int, default=5556, help="of the robot, %(default)s")
    parser.add_argument(
        "--source",
        default=default_source(),
        help="a camera's number, a video file, or 'drawn'; here %(default)s",
    )
    parser.add_argument("--page", type=int, default=8090, help="port of the page, %(default)s")
    parser.add_argument("--frames", type=int, help="end after so many")
    return parser.parse_args()


if __name__ == "__main__":
    chosen = parse()
    with suppress(KeyboardInterrupt):
        serve(chosen) if chosen.server else watch(chosen)
