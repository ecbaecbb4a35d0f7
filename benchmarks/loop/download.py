"""Images down over 8 connections, as trainers fetch them."""

import json
from collections.abc import Sequence

from stream.rows import Row

from loop.http import Connection
from loop.ingest import PER_REQUEST, create_project, upload
from loop.pictures import SIZE
from loop.site import ORGANIZATION, PROJECT, Site, Work

CONNECTIONS = 8
STORED = 1000
_PROJECT = f"/api/{ORGANIZATION}/projects/{PROJECT}"


def measure(site: Site) -> Sequence[Row]:
    """Images per second and the CPU time for one; the limit answers from memory, to anybody."""
    with site.loop() as server:
        first = server.connect()
        create_project(first)
        for turn in range(STORED // PER_REQUEST):
            upload(first, turn)
        ids = json.loads(first.get(f"{_PROJECT}/data"))["image_ids"]
        connections = [server.connect() for _ in range(CONNECTIONS)]  # one left idle is closed
        requests = [
            connections[0].request("GET", f"{_PROJECT}/images/{image_id}/main") for image_id in ids
        ]
        done = server.watched(connections, Fetching(requests).fetch, site.seconds)
    bare = fetched_bare(site, SIZE, connections=CONNECTIONS)
    return [
        Row("download, 8 connections", "images/s", done.rate, limit=bare.rate, goal=800),
        Row("download, CPU", "ms/image", done.cpu_ms(), limit=bare.cpu_ms()),
    ]


class Fetching:
    """Sends requests in turns."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self._requests = requests

    def fetch(self, connection: Connection, turn: int) -> None:
        """The request whose turn it is."""
        connection.send(self._requests[turn % len(self._requests)])


def fetched_bare(site: Site, answer_bytes: int, *, connections: int) -> Work:
    """The same from a server that answers so many bytes without a look at what is asked."""
    with site.bare(answer_bytes) as server:
        asking = [server.connect(log_in=False) for _ in range(connections)]
        fetching = Fetching([asking[0].request("GET", "/x")])
        return server.watched(asking, fetching.fetch, min(5.0, site.seconds))
