"""The stream layer against a reference that does what agentlace does on the wire.

python benchmarks/stream.py [--json FILE] [--rounds N] [--only WORD] [--cpu N]

All processes share one core (as in the published figures), implementations take turns round by
round, figures are medians over the rounds.
"""

import argparse
import importlib
from pathlib import Path

from stream.processes import pin
from stream.rows import Row, table, write

GROUPS = ("calls", "publishing", "updating", "stores", "environments", "batching", "episodes")


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--groups", nargs="*", default=GROUPS, choices=GROUPS)
    parser.add_argument("--only", default="", help="measurements with this word in their name")
    parser.add_argument("--cpu", type=int, default=1, help="the core to share; -1 for all")
    arguments = parser.parse_args()
    pin(None if arguments.cpu < 0 else arguments.cpu)
    rows: list[Row] = []
    for group in arguments.groups:
        rows.extend(
            importlib.import_module(f"stream.{group}").measure(arguments.rounds, arguments.only)
        )
    print(table(rows))
    if arguments.json:
        write(rows, arguments.json)


if __name__ == "__main__":
    main()
