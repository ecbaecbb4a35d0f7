"""Images up: 20 per request, 60 kB each, as detectors send them."""

import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stream.rows import Row

from loop.http import Connection
from loop.pictures import picture
from loop.site import ORGANIZATION, PROJECT, Site

PER_REQUEST = 20
UPLOADERS = 4
_BOUNDARY = "x" * 32
_PATH = f"/api/{ORGANIZATION}/projects/{PROJECT}/images"


def measure(site: Site) -> Sequence[Row]:
    """Images per second, of which the disk is the limit, and the CPU time for one.

    Of that the limit is a server that reads the same bodies and forgets them.
    """
    with site.loop() as server:
        connections = [server.connect() for _ in range(UPLOADERS)]
        create_project(connections[0])
        for number in range(3):
            upload(connections[0], 10_000_000 + number)
        done = server.watched(connections, upload, site.seconds)
    seconds = min(5.0, site.seconds)
    with site.bare(64) as server:
        connections = [server.connect(log_in=False) for _ in range(UPLOADERS)]
        bare = server.watched(connections, upload, seconds)
    written = _bare_writes(site.folder, seconds)
    rate, limit_ms = done.rate * PER_REQUEST, bare.cpu_ms(PER_REQUEST)
    return [
        Row("ingest, 20 per request, 60 kB each", "images/s", rate, limit=written, goal=400),
        Row("ingest, CPU", "ms/image", done.cpu_ms(PER_REQUEST), limit=limit_ms),
    ]


def create_project(connection: Connection) -> str:
    """The project of all measurements; returns its id."""
    categories = [{"name": name} for name in ("bolt", "nut", "ring")]
    body = {"organization": ORGANIZATION, "name": PROJECT, "categories": categories}
    request = connection.request("POST", "/api/v1/projects", json.dumps(body).encode())
    project_id: str = json.loads(connection.send(request))["id"]
    return project_id


def upload(connection: Connection, turn: int) -> None:
    """One request with images that the loop does not have."""
    parts = []
    for place in range(PER_REQUEST):
        number = turn * PER_REQUEST + place
        parts.append(_part(f"image_{number}.json", "text/plain", document(number)))
        parts.append(_part(f"image_{number}.jpg", "image/jpeg", picture(number)))
    body = b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()
    kind = f"multipart/form-data; boundary={_BOUNDARY}"
    connection.send(connection.request("POST", _PATH, body, kind=kind))


def document(number: int) -> bytes:
    """What a detector says of an image: three boxes."""
    box = {"category_name": "bolt", "y": 30, "width": 40, "height": 50, "model_name": "1.0"}
    boxes = [{**box, "x": 10 + 50 * n, "confidence": 0.3 + 0.2 * n} for n in range(3)]
    content = {
        "box_detections": boxes,
        "point_detections": [],
        "segmentation_detections": [],
        "classification_detections": [],
        "tags": ["uncertain"],
        "created": f"2026-01-01_12:00:{number % 60:02}.{number % 1_000_000:06}",
        "source": "line-1",
    }
    return json.dumps(content).encode()


def _part(name: str, kind: str, content: bytes) -> bytes:
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    )
    return head.encode() + content + b"\r\n"


def _bare_writes(folder: Path, seconds: float) -> float:
    """Files of the same size per second, each synced, by as many threads."""
    content = picture(0)
    ends = time.perf_counter() + seconds

    def write(thread: int) -> int:
        count = 0
        while time.perf_counter() < ends:
            path = folder / f"bare-{thread}-{count}"
            with path.open("wb", buffering=0) as file:
                file.write(content)
                os.fsync(file.fileno())
            count += 1
        return count

    began = time.perf_counter()
    with ThreadPoolExecutor(UPLOADERS) as threads:
        total = sum(threads.map(write, range(UPLOADERS)))
    return total / (time.perf_counter() - began)
