"""The way of a frame through the detector: start reading here."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from edgeloop import imaging
from edgeloop.errors import StorageFull
from edgeloop.nodes.detector.outbox import Outbox
from edgeloop.nodes.detector.selection import Selector
from edgeloop.nodes.detector.slot import Detected, ModelSlot
from edgeloop.types import Detections, Frame, ImageArray, ImageMetadata

log = logging.getLogger(__name__)

EXPLICIT = "picked_by_system"
"""The tag of images that somebody uploaded on purpose."""


@dataclass(frozen=True, slots=True)
class Timings:
    """How long the steps took, in milliseconds; ``detect_ms`` includes the wait for a turn."""

    decode_ms: float
    detect_ms: float


@dataclass(frozen=True, slots=True)
class Answer:
    """``detections`` count by the model's own threshold; ``reasons`` say why the frame is kept."""

    detections: Detections
    reasons: tuple[str, ...]
    timings: Timings


@dataclass(frozen=True, slots=True)
class Upload:
    """An image that somebody wants in the loop, with what is known of it."""

    image: bytes
    metadata: ImageMetadata


class Pipeline:
    """Decode, detect, decide, keep. The same object serves all ways in."""

    def __init__(self, slot: ModelSlot, selector: Selector, outbox: Outbox) -> None:
        self._slot = slot
        self._selector = selector
        self._outbox = outbox
        self.not_kept = 0
        """How many frames were worth keeping but could not be written."""

        self.error: str | None = None
        """Why the last frame could not be written; None when it could."""

    @property
    def category_ids(self) -> dict[str, str]:
        """The ids of the categories that the model in service knows, by name."""
        model = self._slot.model
        return {each.name: each.id for each in model.info.categories} if model else {}

    async def process(self, frame: Frame) -> Answer:
        """Find things in a frame and keep it where it is worth a look.

        Raises ImageError, ModelUnavailable, Overloaded, ModelError.
        """
        started = time.perf_counter()
        image = await _decode(frame)
        decoded = time.perf_counter()
        detected = await self._slot.detect(image)
        timings = _timings(started, decoded, time.perf_counter())
        reasons = self._selector.reasons(frame, detected.detections)
        if reasons:
            await self._keep(frame, detected.detections, reasons)
        return Answer(_counting(detected), reasons, timings)

    async def upload(self, uploads: Sequence[Upload], *, priority: bool = False) -> None:
        """Keep images that somebody picked: all are checked before the first is kept.

        Raises ImageError, and StorageFull where not all could be kept.
        """
        for upload in uploads:
            await asyncio.to_thread(_verify, upload.image)
        for upload in uploads:
            await asyncio.to_thread(
                self._outbox.put, upload.metadata, upload.image, priority=priority
            )

    async def _keep(self, frame: Frame, detections: Detections, reasons: tuple[str, ...]) -> None:
        metadata = ImageMetadata(
            frame_id=frame.id,
            detections=detections,
            tags=(*frame.tags, *reasons),
            source=frame.source,
            created=frame.created,
            camera_id=frame.camera_id,
        )
        try:
            await asyncio.to_thread(_put, self._outbox, metadata, frame.image)
        except (StorageFull, OSError) as error:
            # The caller waits for detections: a full disk must not keep them from a robot.
            self._selector.forget(frame.camera_id)
            self.not_kept += 1
            self.error = f"Frame {frame.id} was not kept: {error}"
            log.error("%s (%d since the start)", self.error, self.not_kept)
        else:
            self.error = None


async def _decode(frame: Frame) -> ImageArray:
    if isinstance(frame.image, bytes):
        return await asyncio.to_thread(imaging.decode, frame.image)
    return frame.image


def _counting(detected: Detected) -> Detections:
    threshold = detected.model.conf_threshold
    return detected.detections if threshold is None else detected.detections.above(threshold)


def _timings(started: float, decoded: float, detected: float) -> Timings:
    return Timings(decode_ms=(decoded - started) * 1000, detect_ms=(detected - decoded) * 1000)


def _put(outbox: Outbox, metadata: ImageMetadata, image: bytes | ImageArray) -> None:
    outbox.put(metadata, image if isinstance(image, bytes) else imaging.encode_jpeg(image))


def _verify(image: bytes) -> None:
    if image.startswith(imaging.JPEG_START):
        imaging.verify_jpeg(image)
    else:
        imaging.decode(image)
