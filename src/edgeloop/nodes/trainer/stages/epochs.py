"""Tells the loop of each epoch, in order; a loop that does not know the event is left alone."""

import asyncio
from collections.abc import Awaitable, Callable

from edgeloop.client import LoopSession
from edgeloop.nodes.trainer.stages.courier import ANSWER_WITHIN_S, Courier
from edgeloop.protocol import events
from edgeloop.protocol.payloads.trainings import TrainingOrder, epoch_to_json
from edgeloop.types import Epoch


class EpochReports:
    """A queue of epochs on their way to the loop; ``run`` empties it until it is cancelled."""

    def __init__(
        self,
        session: LoopSession,
        *,
        answer_within_s: float = ANSWER_WITHIN_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._courier = Courier(
            session, events.UPDATE_EPOCH, answer_within_s=answer_within_s, sleep=sleep
        )
        self._waiting: asyncio.Queue[tuple[TrainingOrder, Epoch]] = asyncio.Queue()

    def put(self, order: TrainingOrder, epoch: Epoch) -> None:
        """Send an epoch as soon as those before it have arrived."""
        self._waiting.put_nowait((order, epoch))

    async def delivered(self) -> None:
        """Wait until nothing waits."""
        await self._waiting.join()

    async def run(self) -> None:
        """Deliver, for ever."""
        while True:
            order, epoch = await self._waiting.get()
            try:
                await self._courier.deliver(order, {"epoch": epoch_to_json(epoch)})
            finally:
                self._waiting.task_done()
