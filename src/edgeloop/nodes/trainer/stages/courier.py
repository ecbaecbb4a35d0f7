"""Carries what a loop may or may not want to hear of a training; none is asked too often."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from edgeloop.client import Backoff, LoopSession
from edgeloop.errors import EdgeloopError, LoopUnreachable, NotFound
from edgeloop.protocol.payloads.trainings import TrainingOrder

log = logging.getLogger(__name__)

ANSWER_WITHIN_S = 10.0
MISSES = 3


class Courier:
    """Delivers one kind of event.

    Loops of others give no answer to an event that they do not know: after some misses over a
    standing connection, nothing more of that training is carried.
    """

    def __init__(
        self,
        session: LoopSession,
        event: str,
        *,
        answer_within_s: float = ANSWER_WITHIN_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._session = session
        self._event = event
        self._answer_within_s = answer_within_s
        self._sleep = sleep
        self._unwanted_of: tuple[str, str, int] | None = None

    async def deliver(self, order: TrainingOrder, content: Mapping[str, Any]) -> None:
        """Send ``content`` and the number of the training, with some patience."""
        if _training(order) == self._unwanted_of or await self._is_delivered(order, content):
            return
        log.info("The loop knows no %s; training %d goes on without.", self._event, order.number)
        self._unwanted_of = _training(order)

    async def _is_delivered(self, order: TrainingOrder, content: Mapping[str, Any]) -> bool:
        backoff = Backoff(first_s=1.0, max_s=30.0)
        for _ in range(MISSES):
            await self._session.connected.wait()
            try:
                await self._send(order, content)
            except LoopUnreachable as error:
                log.info("%s is not delivered yet: %s", self._event, error)
                await self._sleep(backoff.next_s())
            except NotFound:
                return False
            except EdgeloopError as error:
                log.warning("The loop does not take %s: %s", self._event, error)
                return True
            else:
                return True
        return False

    async def _send(self, order: TrainingOrder, content: Mapping[str, Any]) -> None:
        answer = await self._session.call(
            self._event,
            order.organization,
            order.project,
            {"training_number": order.number, **content},
            timeout_s=self._answer_within_s,
        )
        if not answer.success:
            log.warning("The loop refused %s: %s", self._event, answer.error_msg)


def _training(order: TrainingOrder) -> tuple[str, str, int]:
    return order.organization, order.project, order.number
