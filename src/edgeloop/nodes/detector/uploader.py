"""From the outbox to the loop: at once, in batches, and again until the loop has it."""

import asyncio
import logging
from collections.abc import Sequence
from enum import StrEnum

from edgeloop.client import AsyncLoopClient, Backoff
from edgeloop.client.calls.images import upload_images
from edgeloop.errors import EdgeloopError, ImageError, TooLarge, Unprocessable
from edgeloop.imaging import to_jpeg
from edgeloop.nodes.detector.outbox import Entry, Outbox
from edgeloop.types import ImageMetadata

log = logging.getLogger(__name__)

BATCH = 20


class OutboxMode(StrEnum):
    """Whether frames are uploaded; they are kept in both."""

    CONTINUOUS = "continuous_upload"
    STOPPED = "stopped"


class Uploader:
    """Sends what waits, 20 frames a request, without a pause while there is work.

    A frame leaves the outbox when the loop has answered; the loop drops repeats by the frame's id.
    A batch that the loop refuses is split until the frame at fault is alone, which is set aside.
    Every other failure is repeated, with longer and longer pauses.
    """

    def __init__(
        self, outbox: Outbox, client: AsyncLoopClient, *, backoff: Backoff | None = None
    ) -> None:
        self._outbox = outbox
        self._client = client
        self._backoff = backoff or Backoff()
        self._mode = OutboxMode.CONTINUOUS
        self._wake = asyncio.Event()
        self._mode_changed = asyncio.Event()
        self.error: str | None = None
        """Why the last request failed; None when it did not."""

    @property
    def mode(self) -> OutboxMode:
        """Whether frames are uploaded."""
        return self._mode

    @mode.setter
    def mode(self, mode: OutboxMode) -> None:
        self._mode = mode
        self._wake.set()
        self._mode_changed.set()

    async def run(self) -> None:
        """Upload until cancelled."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(self._wake.set)

        self._outbox.on_put(wake)
        while True:
            self._wake.clear()
            if not await self._upload_waiting():
                await self._wake.wait()

    async def _waiting(self) -> list[Entry]:
        settings = self._client.settings
        is_addressed = bool(settings.organization and settings.project)
        if self._mode is OutboxMode.STOPPED or not is_addressed:
            return []
        return await asyncio.to_thread(self._outbox.next, BATCH)

    async def _upload_waiting(self) -> bool:
        """Whether there is, or may be, work left."""
        try:
            entries = await self._waiting()
            if not entries:
                return False
            await self._send(entries)
        except (EdgeloopError, OSError) as error:
            pause_s = self._backoff.next_s()
            self.error = str(error)
            log.warning(
                "%d frames wait for the loop: %s Trying again in %.0f s.",
                len(self._outbox),
                error,
                pause_s,
            )
            await self._pause(pause_s)
        else:
            self.error = None
            self._backoff.reset()
        return True

    async def _send(self, entries: Sequence[Entry]) -> None:
        settings = self._client.settings
        try:
            pairs = await asyncio.to_thread(_as_jpegs, entries)
            await self._client.send(
                upload_images(
                    settings.organization, settings.project, pairs, login=settings.is_known
                )
            )
        except (Unprocessable, ImageError, TooLarge) as error:
            await self._isolate(entries, error)
        else:
            await asyncio.to_thread(self._remove, entries)

    async def _isolate(self, entries: Sequence[Entry], error: EdgeloopError) -> None:
        if len(entries) == 1:
            reason = f"The loop refuses this frame for good: {error}"
            await asyncio.to_thread(self._outbox.refuse, entries[0].name, reason)
            return
        half = len(entries) // 2
        await self._send(entries[:half])
        await self._send(entries[half:])

    def _remove(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._outbox.remove(entry.name)

    async def _pause(self, pause_s: float) -> None:
        self._mode_changed.clear()
        try:
            async with asyncio.timeout(pause_s):
                await self._mode_changed.wait()
        except TimeoutError:
            return


def _as_jpegs(entries: Sequence[Entry]) -> list[tuple[ImageMetadata, bytes]]:
    # The loop takes JPEGs alone; those go as they were received.
    return [(entry.metadata, to_jpeg(entry.image)) for entry in entries]
