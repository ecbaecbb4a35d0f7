"""Tells the loop of each epoch, in order; a loop that does not know the event is left alone."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from edgeloop.client import Backoff, LoopSession
from edgeloop.errors import EdgeloopError, LoopUnreachable, NotFound
from edgeloop.protocol import events
from edgeloop.protocol.payloads.trainings import TrainingOrder, epoch_to_json
from edgeloop.types import Epoch

log = logging.getLogger(__name__)

ANSWER_WITHIN_S = 10.0
MISSES = 3


@dataclass(frozen=True, slots=True)
class _Report:
    order: TrainingOrder
    epoch: Epoch


class EpochReports:
    """A queue of epochs on their way to the loop; ``run`` empties it until it is cancelled.

    Loops of others give no answer to an event that they do not know: after some misses over a
    standing connection, the epochs of that training are no longer sent.
    """

    def __init__(
        self,
        session: LoopSession,
        *,
        answer_within_s: float = ANSWER_WITHIN_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._session = session
        self._answer_within_s = answer_within_s
        self._sleep = sleep
        self._waiting: asyncio.Queue[_Report] = asyncio.Queue()
        self._unwanted_by: tuple[str, str, int] | None = None

    def put(self, order: TrainingOrder, epoch: Epoch) -> None:
        """Send an epoch as soon as those before it have arrived."""
        self._waiting.put_nowait(_Report(order, epoch))

    async def delivered(self) -> None:
        """Wait until nothing waits."""
        await self._waiting.join()

    async def run(self) -> None:
        """Deliver, for ever."""
        while True:
            report = await self._waiting.get()
            try:
                if _training(report.order) != self._unwanted_by:
                    await self._deliver(report)
            finally:
                self._waiting.task_done()

    async def _deliver(self, report: _Report) -> None:
        backoff = Backoff(first_s=1.0, max_s=30.0)
        for _ in range(MISSES):
            await self._session.connected.wait()
            try:
                return await self._send(report)
            except LoopUnreachable as error:
                log.info("Epoch %d is not delivered yet: %s", report.epoch.number, error)
            except NotFound:
                break
            except EdgeloopError as error:
                log.warning("The loop does not take epoch %d: %s", report.epoch.number, error)
                return None
            await self._sleep(backoff.next_s())
        log.info("The loop keeps no epochs; training %d goes on silently.", report.order.number)
        self._unwanted_by = _training(report.order)
        return None

    async def _send(self, report: _Report) -> None:
        order = report.order
        content = {"training_number": order.number, "epoch": epoch_to_json(report.epoch)}
        answer = await self._session.call(
            events.UPDATE_EPOCH,
            order.organization,
            order.project,
            content,
            timeout_s=self._answer_within_s,
        )
        if not answer.success:
            log.warning("The loop refused epoch %d: %s", report.epoch.number, answer.error_msg)


def _training(order: TrainingOrder) -> tuple[str, str, int]:
    return order.organization, order.project, order.number
