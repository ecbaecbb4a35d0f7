"""The loop under load: images up and down, their JSON, long lists, a fleet that reports.

python benchmarks/loop.py [--json FILE] [--seconds S] [--groups ...] [--folder FOLDER]

Client and server are processes of one machine. There is no published loop to compare with: the
columns peer and ratio stay empty; limit is what the same machine does without a loop, measured
beside it; goal is what edgeloop shall reach in the unit of its row.
"""

import argparse
import importlib
import tempfile
from pathlib import Path

from loop.site import Site
from stream.rows import Row, table, write

GROUPS = ("ingest", "download", "entries", "pages", "fleet")


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--groups", nargs="*", default=GROUPS, choices=GROUPS)
    parser.add_argument("--folder", type=Path, help="on the disk that is meant; else a temporary")
    arguments = parser.parse_args()
    rows: list[Row] = []
    for group in arguments.groups:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            site = Site(Path(folder), seconds=arguments.seconds)
            rows.extend(importlib.import_module(f"loop.{group}").measure(site))
    print(table(rows))
    if arguments.json:
        write(rows, arguments.json)


if __name__ == "__main__":
    main()
