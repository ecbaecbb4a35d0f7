"""The page of all nodes: who is there, and how they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from edgeloop.loop.services import nodes
from edgeloop.loop.services.nodes import KnownNode
from edgeloop.loop.services.refusals import Refusal
from edgeloop.loop.ui.frame import project_path
from edgeloop.loop.ui.refusals import seen_refusals, show_refusals
from edgeloop.loop.ui.visits import Visit, visited
from edgeloop.loop.ui.widgets import (
    NOTHING,
    Link,
    Row,
    Table,
    Text,
    ago,
    block,
    count,
    empty,
    lasting,
    moment,
    panel,
)

SHOWN = 500
REFRESH_S = 5.0


@dataclass(frozen=True, slots=True)
class _Line:
    """A node as it is shown."""

    name: str
    kind: str
    is_online: bool
    organization: str
    project: str
    state: str
    detail: str
    version: str
    model: str
    outbox: int | None
    seen: str
    seen_at: str
    errors: tuple[str, ...]


@visited("/nodes", title="Nodes")
async def nodes_page(visit: Visit) -> None:
    """All nodes that were ever heard from, those that are there first."""
    with block("el-title"):
        Text("Nodes", tag="h1")
        here = Text("", "el-muted")
    place = block("el-stack")
    shown: list[tuple[tuple[_Line, ...], Sequence[Refusal]]] = []

    async def refresh(visit: Visit) -> None:
        lines, refused = await _load(visit)
        if shown == [(lines, refused)]:
            return
        shown[:] = [(lines, refused)]
        here.text = f"{sum(line.is_online for line in lines)} of {len(lines)} online"
        place.clear()
        with place:
            show_refusals(refused, now=visit.now)
            _show(lines)

    await refresh(visit)
    visit.every(REFRESH_S, refresh)


async def _load(visit: Visit) -> tuple[tuple[_Line, ...], Sequence[Refusal]]:
    async with visit.read() as workspace:
        found = await nodes.list_by_id(workspace, limit=SHOWN)
        refused = seen_refusals(workspace)
    lines = [_line(node, visit.now) for node in found]
    shown = sorted(lines, key=lambda line: (not line.is_online, line.kind, line.name))
    return tuple(shown), refused


def _line(node: KnownNode, now: datetime) -> _Line:
    status = node.row.status
    return _Line(
        name=node.row.name or node.row.id,
        kind=node.row.kind,
        is_online=node.is_online,
        organization=node.organization or "",
        project=node.project or "",
        state=_words(status.get("operation_mode") or status.get("state")),
        detail=_detail(status),
        version=node.version or "",
        model=_model(node),
        outbox=node.outbox_depth,
        seen=ago(node.row.last_seen, now),
        seen_at=moment(node.row.last_seen),
        errors=tuple(f"{_words(where)}: {what}" for where, what in node.errors.items()),
    )


def _detail(status: Mapping[str, Any]) -> str:
    """How far a training is, how long a node is up, what it is made of."""
    progress, uptime = status.get("progress"), status.get("uptime")
    parts = [
        f"{progress:.0%}" if isinstance(progress, int | float) else "",
        f"for {lasting(timedelta(seconds=uptime))}" if isinstance(uptime, int | float) else "",
        str(status.get("architecture") or status.get("model_format") or ""),
    ]
    return " · ".join(part for part in parts if part)


def _model(node: KnownNode) -> str:
    if node.target and node.target != node.model:
        return f"{node.model or 'none'} → {node.target}"
    return node.model or NOTHING


def _words(name: Any) -> str:
    return str(name or "").replace("_", " ")


def _show(lines: tuple[_Line, ...]) -> None:
    if not lines:
        empty(
            "No node was heard from yet. A detector or a trainer shows up here as soon as it is "
            "started with this loop as its LOOP_HOST."
        )
        return
    with panel(aside=count(len(lines), "node")):
        table = Table(
            "Node",
            "Kind",
            "Project",
            "State",
            "Model",
            "Outbox",
            "Version",
            "Last seen",
            is_list=True,
        )
        for line in lines:
            with table.row() as row:
                _fill(row, line)


def _fill(row: Row, line: _Line) -> None:
    with row.cell():
        dot = block("el-dot el-is-online" if line.is_online else "el-dot", tag="i")
        dot.put(title="online" if line.is_online else "offline")
        Text(line.name, "el-strong")
        for error in line.errors:
            Text(error, "el-fault", tag="p")
    row.text(line.kind)
    if line.project:
        with row.cell():
            address = f"{line.organization}/{line.project}"
            Link(project_path(line.organization, line.project), address)
    else:
        row.text(NOTHING)
    with row.cell():
        Text(line.state if line.is_online else f"was {line.state}")
        Text(line.detail if line.is_online else "", "el-muted")
    row.text(line.model)
    row.number(line.outbox)
    row.text(line.version, "el-muted")
    row.text(line.seen if line.is_online else f"{line.seen} (offline)").put(title=line.seen_at)
