"""The training queue: which waiting training meets which idle trainer, and in which order."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from edgeloop.errors import Conflict, NotFound
from edgeloop.loop.db.tables import NodeRow, ProjectRow, TrainingRow
from edgeloop.loop.services import access, nodes, offers, projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.endings import put_back
from edgeloop.loop.services.offers import Need
from edgeloop.loop.services.trainings import TrainingState, order_for
from edgeloop.loop.services.workspace import Workspace
from edgeloop.protocol.payloads.trainings import TrainingOrder
from edgeloop.types import TrainerState

IDLE_REPORT_AGE = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Match:
    """A training and the trainer that shall have it."""

    training_id: str
    trainer_id: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A training that waits; ``position`` counts from 1, ``reason`` says what it waits for."""

    training: TrainingRow
    address: str
    position: int
    reason: str


async def matches(workspace: Workspace, *, avoid: Collection[str] = ()) -> Sequence[Match]:
    """Pairs of waiting trainings, the first first, and idle trainers other than ``avoid``."""
    free = [node for node in await _idle_trainers(workspace) if node.id not in avoid]
    waiting = await _in_order(workspace)
    needs = await offers.needs(workspace, waiting)
    found = []
    for training in waiting:
        may = [node for node in free if await _may_do(workspace, node, training)]
        trainer = next(_fitting(may, training, needs[training.id]), None)
        if trainer is not None:
            free.remove(trainer)
            found.append(Match(training.id, trainer.id))
    return found


async def listed(workspace: Workspace) -> Sequence[Waiting]:
    """The trainings that wait in projects of the caller; positions count those of others too."""
    access.check_account(workspace.caller)
    waiting = await _in_order(workspace)
    needs = await offers.needs(workspace, waiting)
    trainers = await _trainers(workspace)
    query = select(ProjectRow).where(projects.visible(workspace.caller))
    seen = {
        project.id: f"{project.organization_id}/{project.name}"
        for project in await workspace.session.scalars(query)
    }
    online = [node for node in trainers if nodes.is_online(workspace, node)]
    found = []
    for position, training in enumerate(waiting, 1):
        if training.project_id in seen:
            may = [node for node in online if await _may_do(workspace, node, training)]
            crew = _Crew(trainers, online, may)
            reason = _reason(training, needs[training.id], crew)
            found.append(Waiting(training, seen[training.project_id], position, reason))
    return found


async def move(workspace: Workspace, training_id: str, *, before: str | None) -> None:
    """Let a training wait directly before another one, or as the last.

    Only trainings that the caller may run change places among themselves: those of others keep
    theirs. Raises NotFound, Forbidden, and Conflict for one that does not wait.
    """
    row = await workspace.session.get(TrainingRow, training_id)
    unseen = f"There is no training {training_id}."
    moved = await projects.owned(workspace, row, right=Right.TRAIN, unseen=unseen)
    if moved.state != TrainingState.QUEUED:
        raise Conflict(f"Training {moved.number} does not wait: it is {moved.state}.")
    own = [row for row in await _in_order(workspace) if await _may_train(workspace, row)]
    ranks = [row.rank for row in own]
    own.remove(moved)
    ids = [row.id for row in own]
    if before is not None and before not in ids:
        raise NotFound(f"There is no other training {before} that waits: see the queue.")
    own.insert(ids.index(before) if before is not None else len(own), moved)
    for row, rank in zip(own, ranks, strict=True):
        row.rank = rank


async def claim(workspace: Workspace, match: Match) -> TrainingOrder:
    """Give a training to a trainer; raises Conflict where one of them is no longer free."""
    training = await workspace.session.get_one(TrainingRow, match.training_id)
    free = [node.id for node in await _idle_trainers(workspace)]
    if training.state != TrainingState.QUEUED or match.trainer_id not in free:
        raise Conflict(f"Training {training.number} or its trainer is no longer free.")
    node = await workspace.session.get_one(NodeRow, match.trainer_id)
    training.state = TrainingState.RUNNING
    training.trainer_id, training.trainer_name = node.id, node.name
    training.trainer_state, training.progress = None, None
    training.started = workspace.clock()
    return await order_for(workspace, training)


