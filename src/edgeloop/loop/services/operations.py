"""How the loop itself is: whether it can work, and what it holds, in figures."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import get_args

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from edgeloop.errors import EdgeloopError
from edgeloop.loop.db.tables import ImageRow, ModelFileRow, NodeRow, TrainingRow
from edgeloop.loop.services import access, nodes
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.trainings import TrainingState
from edgeloop.loop.services.workspace import Caller, Workspaces
from edgeloop.types import ImageState

CHECK_WITHIN_S = 5.0
OK = "ok"
_QUEUE = {TrainingState.QUEUED: "waiting", TrainingState.RUNNING: "running"}


@dataclass(frozen=True, slots=True)
class Stock:
    """What lies in the loop. An image that several projects have counts in each of them."""

    images: Mapping[ImageState, int]
    image_bytes: int
    model_bytes: int


@dataclass(frozen=True, slots=True)
class Activity:
    """What is going on: trainings by queue (waiting, running), nodes that are online by kind.

    ``database_bytes`` and ``free_bytes`` (of the storage) are None where nobody can tell.
    """

    trainings: Mapping[str, int]
    nodes_online: Mapping[str, int]
    database_bytes: int | None
    free_bytes: int | None


def check_observer(caller: Caller) -> None:
    """Let programs of the loop's own host and admins see the figures.

    Raises Unauthenticated or Forbidden for others.
    """
    if not caller.is_local:
        access.check(caller, Right.ADMINISTER)


async def readiness(workspaces: Workspaces) -> Mapping[str, str]:
    """What the loop needs for its work, by name: ``ok``, or what is wrong with it."""
    database = workspaces.database
    return {
        "database": await _tried(database.check_writable),
        "migrations": await _tried(database.check_migrated),
        "storage": await _tried(workspaces.storage.check_writable),
    }


async def stock(workspaces: Workspaces) -> Stock:
    """Count what lies in the loop: about a second with a million images."""
    async with workspaces.read() as workspace:
        by_state = (
            select(ImageRow.project_id, ImageRow.state, func.count()).group_by(
                ImageRow.project_id, ImageRow.state
            )  # an index has them in this order
        )
        images = dict.fromkeys(get_args(ImageState), 0)
        for _, state, count in await workspace.session.execute(by_state):
            images[state] += count
        image_bytes = await workspace.session.scalar(select(func.sum(ImageRow.size_bytes)))
        model_bytes = await workspace.session.scalar(select(func.sum(ModelFileRow.size_bytes)))
    return Stock(images, image_bytes or 0, model_bytes or 0)


async def activity(workspaces: Workspaces) -> Activity:
    """See what is going on: a few milliseconds."""
    async with workspaces.read() as workspace:
        queue = (
            select(TrainingRow.state, func.count())
            .where(TrainingRow.state.in_(_QUEUE))
            .group_by(TrainingRow.state)
        )
        counts = dict((await workspace.session.execute(queue)).all())
        known = (await workspace.session.scalars(select(NodeRow))).all()
        online = Counter(node.kind for node in known if nodes.is_online(workspace, node))
    return Activity(
        trainings={name: counts.get(state, 0) for state, name in _QUEUE.items()},
        nodes_online={**dict.fromkeys(nodes.ONLINE_FOR, 0), **online},
        database_bytes=await workspaces.database.size_bytes(),
        free_bytes=await workspaces.storage.free_bytes(),
    )


async def _tried(check: Callable[[], Awaitable[None]]) -> str:
    try:
        async with asyncio.timeout(CHECK_WITHIN_S):
            await check()
    except TimeoutError:
        return f"There was no answer within {CHECK_WITHIN_S:g} s: it is busy, or its disk is."
    except EdgeloopError as error:
        return str(error)
    except (SQLAlchemyError, OSError) as error:
        return f"It failed ({error})."
    return OK
