"""The queue: trainings that wait, and their order."""

from typing import Annotated, Any

from fastapi import APIRouter

from edgeloop.client.calls.records import WaitingRecord
from edgeloop.loop.api.context import Asking
from edgeloop.loop.api.documented import Nothing, answers, page_of
from edgeloop.loop.api.paging import Limit, behind, page
from edgeloop.loop.api.trainings import training_to_json
from edgeloop.loop.services import queue
from edgeloop.loop.services.queue import Waiting
from edgeloop.loop.services.trainings import Training
from edgeloop.protocol.payloads.parsing import Payload, shown
from edgeloop.protocol.routes import V1

router = APIRouter()


class PlaceBody(Payload):
    """A place in the queue: directly before another training, or at the end."""

    before: Annotated[str | None, shown("b7d0b5c2-3a52-4b0f-8a37-52c7f0a6d2e4")] = None


@router.get(f"{V1}/queue", **answers(page_of(WaitingRecord)))
async def list_waiting(
    asking: Asking, limit: Limit = 100, after: str | None = None
) -> dict[str, Any]:
    """The trainings that wait for a trainer, in the order in which they get one."""
    async with asking.read() as workspace:
        found = await queue.listed(workspace)
    rest = behind(found, after, cursor=_cursor)
    return page(rest, limit=limit, encode=_to_json, cursor=_cursor)


@router.put(f"{V1}/trainings/{{training_id}}/place", **answers(Nothing, errors=(409,)))
async def move(asking: Asking, training_id: str, body: PlaceBody) -> dict[str, Any]:
    """Let a training wait before another one, or as the last; those of others keep their places."""
    async with asking.write() as workspace:
        await queue.move(workspace, training_id, before=body.before)
    return {}


def _cursor(waiting: Waiting) -> str:
    return waiting.training.id


def _to_json(waiting: Waiting) -> dict[str, Any]:
    return {
        "position": waiting.position,
        "project": waiting.address,
        "reason": waiting.reason,
        "training": training_to_json(Training(waiting.training)),
    }
