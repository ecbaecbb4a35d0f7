"""A list of 100,000 images, in pages of 100: by all filters, in all orders, near and deep."""

import json
import sqlite3
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlencode

from stream.rows import Row

from loop.filling import fill
from loop.http import Connection
from loop.site import Site

IMAGES = 100_000
LIMIT = 100
FILTERS: dict[str, dict[str, object]] = {
    "no filter": {},
    "state": {"state": "inbox"},
    "rare state": {"state": "trash"},
    "set": {"set": "test"},
    "two tags": {"tag": ["night", "rain"]},
    "unknown tag": {"tag": "none"},
    "category": {"category": "bolt"},
    "camera": {"camera": "camera-7"},
    "unknown camera": {"camera": "none"},
    "source": {"source": "line-3", "state": "complete"},
    "day": {"received_from": "2026-01-10", "received_to": "2026-01-11"},
    "confidence": {"min_confidence": 0.4, "max_confidence": 0.6},
    "model": {"model_version": "2.0"},
    "model, confidence": {"model_version": "1.0", "max_confidence": 0.3},
    "model, category": {"model_version": "1.0", "category": "nut", "state": "inbox"},
    "unknown model": {"model_version": "9.9"},
    "frame": {"frame_id": "frame-77777"},
    "all together": {
        "state": "inbox",
        "set": "train",
        "tag": "night",
        "category": "bolt",
        "camera": "camera-7",
        "model_version": "1.0",
    },
}
SORTS = ("received", "-received", "created", "-confidence", "confidence", "-novelty")
DEEP = 5
"""So many pages of each list."""


def measure(site: Site) -> Sequence[Row]:
    """The 95th percentile over all pages, of the slowest kind, and of counts."""
    project_id = fill(site.data_folder, IMAGES)
    path = f"/api/v1/projects/{project_id}/images"
    with site.loop() as server:
        connection = server.connect()
        list(_times(connection, path, "no filter", "received"))
        kinds = {
            (name, sort): sorted(_times(connection, path, name, sort))
            for name in FILTERS
            for sort in SORTS
        }
        counts = [_count_ms(connection, path, name) for name in FILTERS for _ in range(3)]
    every = [ms for times in kinds.values() for ms in times]
    slowest = max(kinds, key=lambda kind: _p95(kinds[kind]))
    scan = _scan_ms(site.data_folder / "loop.sqlite", project_id)
    return [
        Row("page of 100,000 images, p95", "ms", _p95(every), limit=scan, goal=50),
        Row("page of 100,000 images, median", "ms", statistics.median(every)),
        Row(f"slowest kind: {slowest[0]} by {slowest[1]}, p95", "ms", _p95(kinds[slowest])),
        Row("count of 100,000 images, p95", "ms", _p95(counts)),
    ]


def _times(connection: Connection, path: str, name: str, sort: str) -> Iterator[float]:
    after = None
    for _ in range(DEEP):
        query = {**FILTERS[name], "sort": sort, "limit": LIMIT}
        if after:
            query["after"] = after
        request = connection.request("GET", f"{path}?{urlencode(query, doseq=True)}")
        began = time.perf_counter()
        answer = connection.send(request)
        yield (time.perf_counter() - began) * 1000
        after = json.loads(answer)["next"]
        if after is None:
            return


def _count_ms(connection: Connection, path: str, name: str) -> float:
    query = urlencode(FILTERS[name], doseq=True)
    request = connection.request("GET", f"{path}/count?{query}")
    began = time.perf_counter()
    connection.send(request)
    return (time.perf_counter() - began) * 1000


def _p95(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]


def _scan_ms(database: Path, project_id: str) -> float:
    """SQLite alone looks at every image once, along one index."""
    query = "SELECT count(*) FROM images WHERE project_id = ? AND instr(tags, 'none') > 0"
    times = []
    with sqlite3.connect(database) as connection:
        for _ in range(20):
            began = time.perf_counter()
            connection.execute(query, (project_id,)).fetchall()
            times.append((time.perf_counter() - began) * 1000)
    return _p95(times)
