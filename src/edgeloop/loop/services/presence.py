"""What nodes said last, in memory: what is not new is written down for all together."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

WRITE_EVERY = timedelta(seconds=10)
MAX_NODES = 10_000
_ALWAYS_NEW = "uptime"


@dataclass(frozen=True, slots=True)
class Report:
    """What a node said of itself; ``status`` is wire JSON, ``project_id`` whom it works for."""

    id: str
    kind: str
    name: str
    project_id: str | None
    status: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Heard:
    """A report and when it came; ``basis`` is what else its consequences depended on."""

    report: Report
    at: datetime
    basis: Hashable = None


class Presence:
    """The last reports of nodes whose rows say the same, but for when they came."""

    def __init__(self) -> None:
        self._heard: dict[str, Heard] = {}
        self._unwritten: set[str] = set()
        self._written: datetime | None = None

    def is_news(self, report: Report, *, basis: Hashable = None) -> bool:
        """Whether a report says more than that the node is still there."""
        known = self._heard.get(report.id)
        return known is None or known.basis != basis or _said(known.report) != _said(report)

    def repeat(self, report: Report, *, now: datetime) -> bool:
        """A report that is no news came; whether it is time to write all down."""
        self._heard[report.id] = Heard(report, now, self._heard[report.id].basis)
        self._unwritten.add(report.id)
        is_due = self._written is None or now - self._written >= WRITE_EVERY
        if is_due:
            self._written = now
        return is_due

    def keep(self, report: Report, *, now: datetime, basis: Hashable = None) -> None:
        """This report is being written down."""
        self.forget(report.id)
        if len(self._heard) >= MAX_NODES:
            self.forget(next(iter(self._heard)))
        self._heard[report.id] = Heard(report, now, basis)

    def forget(self, node_id: str) -> None:
        """Whatever the node says is news again."""
        self._heard.pop(node_id, None)
        self._unwritten.discard(node_id)

    def last(self, node_id: str) -> Heard | None:
        """What the node said last, where its row says the same."""
        return self._heard.get(node_id)

    def take(self) -> Sequence[Heard]:
        """What is to be written down now."""
        taken = [self._heard[node_id] for node_id in self._unwritten]
        self._unwritten.clear()
        return taken


def _said(report: Report) -> tuple[Any, ...]:
    status = {key: value for key, value in report.status.items() if key != _ALWAYS_NEW}
    return report.kind, report.name, report.project_id, status
