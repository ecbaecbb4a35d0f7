"""The training queue at work: a waiting training meets an idle trainer; ends are brought about."""

import asyncio
import contextlib
import logging
from datetime import datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from edgeloop.errors import Conflict, EdgeloopError, InputError, NotFound, Overloaded, Unprocessable
from edgeloop.loop.services import endings, figures, queue
from edgeloop.loop.services.endings import EndCommand
from edgeloop.loop.services.queue import Match
from edgeloop.loop.services.workspace import Workspaces
from edgeloop.protocol import events
from edgeloop.protocol.payloads.trainings import training_order_to_json

log = logging.getLogger(__name__)

REFUSED_FOR = timedelta(seconds=30)
"""How long a trainer that refused a training is not asked again."""
REPEAT_AFTER = timedelta(seconds=30)
"""When a trainer that goes on is told once more to abort: old ones need it twice."""
LOOK_EVERY_S = 5.0


class Dispatcher:
    """Hands trainings to trainers, passes on what people want of them, and ends them."""

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces
        self._woken = asyncio.Event()
        self._is_stopping = False
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._avoid: dict[str, datetime] = {}  # trainer id: until when
        self._told: dict[tuple[str, str], datetime] = {}  # training id and phase: when

    def wake(self) -> None:
        """Look at once: a training was queued, or a trainer reported."""
        self._woken.set()

    async def stop(self) -> None:
        """Let ``run`` finish what it is at, and end."""
        self._is_stopping = True
        self._woken.set()
        await self._at_rest.wait()

    async def run(self) -> None:
        """Look whenever woken, and every few seconds, until stopped."""
        self._at_rest.clear()
        try:
            while not self._is_stopping:
                self._woken.clear()
                await self._try_to_look()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), LOOK_EVERY_S)
        finally:
            self._at_rest.set()

    async def look(self) -> None:
        """End what is done, tell trainers what is wanted of them, hand out what waits."""
        await self._end_trainings()
        async with self._workspaces.read() as workspace:
            commands = await endings.due_commands(workspace)
        due = {command.training_id for command in commands}
        self._told = {key: at for key, at in self._told.items() if key[0] in due}
        async with asyncio.TaskGroup() as group:
            for command in commands:
                group.create_task(self._tell(command))
        async with self._workspaces.read() as workspace:
            matches = await queue.matches(workspace, avoid=self._refusing())
        async with asyncio.TaskGroup() as group:
            for match in matches:
                group.create_task(self._hand_over(match))

    async def _try_to_look(self) -> None:
        try:
            await self.look()
        except* (EdgeloopError, SQLAlchemyError):
            log.exception("The training queue could not be looked at; it will be again")

    async def _end_trainings(self) -> None:
        async with self._workspaces.read() as workspace:
            ids = [training.id for training in await endings.let_go(workspace)]
            forsaken = await endings.forsaken(workspace)
        for training_id in forsaken:
            async with self._workspaces.write() as workspace:
                training = await endings.give_up(workspace, training_id)
            log.info("Training %d (%s) is %s", training.number, training.id, training.state)
        for training_id in ids:
            metrics = await figures.test_metrics(self._workspaces, training_id)
            async with self._workspaces.write() as workspace:
                training = await endings.end(workspace, training_id, metrics)
            log.info("Training %d (%s) is %s", training.number, training.id, training.state)

    async def _hand_over(self, match: Match) -> None:
        """Claim first, send then: a trainer never gets a second training."""
        try:
            async with self._workspaces.write() as workspace:
                order = await queue.claim(workspace, match)
        except Conflict as error:
            log.info("%s", error)
            return
        details = training_order_to_json(order)
        try:
            await self._workspaces.fleet.send(
                match.trainer_id, events.BEGIN_TRAINING, order.organization, order.project, details
            )
        except (NotFound, Conflict) as error:
            await self._wait_again(match, str(error))
        except InputError as error:
            async with self._workspaces.write() as workspace:
                await queue.rejected(workspace, match, str(error))
        except Overloaded as error:
            log.warning("%s Its next report tells whether it has begun.", error)
        else:
            async with self._workspaces.write() as workspace:
                await queue.accepted(workspace, match)

    async def _wait_again(self, match: Match, reason: str) -> None:
        log.info("%s waits: %s", match, reason)
        self._avoid[match.trainer_id] = self._workspaces.clock() + REFUSED_FOR
        async with self._workspaces.write() as workspace:
            await queue.refused(workspace, match, reason)

    async def _tell(self, command: EndCommand) -> None:
        key, now = (command.training_id, command.phase), self._workspaces.clock()
        before = self._told.get(key)
        repeatable = command.event == events.ABORT_TRAINING
        if before and not (repeatable and now - before >= REPEAT_AFTER):
            return
        self._told[key] = now
        try:
            await self._send_end(command)
        except EdgeloopError as error:
            log.warning("Training %s goes on for now: %s", command.training_id, error)
            del self._told[key]

    async def _send_end(self, command: EndCommand) -> None:
        fleet = self._workspaces.fleet
        try:
            await fleet.send(command.trainer_id, command.event)
        except Unprocessable:  # trainers before 0.20 only know how to stop
            if command.event == events.STOP_TRAINING:
                raise
            await fleet.send(command.trainer_id, events.STOP_TRAINING)

    def _refusing(self) -> set[str]:
        now = self._workspaces.clock()
        self._avoid = {trainer: until for trainer, until in self._avoid.items() if until > now}
        return set(self._avoid)
