"""The nodes that were heard from: their last reports, and who is there now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, false, or_, select
from sqlalchemy.orm.attributes import set_committed_value

from edgeloop.errors import Conflict, Forbidden
from edgeloop.loop.db.tables import NodeRow, ProjectRow, TrainingRow
from edgeloop.loop.services import access, projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.presence import Report
from edgeloop.loop.services.workspace import Caller, Workspace
from edgeloop.types import NodeKind

RUNNING = "running"
"""The state of a training that a trainer has: its own module builds on this one."""
TRAINER = "trainer"
DETECTOR = "detector"
ANNOTATOR = "annotator"
_REPORTS = {
    TRAINER: Right.TRAIN,
    DETECTOR: Right.REPORT_DETECTOR,
    ANNOTATOR: Right.ANNOTATE,
}
ONLINE_FOR = {TRAINER: timedelta(seconds=30), DETECTOR: timedelta(seconds=75)}


@dataclass(frozen=True, slots=True)
class KnownNode:
    """A node with the names of its project; ``is_online`` counts as of now."""

    row: NodeRow
    organization: str | None
    project: str | None
    is_online: bool

    @property
    def version(self) -> str | None:
        """The version of its software, where it tells."""
        return _text(self.row.status.get("node_version"))

    @property
    def model(self) -> str | None:
        """The version of the model that a detector runs."""
        return _text(self.row.status.get("current_model"))

    @property
    def target(self) -> str | None:
        """The version of the model that a detector shall run."""
        return _text(self.row.status.get("target_model"))

    @property
    def outbox_depth(self) -> int | None:
        """How many frames wait on a detector, where it tells."""
        depth = self.row.status.get("outbox_depth")
        return depth if isinstance(depth, int) else None

    @property
    def errors(self) -> Mapping[str, str]:
        """What is wrong, by where."""
        errors = self.row.status.get("errors")
        return errors if isinstance(errors, dict) else {}


@dataclass(frozen=True, slots=True)
class NodeFilter:
    """Which nodes are meant; None: no matter which."""

    kind: NodeKind | None = None
    project_id: str | None = None
    is_online: bool | None = None


ALL = NodeFilter()


@dataclass(frozen=True, slots=True)
class KnownTrainer:
    """A trainer and the state that it told last."""

    id: str
    name: str
    state: str


async def remember(workspace: Workspace, report: Report) -> NodeRow:
    """Keep a node's last report; raises Conflict where the id is another kind of node's."""
    node = await workspace.session.get(NodeRow, report.id)
    now = workspace.clock()
    if node is None:
        node = NodeRow(id=report.id, kind=report.kind, first_seen=now)
        workspace.session.add(node)
    if node.kind != report.kind:
        message = f"The id {report.id} is that of a {node.kind}: a {report.kind} needs its own."
        raise Conflict(message)
    if node.project_id not in (None, report.project_id):
        await _check_may_speak_for(workspace, node)
    node.name = report.name
    node.project_id = report.project_id
    node.status = dict(report.status)
    node.last_seen = now
    return node


async def known(workspace: Workspace, node_id: str, *, right: Right) -> NodeRow:
    """A node for someone with this right in its project.

    One that works for none at the moment: where both the caller and the account that it logged in
    with have the right. Raises NotFound, Unauthenticated, Forbidden.
    """
    node = await workspace.session.get(NodeRow, node_id)
    if node is not None:
        _refresh(workspace, node)
    if node is not None and node.project_id is None:
        access.check_somewhere(workspace.caller, right)
        _check_common(workspace, node, right)
        return node
    unseen = f"No node {node_id} was ever heard from."
    return await projects.owned(workspace, node, right=right, unseen=unseen)


def _check_common(workspace: Workspace, node: NodeRow, right: Right) -> None:
    caller, fleet = workspace.caller, workspace.fleet
    if access.may(caller, right) or not fleet.is_connected(node.id):
        return
    if not access.may_together(caller, fleet.caller_of(node.id), right):
        raise Forbidden(f"The node {node.name or node.id} works for none of your projects.")


async def get(workspace: Workspace, node_id: str) -> KnownNode:
    """One node; raises as ``known`` does."""
    node = await known(workspace, node_id, right=Right.READ)
    project = await workspace.session.get(ProjectRow, node.project_id) if node.project_id else None
    return KnownNode(
        node,
        project.organization_id if project else None,
        project.name if project else None,
        is_online(workspace, node),
    )


async def list_by_id(
    workspace: Workspace, *, limit: int, after: str | None = None, which: NodeFilter = ALL
) -> Sequence[KnownNode]:
    """Up to ``limit`` nodes in the order of their ids, those behind ``after``.

    The caller sees those of its projects and those that work for none, which may work for any.
    """
    access.check_account(workspace.caller)
    query = (
        select(NodeRow, ProjectRow.organization_id, ProjectRow.name)
        .outerjoin(ProjectRow, NodeRow.project_id == ProjectRow.id)
        .where(_visible(workspace.caller), *_conditions(which))
    )
    if after is not None:
        query = query.where(NodeRow.id > after)
    if which.is_online is None:
        query = query.limit(limit)
    found = [
        KnownNode(_refresh(workspace, node), organization, project, is_online(workspace, node))
        for node, organization, project in await workspace.session.execute(
            query.order_by(NodeRow.id)
        )
    ]
    return [node for node in found if which.is_online in (None, node.is_online)][:limit]


async def forget(workspace: Workspace, node_id: str) -> None:
    """Forget a node that is away for good; it is known again as soon as it is heard from.

    Raises NotFound, and Conflict for one that is there or has a training.
    """
    node = await known(workspace, node_id, right=Right.COMMAND_NODES)
    if is_online(workspace, node):
        raise Conflict(f"The node {node.name or node.id} is online: end it first.")
    workspace.recent.nodes.forget(node_id)
    running = select(TrainingRow.number).where(
        TrainingRow.trainer_id == node.id, TrainingRow.state == RUNNING
    )
    number = await workspace.session.scalar(running)
    if number is not None:
        raise Conflict(f"The trainer {node.name} still has training {number}: abort that first.")
    await workspace.session.delete(node)


async def trainers_online(workspace: Workspace) -> Sequence[KnownTrainer]:
    """The trainers that are there, by name: those of the caller's projects and those of none."""
    query = (
        select(NodeRow)
        .outerjoin(ProjectRow, NodeRow.project_id == ProjectRow.id)
        .where(NodeRow.kind == TRAINER, _visible(workspace.caller))
        .order_by(NodeRow.name, NodeRow.id)
    )
    return [
        KnownTrainer(node.id, node.name, str(node.status.get("state", "")))
        for node in (await workspace.session.scalars(query)).all()
        if is_online(workspace, node)
    ]


