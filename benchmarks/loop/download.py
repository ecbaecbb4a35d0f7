"""Images down over 8 connections, as trainers fetch them."""

import json
from collections.abc import Sequence

from stream.rows import Row

from loop.http import Connection, in_parallel
from loop.ingest import PER_REQUEST, create_project, upload
from loop.pictures import SIZE
from loop.site import ORGANIZATION, PROJECT, Site

CONNECTIONS = 8
STORED = 1000
_PROJECT = f"/api/{ORGANIZATION}/projects/{PROJECT}"


def measure(site: Site) -> Sequence[Row]:
    """Images per second, those of a bare server, and the loop's CPU time for one."""
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
        fetched = Fetching(requests)
        in_parallel(connections, fetched.fetch, 1.0)
        before = server.cpu_s()
        count, seconds = in_parallel(connections, fetched.fetch, site.seconds)
        cpu_s = server.cpu_s() - before
    limit = _bare(site)
    return [
        Row("download, 8 connections (goal >= 800)", "images/s", count / seconds, limit=limit),
        Row("download, CPU of the loop", "ms/image", cpu_s / count * 1000),
    ]


class Fetching:
    """Sends requests in turns."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self._requests = requests

    def fetch(self, connection: Connection, turn: int) -> None:
        """The request whose turn it is."""
        connection.send(self._requests[turn % len(self._requests)])


def _bare(site: Site) -> float:
    with site.bare(SIZE) as server:
        connections = [server.connect(log_in=False) for _ in range(CONNECTIONS)]
        fetching = Fetching([connections[0].request("GET", "/x")])
        count, seconds = in_parallel(connections, fetching.fetch, min(5.0, site.seconds))
    return count / seconds
