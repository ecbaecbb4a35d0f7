"""What the loop knows of images as JSON: 100 per call, as trainers ask."""

import json
from collections.abc import Sequence

from stream.rows import Row

from loop.download import Fetching
from loop.filling import fill
from loop.http import in_parallel
from loop.site import ORGANIZATION, PROJECT, Site

PER_CALL = 100
STORED = 5000
CONNECTIONS = 4
_PROJECT = f"/api/{ORGANIZATION}/projects/{PROJECT}"


def measure(site: Site) -> Sequence[Row]:
    """Entries per second, those of a bare server with answers of that size, and CPU time."""
    fill(site.data_folder, STORED)
    with site.loop() as server:
        connections = [server.connect() for _ in range(CONNECTIONS)]
        ids = json.loads(connections[0].get(f"{_PROJECT}/data"))["image_ids"]
        paths = [
            f"{_PROJECT}/images?ids={','.join(ids[start : start + PER_CALL])}"
            for start in range(0, len(ids), PER_CALL)
        ]
        fetching = Fetching([connections[0].request("GET", path) for path in paths])
        answer_bytes = len(connections[0].get(paths[0]))
        in_parallel(connections, fetching.fetch, 1.0)
        before = server.cpu_s()
        count, seconds = in_parallel(connections, fetching.fetch, site.seconds)
        cpu_s = server.cpu_s() - before
    entries = count * PER_CALL
    limit = _bare(site, answer_bytes)
    return [
        Row("JSON of images (goal >= 20000)", "entries/s", entries / seconds, limit=limit),
        Row("JSON of images, CPU of the loop", "us/entry", cpu_s / entries * 1e6),
    ]


def _bare(site: Site, answer_bytes: int) -> float:
    with site.bare(answer_bytes) as server:
        connections = [server.connect(log_in=False) for _ in range(CONNECTIONS)]
        fetching = Fetching([connections[0].request("GET", "/x")])
        count, seconds = in_parallel(connections, fetching.fetch, min(5.0, site.seconds))
    return count * PER_CALL / seconds
