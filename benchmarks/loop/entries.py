"""What the loop knows of images as JSON: 100 per call, as trainers ask."""

import json
from collections.abc import Sequence

from stream.rows import Row

from loop.download import Fetching, fetched_bare
from loop.filling import fill
from loop.site import ORGANIZATION, PROJECT, Site

PER_CALL = 100
STORED = 5000
CONNECTIONS = 4
_PROJECT = f"/api/{ORGANIZATION}/projects/{PROJECT}"


def measure(site: Site) -> Sequence[Row]:
    """Entries per second and the CPU time for one; the limit sends as many bytes from memory."""
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
        done = server.watched(connections, fetching.fetch, site.seconds)
    bare = fetched_bare(site, answer_bytes, connections=CONNECTIONS)
    rate, limit = done.rate * PER_CALL, bare.rate * PER_CALL
    cpu_us, limit_us = done.cpu_ms(PER_CALL) * 1000, bare.cpu_ms(PER_CALL) * 1000
    return [
        Row("JSON of images, 100 per call", "entries/s", rate, limit=limit, goal=20_000),
        Row("JSON of images, CPU", "us/entry", cpu_us, limit=limit_us),
    ]