async def accepted(workspace: Workspace, match: Match) -> None:
    """The trainer has begun."""
    training = await workspace.session.get_one(TrainingRow, match.training_id)
    if training.trainer_state is None:  # else its status was faster than its answer
        training.trainer_state = TrainerState.INITIALIZED
        training.started = workspace.clock()
    training.errors = {}


async def refused(workspace: Workspace, match: Match, reason: str) -> None:
    """The trainer does not want it now: it waits again."""
    training = await workspace.session.get_one(TrainingRow, match.training_id)
    if training.state == TrainingState.RUNNING:
        put_back(workspace, training, reason=reason)


async def rejected(workspace: Workspace, match: Match, reason: str) -> None:
    """The trainer cannot do it: the training has failed."""
    training = await workspace.session.get_one(TrainingRow, match.training_id)
    if training.state == TrainingState.RUNNING:
        training.state, training.ended = TrainingState.FAILED, workspace.clock()
        training.errors = {"begin_training": reason}


def _fitting(free: Iterable[NodeRow], training: TrainingRow, need: Need) -> Iterator[NodeRow]:
    wanted = training.wanted_trainer_id
    for trainer in free:
        if wanted in (None, trainer.id) and not offers.lacks(
            trainer, need, is_chosen=wanted is not None
        ):
            yield trainer


@dataclass(frozen=True, slots=True)
class _Crew:
    """All trainers, those that are online, and of them those whose account may do a training."""

    known: Sequence[NodeRow]
    online: Sequence[NodeRow]
    may: Sequence[NodeRow]


def _reason(training: TrainingRow, need: Need, crew: _Crew) -> str:
    wanted = training.wanted_trainer_id
    if wanted:
        name = next((node.name for node in crew.known if node.id == wanted), wanted)
        if wanted not in [node.id for node in crew.online]:
            return f"The trainer {name} is offline."
    if not crew.online:
        return "No trainer is online."
    asked = [node for node in crew.may if wanted in (None, node.id)]
    if not asked:
        return "No trainer that is online logged in as a manager of the project."
    missing = [offers.lacks(node, need, is_chosen=wanted is not None) for node in asked]
    if all(missing):
        return f"No trainer that is online offers {missing[0]}."
    return "It waits for its turn."


async def _in_order(workspace: Workspace) -> list[TrainingRow]:
    query = select(TrainingRow).where(TrainingRow.state == TrainingState.QUEUED)
    rows = await workspace.session.scalars(
        query.order_by(TrainingRow.rank, TrainingRow.created, TrainingRow.number)
    )
    return list(rows.all())


async def _may_train(workspace: Workspace, training: TrainingRow) -> bool:
    address = await _address(workspace, training)
    return access.may(workspace.caller, Right.TRAIN, address=address)


async def _may_do(workspace: Workspace, trainer: NodeRow, training: TrainingRow) -> bool:
    """Whether the account that the trainer logged in with may run trainings of that project."""
    if not workspace.fleet.is_connected(trainer.id):
        return True  # it is asked when it is back
    caller = workspace.fleet.caller_of(trainer.id)
    return access.may(caller, Right.TRAIN, address=await _address(workspace, training))


async def _address(workspace: Workspace, training: TrainingRow) -> str:
    project = await workspace.session.get_one(ProjectRow, training.project_id)
    return f"{project.organization_id}/{project.name}"


async def _trainers(workspace: Workspace) -> Sequence[NodeRow]:
    query = select(NodeRow).where(NodeRow.kind == nodes.TRAINER).order_by(NodeRow.id)
    return (await workspace.session.scalars(query)).all()


async def _idle_trainers(workspace: Workspace) -> list[NodeRow]:
    running = select(TrainingRow.trainer_id).where(TrainingRow.state == TrainingState.RUNNING)
    taken = set(await workspace.session.scalars(running))
    oldest = workspace.clock() - IDLE_REPORT_AGE
    return [
        node
        for node in await _trainers(workspace)
        if nodes.last_seen(workspace, node) >= oldest
        and node.status.get("state") == TrainerState.IDLE
        and node.id not in taken
        and workspace.fleet.is_connected(node.id)
    ]
