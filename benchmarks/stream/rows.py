"""What a benchmark says: rows of figures, as a table and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement: ours, the reference's, and what the machine allows (where known).

    ``ratio`` is how many times better edgeloop is than the peer: above one for times that are
    shorter and for rates that are higher. ``goal`` is the least ratio wished for; a goal without a
    peer bounds ``edgeloop / limit`` from above, or is in the unit where the benchmark says so.
    """

    measurement: str
    unit: str
    edgeloop: float
    peer: float | None = None
    limit: float | None = None
    ratio: float | None = None
    goal: float | None = None


def times(measurement: str, unit: str, edgeloop: float, peer: float | None, **more: float) -> Row:
    """A row of times: less is better."""
    ratio = peer / edgeloop if peer is not None else None
    return Row(measurement, unit, edgeloop, peer, more.get("limit"), ratio, more.get("goal"))


def rates(measurement: str, unit: str, edgeloop: float, peer: float | None, **more: float) -> Row:
    """A row of rates: more is better."""
    ratio = edgeloop / peer if peer is not None else None
    return Row(measurement, unit, edgeloop, peer, more.get("limit"), ratio, more.get("goal"))


def table(rows: Sequence[Row]) -> str:
    """The rows for people."""
    head = ("measurement", "unit", "edgeloop", "peer", "limit", "ratio", "goal")
    lines = [head, *(tuple(_shown(value) for value in asdict(row).values()) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )


def write(rows: Sequence[Row], file: Path) -> None:
    """The rows for programs; what the file has of other measurements stays in it."""
    new = [asdict(row) for row in rows]
    names = {row.measurement for row in rows}
    before = json.loads(file.read_text()) if file.exists() else []
    kept = [row for row in before if row["measurement"] not in names]
    file.write_text(json.dumps([*kept, *new], indent=1) + "\n")


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
