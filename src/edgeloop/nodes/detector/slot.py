"""The model in service: batches what waits; loads the next one beside it, then switches."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from edgeloop.errors import EdgeloopError, ModelError, ModelLoadFailed, ModelUnavailable, Overloaded
from edgeloop.nodes.contracts import Detector
from edgeloop.types import Detections, ImageArray, LocalModel, ModelInformation

log = logging.getLogger(__name__)

T = TypeVar("T")
Outcome = Detections | EdgeloopError
_FAULTS = (Exception, SystemExit)
"""What the user's code may raise: it must not end the thread in silence."""


@dataclass(frozen=True, slots=True)
class Detected:
    """What was seen, and by which model."""

    detections: Detections
    model: ModelInformation


class ModelSlot:
    """Holds at most one loaded model; at most ``max_waiting`` images wait for it.

    To be used from one event loop. Detectors of a class with ``exclusive`` are never loaded twice
    at the same time: while one replaces the other there is none.
    """

    def __init__(self, detector_class: type[Detector], *, max_waiting: int = 64) -> None:
        self._detector_class = detector_class
        self._max_waiting = max_waiting
        self._current: _DetectorThread | None = None
        self._why_empty = "No model is loaded yet: deploy one in the loop, or set a version."
        self._switching = asyncio.Lock()

    @property
    def model_format(self) -> str:
        """The format of the models that fit in."""
        return self._detector_class.model_format

    @property
    def model(self) -> LocalModel | None:
        """The model in service."""
        return self._current.model if self._current else None

    async def detect(self, image: ImageArray) -> Detected:
        """Detections of one (height, width, 3) uint8 RGB image.

        Raises ModelUnavailable without a model, Overloaded where too many wait, ModelError where
        the detector fails on this image.
        """
        current = self._current
        if current is None:
            raise ModelUnavailable(self._why_empty)
        if current.waiting >= self._max_waiting:
            message = f"{self._max_waiting} images wait for the model already: send fewer at once."
            raise Overloaded(message)
        detections = await current.submit(image)
        return Detected(detections, current.model.info)

    async def replace(self, model: LocalModel) -> None:
        """Put ``model`` into service; what waits for the present one is still answered by it.

        Raises ModelLoadFailed; the present model then stays in service.
        """
        async with self._switching:
            if self._detector_class.exclusive:
                await self._replace_exclusively(model)
                return
            loaded = await self._load(model)
            retired, self._current = self._current, loaded
            if retired:
                await retired.retire()

    async def close(self) -> None:
        """Finish what waits, then free the model; the slot is empty afterwards."""
        async with self._switching:
            await self._empty("The node is being stopped, or its model was removed.")

    async def _replace_exclusively(self, model: LocalModel) -> None:
        former = self.model
        await self._empty(f"Model {model.info.version} is being loaded: repeat in a moment.")
        try:
            self._current = await self._load(model)
        except ModelLoadFailed as error:
            self._why_empty = str(error)
            if former:
                self._current = await self._load(former)
            raise

    async def _empty(self, why: str) -> None:
        retired, self._current, self._why_empty = self._current, None, why
        if retired:
            await retired.retire()

    async def _load(self, model: LocalModel) -> "_DetectorThread":
        thread = _DetectorThread(self._detector_class, model)
        try:
            await thread.load()
        except BaseException:
            thread.stop()
            raise
        return thread


class _DetectorThread:
    """The one thread in which a detector is made, loaded, asked and closed."""

    def __init__(self, detector_class: type[Detector], model: LocalModel) -> None:
        self.model = model
        self._detector_class = detector_class
        self._loop = asyncio.get_running_loop()
        self._wake = threading.Condition()
        self._queue: deque[tuple[ImageArray, asyncio.Future[Outcome]]] = deque()
        self._stopping = False
        self._loaded: asyncio.Future[ModelLoadFailed | None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        name = f"detector {model.info.version}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def waiting(self) -> int:
        """How many images wait, without those being worked on."""
        return len(self._queue)

    async def load(self) -> None:
        """Start the thread; raises ModelLoadFailed."""
        self._thread.start()
        if failure := await self._loaded:
            raise failure

    async def submit(self, image: ImageArray) -> Detections:
        """Wait for the detections of ``image``; raises EdgeloopError."""
        future: asyncio.Future[Outcome] = self._loop.create_future()
        with self._wake:
            self._queue.append((image, future))
            self._wake.notify()
        outcome = await future
        if isinstance(outcome, EdgeloopError):
            raise outcome
        return outcome

    def stop(self) -> None:
        """Let the thread end when it has answered what waits."""
        with self._wake:
            self._stopping = True
            self._wake.notify()

    async def retire(self) -> None:
        """``stop``, and wait until the model is freed."""
        self.stop()
        await self._ended

    def _run(self) -> None:
        try:
            detector = self._detector_class(self.model)
            detector.load()
        except _FAULTS as error:
            version = self.model.info.version
            message = f"{self._who} cannot load model {version} ({_said(error)})."
            self._tell(self._loaded, ModelLoadFailed(message))
            return
        self._tell(self._loaded, None)
        while batch := self._take(max(1, detector.max_batch)):
            outcomes = self._detect(detector, [image for image, _ in batch])
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                self._tell(future, outcome)
        self._close(detector)
        self._tell(self._ended, None)

    def _take(self, limit: int) -> list[tuple[ImageArray, asyncio.Future[Outcome]]]:
        """All that waits, up to ``limit``; empty at the end."""
        with self._wake:
            self._wake.wait_for(lambda: self._queue or self._stopping)
            count = min(len(self._queue), limit)
            return [self._queue.popleft() for _ in range(count)]

    def _detect(self, detector: Detector, images: Sequence[ImageArray]) -> Sequence[Outcome]:
        if len(images) == 1:
            return [self._detect_one(detector, images[0])]
        try:
            found = detector.detect_batch(images)
            if len(found) == len(images) and all(isinstance(item, Detections) for item in found):
                return found
            log.error("%s: detect_batch must answer one Detections per image", self._who)
        except _FAULTS:
            log.exception("a batch of %d images failed: trying them one by one", len(images))
        return [self._detect_one(detector, image) for image in images]

    def _detect_one(self, detector: Detector, image: ImageArray) -> Outcome:
        try:
            found = detector.detect(image)
        except EdgeloopError as error:
            return error
        except _FAULTS as error:
            log.exception("%s failed on an image", self._who)
            return ModelError(f"{self._who} failed on this image ({_said(error)}).")
        return _checked(found, self._who)

    def _close(self, detector: Detector) -> None:
        try:
            detector.close()
        except _FAULTS:
            log.exception("%s failed while it was being closed", self._who)

    @property
    def _who(self) -> str:
        return self._detector_class.__name__

    def _tell(self, future: asyncio.Future[T], outcome: T) -> None:
        def settle() -> None:
            if not future.done():
                future.set_result(outcome)

        try:
            self._loop.call_soon_threadsafe(settle)
        except RuntimeError:
            log.debug("nobody waits any more: the event loop is closed")


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _checked(found: object, who: str) -> Outcome:
    if isinstance(found, Detections):
        return found
    return ModelError(f"{who}.detect must return Detections, not {type(found).__name__}.")
