"""A stream server's figures as they change: rates, latencies, and curves of both."""

import itertools
import json
import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic

from rich.box import SIMPLE_HEAD
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edgeloop.cli.console import stdout
from edgeloop.cli.following import spark
from edgeloop.cli.tables import NOTHING
from edgeloop.errors import StreamClosed, StreamTimeout
from edgeloop.stream import Client
from edgeloop.stream.transport import Counters

_WIDTH = 30
_STATES = {
    "connections",
    "interfaces",
    "network_version",
    "size",
    "staleness",
    "staleness_max",
    "staleness_mean",
    "waiting_calls",
}
"""Figures that say how it is now; the others only grow."""
_TIMES = "call_seconds"


@dataclass(frozen=True, slots=True)
class Look:
    """A server's figures, and how much those that grow grew per second; or why there are none."""

    now: Counters = field(default_factory=dict)
    per_second: Counters = field(default_factory=dict)
    trouble: str = ""

    @property
    def mean_call_s(self) -> float | None:
        """How long calls took since the last look; None where there were none."""
        calls = self.per_second.get("calls")
        return self.per_second.get(_TIMES, 0.0) / calls if calls else None


def watch_server(
    client: Client, title: str, *, interval_s: float, looks: int | None, as_json: bool
) -> None:
    """Show so many looks at the server, or go on for ever."""
    found = itertools.islice(looks_at(client, interval_s), looks)
    if as_json:
        for look in found:
            stdout.print(json.dumps(_plain(look)), highlight=False, markup=False, soft_wrap=True)
        return
    board = _Board(title)
    with Live(board.table, console=stdout, auto_refresh=False) as live:
        for look in found:
            board.add(look)
            live.update(board.table, refresh=True)


def looks_at(client: Client, interval_s: float) -> Iterator[Look]:
    """A look after each interval; raises where the server does not answer at all."""
    before, at = client.call("counters", {}), monotonic()
    pause = threading.Event()
    while not pause.wait(interval_s):
        try:
            after, now = client.call("counters", {}), monotonic()
        except (StreamTimeout, StreamClosed) as error:  # it may come back
            yield Look(trouble=str(error))
            continue
        yield Look(after, _rates(before, after, now - at))
        before, at = after, now


def _rates(before: Counters, after: Counters, seconds: float) -> Counters:
    """None of a figure that fell: the server was started again."""
    return {
        name: (value - before[name]) / seconds
        for name, value in after.items()
        if _grows(name) and 0 <= before.get(name, -1) <= value
    }


def _grows(name: str) -> bool:
    return name.rpartition("/")[2] not in _STATES and not name.startswith(f"{_TIMES}_")


def _plain(look: Look) -> dict[str, object]:
    return {
        "counters": look.now,
        "per_second": {name: round(value, 3) for name, value in look.per_second.items()},
        "mean_call_s": look.mean_call_s,
        "trouble": look.trouble or None,
    }


class _Board:
    def __init__(self, title: str) -> None:
        self._title = title
        self._look = Look()
        self._curves: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_WIDTH))

    def add(self, look: Look) -> None:
        """There is something new; what was known stays where the server does not answer."""
        self._look = Look(self._look.now, trouble=look.trouble) if look.trouble else look
        for name, value in look.now.items():
            self._curves[name].append(look.per_second.get(name, value))

    @property
    def table(self) -> Table:
        """What is to be seen now."""
        look = self._look
        table = Table(title=Text(self._title), caption=Text(look.trouble), box=SIMPLE_HEAD)
        table.add_column()
        for name in ("now", "per second", "mean call"):
            table.add_column(name, justify="right")
        table.add_column("curve")
        for name, value in look.now.items():
            rate = look.per_second.get(name)
            table.add_row(
                name,
                _reading(name, value),
                NOTHING if rate is None else _reading(name, rate),
                _reading(_TIMES, look.mean_call_s) if name == "calls" and look.mean_call_s else "",
                spark([*self._curves[name]], _WIDTH),
            )
        return table


def _reading(name: str, value: float) -> str:
    if name.startswith(_TIMES):
        return f"{value * 1e3:,.3f} ms"
    if name.startswith("bytes"):
        return f"{value / 1e6:,.3f} MB"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"
