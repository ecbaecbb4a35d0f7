"""What operators ask and set: about, model version, outbox mode, operation mode; the report."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgeloop.client import AsyncLoopClient
from edgeloop.client.calls.nodes import report_detector
from edgeloop.errors import EdgeloopError, InputError, Unprocessable
from edgeloop.nodes.detector.outbox import Outbox
from edgeloop.nodes.detector.pipeline import Pipeline
from edgeloop.nodes.detector.slot import ModelSlot
from edgeloop.nodes.detector.updater import Updater
from edgeloop.nodes.detector.uploader import OutboxMode, Uploader
from edgeloop.nodes.model_store import ModelStore
from edgeloop.protocol.payloads.models import model_information_to_json
from edgeloop.types import DetectorStatus, OperationMode

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the node is: the uuid stays, the name is for people."""

    id: str
    name: str
    model_format: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What the node is made of."""

    slot: ModelSlot
    store: ModelStore
    outbox: Outbox
    pipeline: Pipeline
    uploader: Uploader
    updater: Updater


class Control:
    """Answers questions about the node and changes its modes."""

    def __init__(
        self, identity: Identity, parts: Parts, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._identity = identity
        self._parts = parts
        self._clock = clock
        self._started = clock()
        self._is_detecting = False
        self._listeners: list[Callable[[], None]] = []

    @property
    def operation_mode(self) -> OperationMode:
        """``detecting`` while somebody said so: then the model is not replaced."""
        if self._is_detecting:
            return OperationMode.DETECTING
        return OperationMode.IDLE if self._parts.updater.has_started else OperationMode.STARTUP

    def set_operation_mode(self, text: str) -> None:
        """``idle`` or ``detecting``; ``startup`` counts as idle. Raises Unprocessable."""
        if text not in set(OperationMode):
            message = f"{text!r} is no operation mode: set startup, idle or detecting."
            raise Unprocessable(message)
        self._is_detecting = text == OperationMode.DETECTING
        self._parts.updater.is_held = self._is_detecting
        if not self._is_detecting:
            self._parts.updater.check_now()
        for listener in self._listeners:
            listener()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` when the report changes: another mode, or another model."""
        self._listeners.append(listener)
        self._parts.updater.on_change(listener)

    def status(self) -> DetectorStatus:
        """What is reported to the loop."""
        parts = self._parts
        target = parts.updater.target
        return DetectorStatus(
            id=self._identity.id,
            name=self._identity.name,
            model_format=self._identity.model_format,
            operation_mode=self.operation_mode,
            uptime_s=self._clock() - self._started,
            current_model=parts.slot.model.info.version if parts.slot.model else None,
            target_model=target.version if target else None,
            errors=self._errors(),
            node_version=self._identity.version,
            outbox_depth=parts.outbox.counts.waiting,
        )

    def about(self) -> dict[str, Any]:
        """All that is worth knowing of the node, as JSON."""
        status = self.status()
        model = self._parts.slot.model
        counts = self._parts.outbox.counts
        return {
            "operation_mode": status.operation_mode.value,
            "state": status.state,
            "model_info": model_information_to_json(model.info) if model else None,
            "target_model": status.target_model,
            "version_control": self._parts.updater.mode,
            "uuid": status.id,
            "name": status.name,
            "node_version": status.node_version,
            "uptime": status.uptime_s,
            "errors": dict(status.errors),
            "outbox": {
                "mode": self._parts.uploader.mode.value,
                "waiting": counts.waiting,
                "dropped": counts.dropped + self._parts.pipeline.not_kept,
                "refused": counts.refused,
            },
        }

    async def model_version(self) -> dict[str, Any]:
        """The versions in service, wanted and at hand, as JSON; a missing one is ``"None"``."""
        at_hand = await asyncio.to_thread(self._parts.store.local)
        updater = self._parts.updater
        current = self._parts.slot.model
        return {
            "current_version": current.info.version if current else "None",
            "target_version": updater.target.version if updater.target else "None",
            "loop_version": updater.loop_target.version if updater.loop_target else "None",
            "local_versions": [model.info.version for model in at_hand],
            "version_control": updater.mode,
        }

    async def set_model_version(self, text: str) -> None:
        """``follow_loop``, ``pause`` or a version; raises InputError, LoopError."""
        await self._parts.updater.set_mode(text)

    @property
    def outbox_mode(self) -> OutboxMode:
        """Whether frames are uploaded."""
        return self._parts.uploader.mode

    def set_outbox_mode(self, text: str) -> None:
        """``continuous_upload`` or ``stopped``; raises Unprocessable."""
        if text not in set(OutboxMode):
            raise Unprocessable(f"{text!r} is no outbox mode: set continuous_upload or stopped.")
        self._parts.uploader.mode = OutboxMode(text)

    def set_debug_logging(self, text: str) -> None:
        """``on`` or ``off``; raises InputError."""
        levels = {"on": logging.DEBUG, "off": logging.NOTSET}
        if text not in levels:
            raise InputError(f"{text!r} is neither on nor off.")
        logging.getLogger("edgeloop").setLevel(levels[text])

    async def reset(self) -> None:
        """Forget all models and all waiting frames, then look at the loop anew."""
        await self._parts.slot.close()
        await asyncio.to_thread(self._parts.store.clear)
        await asyncio.to_thread(self._parts.outbox.clear)
        self._parts.updater.check_now()

    def _errors(self) -> dict[str, str]:
        parts = self._parts
        errors = {
            "update_model": parts.updater.error,
            "upload": parts.uploader.error,
            "outbox": parts.pipeline.error,
        }
        return {key: text for key, text in errors.items() if text}


class Reporter:
    """Tells the loop of the node, every ``interval_s`` seconds and after each change."""

    def __init__(
        self, control: Control, client: AsyncLoopClient, *, interval_s: float = 30.0
    ) -> None:
        self._control = control
        self._client = client
        self._interval_s = interval_s
        self._wake = asyncio.Event()
        self._error: str | None = None
        control.on_change(self._wake.set)

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            self._wake.clear()
            await self._report()
            try:
                async with asyncio.timeout(self._interval_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _report(self) -> None:
        settings = self._client.settings
        if not settings.organization or not settings.project:
            return
        status = self._control.status()
        try:
            await self._client.send(
                report_detector(settings.organization, settings.project, status)
            )
        except EdgeloopError as error:
            if str(error) != self._error:
                log.warning("the report to the loop failed: %s", error)
            self._error = str(error)
        else:
            self._error = None