async def _check_may_speak_for(workspace: Workspace, node: NodeRow) -> None:
    """Nobody takes the place of a node that is at work in a project of others."""
    owner = await workspace.session.get(ProjectRow, node.project_id)
    if owner is None or not is_online(workspace, node):
        return
    address, right = f"{owner.organization_id}/{owner.name}", _REPORTS[node.kind]
    if not access.may(workspace.caller, right, address=address, is_open=owner.open_to_devices):
        raise Conflict(
            f"The id {node.id} is that of a node that works for another project: start this one "
            "under a name of its own."
        )


def _conditions(which: NodeFilter) -> Sequence[ColumnElement[bool]]:
    kind = [NodeRow.kind == which.kind] if which.kind is not None else []
    project = [NodeRow.project_id == which.project_id] if which.project_id is not None else []
    return [*kind, *project]


def _text(value: Any) -> str | None:
    return str(value) if value else None


def _visible(caller: Caller) -> ColumnElement[bool]:
    for_all = and_(NodeRow.project_id.is_(None), NodeRow.kind != DETECTOR)
    return or_(for_all if caller.grants else false(), projects.visible(caller))


def last_seen(workspace: Workspace, node: NodeRow) -> datetime:
    """When the node was heard from last, which may not be written down yet."""
    heard = workspace.recent.nodes.last(node.id)
    return max(heard.at, node.last_seen) if heard else node.last_seen


def is_online(workspace: Workspace, node: NodeRow) -> bool:
    """Whether the node is connected, or was heard from lately."""
    age = workspace.clock() - last_seen(workspace, node)
    lately = age < ONLINE_FOR.get(node.kind, timedelta(seconds=30))
    return lately or workspace.fleet.is_connected(node.id)


def _refresh(workspace: Workspace, node: NodeRow) -> NodeRow:
    """The row with what its node said last, which may not be written down yet."""
    heard = workspace.recent.nodes.last(node.id)
    if heard is not None and heard.at > node.last_seen:
        set_committed_value(node, "status", dict(heard.report.status))
        set_committed_value(node, "last_seen", heard.at)
    return node
