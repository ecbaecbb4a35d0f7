"""Follows the loop's deployment target: from the model store into the slot."""

import asyncio
import logging
import re
import time
from collections.abc import Callable

from edgeloop.client import AsyncLoopClient, Backoff
from edgeloop.client.calls.deployments import deployment_target
from edgeloop.client.calls.models import models
from edgeloop.errors import EdgeloopError, InputError, NotFound
from edgeloop.nodes.detector.slot import ModelSlot
from edgeloop.nodes.model_store import ModelStore
from edgeloop.types import DeploymentTarget

log = logging.getLogger(__name__)

FOLLOW_LOOP = "follow_loop"
PAUSE = "pause"
SPECIFIC_VERSION = "specific_version"
_VERSION = re.compile(r"\d+(\.\d+)*")


class Updater:
    """Brings the wanted model into service: the loop's target, a fixed version, or what is there.

    It asks the loop every ``interval_s`` seconds, and at once when told to. A target that cannot
    be fetched or loaded is tried again after longer and longer pauses; the present model stays.
    """

    def __init__(
        self,
        slot: ModelSlot,
        store: ModelStore,
        client: AsyncLoopClient,
        *,
        mode: str = FOLLOW_LOOP,
        interval_s: float = 5.0,
    ) -> None:
        self._slot = slot
        self._store = store
        self._client = client
        self._mode = mode
        self._interval_s = interval_s
        self._fixed: DeploymentTarget | None = None
        self._failed_id: str | None = None
        self._retry_at = 0.0
        self._backoff = Backoff(first_s=5.0, max_s=600.0)
        self._wake = asyncio.Event()
        self._listeners: list[Callable[[], None]] = []
        self.loop_target: DeploymentTarget | None = None
        """What the loop wants, as far as it is known."""

        self.is_held = False
        """True while no other model may replace the present one."""

        self.has_started = False
        """True when the first look at the disk and at the loop is done."""

        self._failure: str | None = None
        self._silence: str | None = None

    @property
    def mode(self) -> str:
        """``follow_loop``, ``pause`` or ``specific_version``."""
        return SPECIFIC_VERSION if self._fixed else self._mode

    @property
    def target(self) -> DeploymentTarget | None:
        """The model that is wanted in service; None while paused."""
        if self._fixed:
            return self._fixed
        return self.loop_target if self._mode == FOLLOW_LOOP else None

    @property
    def error(self) -> str | None:
        """Why the wanted model is not in service, or is not known."""
        return self._failure or self._silence

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after another model came into service, or failed to."""
        self._listeners.append(listener)

    def check_now(self) -> None:
        """Look at once, and try again what failed."""
        self._failed_id = None
        self._backoff.reset()
        self._wake.set()

    async def set_mode(self, mode: str) -> None:
        """``follow_loop``, ``pause``, or a version such as ``1.0``, which stays until the next
        change.

        Raises InputError where there is no such version, LoopError where it cannot be looked up.
        """
        if mode in (FOLLOW_LOOP, PAUSE):
            self._mode, self._fixed = mode, None
        elif _VERSION.fullmatch(mode):
            self._fixed = await self._look_up(mode)
        else:
            raise InputError(f"{mode!r} is no version: set 1.0, for example, follow_loop or pause.")
        self.check_now()

    async def run(self) -> None:
        """Bring the last model into service, then follow until cancelled."""
        await self._restore()
        while True:
            self._wake.clear()
            await self._step()
            self._set_started()
            try:
                async with asyncio.timeout(self._interval_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _restore(self) -> None:
        model = await asyncio.to_thread(self._store.current)
        if model is None or not self._is_ours(model.info.organization, model.info.project):
            return
        try:
            await self._slot.replace(model)
        except EdgeloopError as error:
            self._fail(model.info.id, error)

    def _is_ours(self, organization: str, project: str) -> bool:
        settings = self._client.settings
        if not settings.organization or not settings.project:
            return True
        return (organization, project) == (settings.organization, settings.project)

    async def _step(self) -> None:
        """One look: what is wanted, and bring it into service."""
        settings = self._client.settings
        if settings.organization and settings.project:
            await self._ask_loop(settings.organization, settings.project)
        target = self.target
        if target is None:
            return
        if target.model_id != self._failed_id:
            self._failed_id = self._failure = None
        if self._is_due(target):
            await self._try_switch(target)

    async def _ask_loop(self, organization: str, project: str) -> None:
        silence = None
        try:
            self.loop_target = await self._client.send(deployment_target(organization, project))
        except NotFound:
            self.loop_target = None
        except EdgeloopError as error:
            silence = str(error)
        if silence and silence != self._silence:
            log.warning("the deployment target is not known: %s", silence)
        self._silence = silence

    def _is_due(self, target: DeploymentTarget) -> bool:
        present = self._slot.model
        if present and (self.is_held or present.info.id == target.model_id):
            return False
        return target.model_id != self._failed_id or time.monotonic() >= self._retry_at

    async def _try_switch(self, target: DeploymentTarget) -> None:
        try:
            await self._switch(target)
        except (EdgeloopError, OSError) as error:
            self._fail(target.model_id, error)
            return
        self._failed_id = self._failure = None
        self._backoff.reset()
        self._tell()

    async def _switch(self, target: DeploymentTarget) -> None:
        settings = self._client.settings
        model = await self._store.fetch(
            self._client,
            settings.organization,
            settings.project,
            model_id=target.model_id,
            model_format=self._slot.model_format,
        )
        await self._slot.replace(model)
        log.info("model %s is in service", model.info.version)
        await asyncio.to_thread(self._store.set_current, model)

    def _fail(self, model_id: str, error: EdgeloopError | OSError) -> None:
        self._failed_id = model_id
        self._failure = f"Could not update model: {error}"
        pause_s = self._backoff.next_s()
        self._retry_at = time.monotonic() + pause_s
        log.warning("%s Trying again in %.0f s.", self._failure, pause_s)
        self._tell()

    async def _look_up(self, version: str) -> DeploymentTarget:
        for model in await asyncio.to_thread(self._store.local):
            info = model.info
            if info.version == version and self._is_ours(info.organization, info.project):
                return DeploymentTarget(info.id, version)
        settings = self._client.settings
        entries = await self._client.send(models(settings.organization, settings.project))
        found = [entry for entry in entries if entry.version == version]
        if len(found) != 1:
            raise InputError(f"No Model with version {version}: {len(found)} were found.")
        if self._slot.model_format not in found[0].formats:
            raise InputError(f"Model {version} has no format {self._slot.model_format}.")
        return DeploymentTarget(found[0].id, version)

    def _set_started(self) -> None:
        if not self.has_started:
            self.has_started = True
            self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()
